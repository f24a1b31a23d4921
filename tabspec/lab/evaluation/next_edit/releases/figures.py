"""Figures of an edit model on release steps as JSON and tables, and its calibration."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

from rich.table import Table

from tabspec.lab.evaluation.next_edit.releases.asked import Outcome, Passes
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty
from tabspec.lab.evaluation.next_edit.releases.scoring import (
    RANKS,
    Prediction,
    ShownShares,
    at_precision,
    fit,
    is_right,
    place,
    probabilities,
    shown,
    text_given_place,
)
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep
from tabspec.models.local.edits.calibration import UNFITTED, EditCalibration

# Of the edits that are shown by default, at least so many are right.
SHOWN_PRECISION = 0.6

Figures = dict[str, object]


def calibrate(found: Sequence[Outcome]) -> EditCalibration:
    """The curve for all that was written, and the probability from which what is shown has `SHOWN_PRECISION`."""
    steps, written = _all_written(found)
    weights = tuple(float(weight) for weight in fit(steps, written)) if written else UNFITTED.weights
    return EditCalibration(weights, least_probability(*_offers(found), SHOWN_PRECISION), len(found))


def least_probability(
    steps: Sequence[ReleaseStep], predictions: Sequence[Prediction], probability: Sequence[float], precision: float
) -> float:
    """The lowest probability from which what is shown has this precision; 1 if there is none."""
    ranked = sorted(
        (
            (p, is_right(step, prediction.proposal))
            for p, step, prediction in zip(probability, steps, predictions, strict=True)
            if prediction.proposal is not None
        ),
        reverse=True,
    )
    least, right = 1.0, 0
    for count, (p, good) in enumerate(ranked, 1):
        right += good
        least = p if right >= precision * count else least
    return least


def as_json(found: Sequence[Outcome]) -> Figures:
    """All figures: shares from 0 to 1, times in milliseconds."""
    steps, predictions, probability = _offers(found)
    due = [each for each in found if each.step.kind is not Novelty.END]
    text = text_given_place(steps, predictions)
    counts = {kind: sum(each.step.kind is kind for each in found) for kind in Novelty}
    all_text = sum(text[kind] * counts[kind] for kind in text) / len(due) if due else 0.0
    return {
        "steps": len(found),
        "kinds": {kind.value: count for kind, count in counts.items()},
        "text_given_place": _rounded({"all": all_text, **{kind.value: share for kind, share in text.items()}}),
        "place": {str(rank): _rounded(place(steps, predictions, rank)) for rank in RANKS},
        "by_probability": {str(p): _of(row) for p, row in shown(steps, predictions, probability).items()},
        "by_precision": {
            str(least): {**_of(row), "from": round(least_probability(steps, predictions, probability, least), 4)}
            for least, row in at_precision(steps, predictions, probability).items()
        },
        "written": {
            "any": _share(sum(bool(each.written) for each in due), len(due)),
            "some_right": _share(sum(any(is_right(each.step, one) for one in each.written) for each in due), len(due)),
        },
        "cost": {
            "anew": _cost([each.anew for each in due]),
            "chain": _cost([each.chain for each in found if each.chain is not None]),
        },
    }


def _all_written(found: Sequence[Outcome]) -> tuple[list[ReleaseStep], list[Prediction]]:
    """All that was written at each step, one by one."""
    each = [(outcome.step, Prediction(proposal=one)) for outcome in found for one in outcome.written]
    return [step for step, _ in each], [prediction for _, prediction in each]


def _offers(found: Sequence[Outcome]) -> tuple[list[ReleaseStep], list[Prediction], list[float]]:
    """The likeliest of what was written at each step, and its probability, by the curve that is fitted on the other
    half of the projects."""
    ranked = iter(probabilities(*_all_written(found)))
    predictions, probability = [], []
    for outcome in found:
        best = max(((next(ranked), one) for one in outcome.written), key=lambda each: each[0], default=(0.0, None))
        probability.append(best[0])
        predictions.append(replace(outcome.prediction, proposal=best[1]))
    return [each.step for each in found], predictions, probability


def tables(figures: Figures) -> list[Table]:
    """The figures of `as_json` for a terminal, in percent."""
    text = Table(title=f"text where the place is given ({figures['steps']} steps between releases)")
    given: dict[str, float] = figures["text_given_place"]  # type: ignore[assignment]
    counts: dict[str, int] = figures["kinds"]  # type: ignore[assignment]
    for name in given:
        text.add_column(f"{name} ({counts.get(name, figures['steps'])})", justify="right")
    text.add_row(*map(_percent, given.values()))
    places = Table(title="a place within two lines of an edit that remains (any), or of the next one")
    found: dict[str, dict[str, float]] = figures["place"]  # type: ignore[assignment]
    for name in ("", *next(iter(found.values()))):
        places.add_column(name, justify="right")
    for rank, row in found.items():
        places.add_row(f"@{rank}", *map(_percent, row.values()))
    offers = Table(title="place and text, by precision (by the curve of the other half of the projects)")
    for name in ("precision", "from", "shown", "right", "of echoes", "at ends"):
        offers.add_column(name, justify="right")
    by_precision: dict[str, dict[str, float | None]] = figures["by_precision"]  # type: ignore[assignment]
    for least, cells in by_precision.items():
        shares = [_percent(cells.get(name)) for name in ("shown", "right", "echoes", "at_ends")]
        offers.add_row(f"{float(least):.0%}", f"{cells['from']:.2f}", *shares)
    cost = Table(title="cost of an answer: medians, and what nine in ten are below")
    keys = ("ms", "ms_p90", "prefill", "passes", "passes_p90", "decoded")
    for name in ("", "answers", *keys):
        cost.add_column(name, justify="right")
    costs: dict[str, dict[str, float | None]] = figures["cost"]  # type: ignore[assignment]
    for name, numbers in costs.items():
        cost.add_row(name, str(numbers["answers"]), *(str(numbers.get(key, "-")) for key in keys))
    return [text, places, offers, cost]


def _of(row: ShownShares | None) -> dict[str, float]:
    return {} if row is None else _rounded(asdict(row))


def _cost(costs: Sequence[Passes]) -> dict[str, float]:
    if not costs:
        return {"answers": 0}

    def tenth(numbers: Iterable[float]) -> float:
        ordered = sorted(numbers)
        return ordered[min(int(len(ordered) * 0.9), len(ordered) - 1)]

    return {
        "answers": len(costs),
        "ms": round(statistics.median(each.seconds for each in costs) * 1e3, 1),
        "ms_p90": round(tenth(each.seconds for each in costs) * 1e3, 1),
        "prefill": statistics.median(each.prefill for each in costs),
        "passes": statistics.median(each.passes for each in costs),
        "passes_p90": tenth(each.passes for each in costs),
        "decoded": statistics.median(each.decoded for each in costs),
    }


def _rounded(shares: dict[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
