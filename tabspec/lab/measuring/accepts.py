"""Compares two ways to compute the next suggestion after an accept: with the KV cache kept, and with an empty one.

The whole time that an editor waits is measured, including the prompt, drafts, decoding and the event loop. Both ways
must return the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tabspec.context import EditContext
from tabspec.fitting.postprocess import postprocess
from tabspec.lab.measuring.suggestions import TimedAnswer, answer, question
from tabspec.models.protocol import Model, StopRule
from tabspec.suggestion import Suggestion


@dataclass(frozen=True, slots=True)
class AcceptsMeasured:
    """Medians over all places: milliseconds for the next suggestion, with the KV cache kept and with an empty one, and
    the ratio of the two. ``most`` is the ratio's 90th percentile. ``same`` of ``places`` pairs have equal texts."""

    kept_ms: float
    fresh_ms: float
    ratio: float
    most: float
    places: int
    same: int


async def measure_accepts(
    model: Model,
    places: Sequence[EditContext],
    rounds: int,
) -> AcceptsMeasured | None:
    """At each of ``places``, accept the suggestion if there is one, and request the next. None if there is none at any
    place. ``model.close`` must empty the model's KV cache."""
    kept_s, fresh_s, same = list[float](), list[float](), 0
    for number, context in enumerate(places):
        pairs = [pair for _ in range(rounds) if (pair := await _pair(model, context))]
        if not pairs or not number:  # the first place warms up
            continue
        kept_s.append(median(kept.seconds for kept, _ in pairs))
        fresh_s.append(median(fresh.seconds for _, fresh in pairs))
        same += all(kept.written.text == fresh.written.text for kept, fresh in pairs)
    if not kept_s:
        return None
    ratios = sorted(kept / fresh for kept, fresh in zip(kept_s, fresh_s, strict=True))
    return AcceptsMeasured(
        1000 * median(kept_s),
        1000 * median(fresh_s),
        median(ratios),
        ratios[min(int(0.9 * len(ratios)), len(ratios) - 1)],
        len(ratios),
        same,
    )


async def _pair(model: Model, context: EditContext) -> tuple[TimedAnswer, TimedAnswer] | None:
    """The answers after an accept, with the KV cache kept and with an empty one. None if there is nothing to accept."""
    fingerprint, stop = model.info.fingerprint, StopRule()
    await model.close()
    written = (await answer(model, question(context, fingerprint, stop))).written
    suggestion = postprocess(context, written)
    if not isinstance(suggestion, Suggestion):
        return None
    request = question(context.after_accept(suggestion), fingerprint, stop)
    kept = await answer(model, request)
    await model.close()
    return kept, await answer(model, request)
