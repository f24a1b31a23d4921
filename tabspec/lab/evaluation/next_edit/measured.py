"""Next edits on the histories of projects: what is proposed at each stage of a commit, judged and added up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.order import as_chain
from tabspec.edits.proposals.probabilities import case_of
from tabspec.edits.proposals.propose import LEAST, found_in
from tabspec.lab.evaluation.next_edit.commits import Stage, stages
from tabspec.lab.evaluation.next_edit.judged import Verdict, verdict

# Where precision and recall are given, besides the product's own threshold.
THRESHOLDS = (0.25, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Outcome:
    """What was proposed first at one stage: its kind and probability (None: nothing), the verdict, the time in
    seconds, and whether anything was left to do. ``cases`` has the first proposal of each case by itself, for the table
    of probabilities: its case and the verdict."""

    kind: str | None
    probability: float
    judged: Verdict
    seconds: float
    due: bool
    cases: tuple[tuple[str, Verdict], ...] = ()


_NOTHING = Verdict(False, False, False)


def outcome(stage: Stage) -> Outcome:
    """Propose at one stage, and judge the first of the chain, as it is what the user would see."""
    began = time.perf_counter()
    found = list(found_in(stage.document, stage.steps))
    cursor = stage.document.uri, stage.document.position(stage.cursor).line
    chain = as_chain(found, cursor, THRESHOLDS[0])
    seconds = time.perf_counter() - began
    by_case: dict[str, list[Found]] = {}
    for each in found:
        by_case.setdefault(case_of(each.source, each.bucket), []).append(each)
    cases = []
    for case, members in by_case.items():
        for first in as_chain(members, cursor, 0.0)[:1]:
            cases.append((case, verdict(stage.document, first, stage.left)))
    due = bool(stage.left)
    if not chain:
        return Outcome(None, 0.0, _NOTHING, seconds, due, tuple(cases))
    first = chain[0]
    judged = verdict(stage.document, first, stage.left)
    return Outcome(first.source.value, first.probability, judged, seconds, due, tuple(cases))


def measure(
    repositories: Sequence[Path], commits: int, seed: int = 0, show: Callable[[str, int], None] | None = None
) -> list[Outcome]:
    """The outcomes at the stages of the newest ``commits`` commits of each repository."""
    found: list[Outcome] = []
    for repository in repositories:
        for stage in stages(repository, commits, seed):
            found.append(outcome(stage))
            if show:
                show(repository.name, len(found))
    return found


def as_json(found: Sequence[Outcome]) -> dict[str, object]:
    """The figures: shares of 1, times in milliseconds."""
    times = sorted(each.seconds * 1e3 for each in found)
    kinds = sorted({each.kind for each in found if each.kind})
    return {
        "stages": len(found),
        "due": sum(each.due for each in found),
        "default": LEAST,
        "by_threshold": [{"threshold": least, **shares(found, least)} for least in THRESHOLDS],
        "by_kind": {kind: shares([each for each in found if each.kind == kind], LEAST) for kind in kinds},
        "ms": {
            "median": round(statistics.median(times), 3) if times else None,
            "p95": round(times[int(len(times) * 0.95)], 3) if times else None,
            "most": round(times[-1], 3) if times else None,
        },
    }


def table(found: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """The table of probabilities that these outcomes give: for each case its chance, and on how many it rests.

    Right is what the commit did token by token. Each case counts three more, one of them right: what was seen seldom is
    not sure.
    """
    counts: dict[str, list[int]] = {}
    for each in found:
        for case, judged in each.cases:
            row = counts.setdefault(case, [0, 0])
            row[0] += 1
            row[1] += judged.way
    return {
        case: {"probability": round((right + 1) / (seen + 3), 3), "seen": seen}
        for case, (seen, right) in sorted(counts.items())
    }


def shares(found: Iterable[Outcome], least: float) -> dict[str, float | int | None]:
    """Precision (of what was shown) and recall (of stages with something left to do) at a threshold.

    ``undone`` is the share of what was shown where the commit changed nothing.
    """
    found = list(found)
    shown = [each for each in found if each.kind is not None and each.probability >= least]
    due = sum(each.due for each in found)

    def of(part: int, whole: int) -> float | None:
        return round(part / whole, 4) if whole else None

    return {
        "shown": len(shown),
        "place": of(sum(each.judged.place for each in shown), len(shown)),
        "text": of(sum(each.judged.text for each in shown), len(shown)),
        "way": of(sum(each.judged.way for each in shown), len(shown)),
        "undone": of(sum(not each.judged.place for each in shown), len(shown)),
        "recall": of(sum(each.judged.way for each in shown), due),
        "quiet_at_end": of(
            sum(not each.due and (each.kind is None or each.probability < least) for each in found),
            sum(not each.due for each in found),
        ),
    }
