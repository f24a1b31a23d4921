"""The next suggestion after an accept, whole: behind the keys and values that are kept, against the same one afresh.

Both are timed as an editor waits for them, prompt, drafts, decoding and the event loop included; and both have to say
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tabspec.context import EditContext
from tabspec.fitting.postprocess import postprocess
from tabspec.lab.measuring.suggestions import Timed, answer, question
from tabspec.models.protocol import Model, StopRule
from tabspec.suggestion import Suggestion


@dataclass(frozen=True, slots=True)
class AcceptsMeasured:
    """Medians over the places of milliseconds for the next suggestion, and of the ratio between the two; ``most`` is
    the ratio that nine of ten places do not exceed. ``same`` of ``places`` pairs of answers are equal."""

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
    stop: StopRule = StopRule(),  # noqa: B008 (frozen)
) -> AcceptsMeasured | None:
    """At each of ``places`` at which there is a suggestion, accept it and ask on. ``model.close`` has to empty its KV
    cache. None if there is a suggestion nowhere."""
    kept_s, fresh_s, same = list[float](), list[float](), 0
    for number, context in enumerate(places):
        pairs = [pair for _ in range(rounds) if (pair := await _pair(model, context, stop))]
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


async def _pair(model: Model, context: EditContext, stop: StopRule) -> tuple[Timed, Timed] | None:
    """The answer after an accept, and the same with nothing kept; None where there is nothing to accept."""
    fingerprint = model.info.fingerprint
    await model.close()
    written = (await answer(model, question(context, fingerprint, stop))).written
    suggestion = postprocess(context, written)
    if not isinstance(suggestion, Suggestion):
        return None
    asked = question(context.after_accept(suggestion), fingerprint, stop)
    kept = await answer(model, asked)
    await model.close()
    return kept, await answer(model, asked)
