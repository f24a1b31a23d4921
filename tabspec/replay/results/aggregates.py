"""The numbers of a run that follow from its requests. Pure functions of timelines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from tabspec.replay.results.edits import DepthResult, EditResult, Effort
from tabspec.replay.results.figures import keystrokes_saved, latency, ratio
from tabspec.replay.results.result import CacheStats, KindResult, RequestRecord, Run, Tokens
from tabspec.suggestion import Miss, Source

T = TypeVar("T", KindResult, Tokens, EditResult, Effort)


def aggregates(timeline: Iterable[RequestRecord]) -> dict[str, Any]:
    """What the requests of a run add up to: the fields of a `Run` that follow from its timeline."""
    records = list(timeline)
    found = Counter(str(record.source) for record in records)
    tabs = [record for record in records if record.tab]
    instant_tabs = sum(record.instant_tab for record in tabs)
    misses = Counter(str(record.miss or Miss.UNKNOWN) for record in tabs if not record.instant_tab)
    return dict(
        requests=len(records),
        shown=sum(record.shown for record in records),
        accepted=sum(record.accepted for record in records),
        sources={source.value: found[source.value] for source in Source},
        hit_rate=ratio(sum(record.instant for record in records), len(records) - found[Source.NONE.value]),
        tabs=len(tabs),
        instant_tabs=instant_tabs,
        instant_tab_rate=ratio(instant_tabs, len(tabs)),
        silent_tabs=sum(record.source == Source.NONE for record in tabs),
        unanswered_tabs=sum(record.unanswered_tab for record in tabs),
        instant_next=sum(record.instant_next for record in tabs),
        latency_ms=latency(record.ms for record in records),
        tab_latency_ms=latency(record.ms for record in tabs),
        next_latency_ms=latency(record.ms for record in tabs if record.source != Source.NONE),
        misses=dict(sorted(misses.items())),
        reward=math.fsum(record.reward for record in records),
    )


def by_depth(records: Iterable[RequestRecord]) -> tuple[DepthResult, ...]:
    """The Tabs of a timeline by how many came before them in a row, the first ones first."""
    found: dict[int, list[RequestRecord]] = {}
    for record in records:
        if record.depth:
            found.setdefault(record.depth, []).append(record)
    return tuple(
        DepthResult(
            depth,
            len(tabs),
            sum(record.instant_next for record in tabs),
            sum(record.source == Source.NONE for record in tabs),
        )
        for depth, tabs in sorted(found.items())
    )


def pooled(runs: Sequence[Run]) -> Run | None:
    """Runs of several sessions under one policy as if they were one; None where a timeline is missing.

    Percentiles cannot be computed from percentiles, so every run must carry its requests. The completion cache's
    sizes are the largest of any session (they were not there at the same time).
    """
    if not runs or any(len(run.timeline) != run.requests for run in runs):
        return None
    timeline = tuple(record for run in runs for record in run.timeline)
    found = aggregates(timeline)
    if any(run.reward is None for run in runs):
        found["reward"] = None
    typed, taken = sum(run.typed_chars for run in runs), sum(run.accepted_chars for run in runs)
    largest = max((run.cache for run in runs), key=lambda stats: stats.bytes)
    return replace(
        runs[0],
        session=f"{len(runs)} sessions" if len(runs) > 1 else runs[0].session,
        language=", ".join(dict.fromkeys(run.language for run in runs)),
        typed_chars=typed,
        accepted_chars=taken,
        rejected=sum(run.rejected for run in runs),
        keystrokes_saved=keystrokes_saved(typed, taken),
        tokens=_sum(Tokens, [run.tokens for run in runs]),
        kinds=_pooled_kinds(runs),
        interrupted=any(run.interrupted for run in runs),
        cache=CacheStats(largest.entries, largest.bytes, sum(run.cache.evictions for run in runs)),
        stale_served=sum(run.stale_served for run in runs),
        duration_s=math.fsum(run.duration_s for run in runs),
        synthetic=all(run.synthetic for run in runs),
        notes=(),
        cache_over_time=(),
        timeline=timeline,
        edits=_sum_known(EditResult, [run.edits for run in runs]),
        effort=_sum_known(Effort, [run.effort for run in runs]),
        by_depth=by_depth(timeline),
        **found,
    )


def _pooled_kinds(runs: Sequence[Run]) -> dict[str, KindResult]:
    names = sorted({name for run in runs for name in run.kinds})
    return {name: _sum(KindResult, [run.kinds[name] for run in runs if name in run.kinds]) for name in names}


def _sum(kind: type[T], counts: Sequence[T]) -> T:
    """The sum of each field."""
    return kind(*(sum(getattr(each, item.name) for each in counts) for item in fields(kind)))


def _sum_known(kind: type[T], counts: Sequence[T | None]) -> T | None:
    """The sum of each field; None where a run lacks it."""
    known = [each for each in counts if each is not None]
    return _sum(kind, known) if len(known) == len(counts) else None
