"""Figures of an edit model on release steps: text where the place is given, places, precision, and cost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from rich.table import Table

from tabspec.lab.evaluation.next_edit.releases.asked import PLACES, Outcome, Passes
from tabspec.lab.evaluation.next_edit.releases.kinds import Kind
from tabspec.models.local.edits.calibration import EditCalibration, fitted

# Of what is shown, so much has to be right.
PRECISIONS = (0.5, 0.6, 0.7, 0.8)
# What is shown by default: at least so much of it is right (docs/design/edits.md).
SHOWN_PRECISION = 0.6

Figures = dict[str, object]


def halves(found: Iterable[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of every other project, and those of the rest."""
    found = list(found)
    projects = sorted({each.project for each in found})
    return tuple([each for each in found if each.project in projects[start::2]] for start in (0, 1))  # type: ignore[return-value]


def fit(found: Sequence[Outcome]) -> EditCalibration:
    """The curve for these outcomes, with the threshold for `SHOWN_PRECISION`."""
    shown = [each for outcome in found for each in outcome.shown]
    curve = fitted([evidence for evidence, _ in shown], [right for _, right in shown], len(found))
    offers = _offers(found, curve)
    return EditCalibration(curve.weights, threshold(offers, SHOWN_PRECISION), curve.steps)


def cross_fitted(found: Sequence[Outcome]) -> list[tuple[float, bool, Outcome]]:
    """What is offered at each step, and its probability by the curve that was fitted on the other projects."""
    a, b = halves(found)
    return [*_offers(a, fit(b)), *_offers(b, fit(a))] if a and b else []


def threshold(offers: Sequence[tuple[float, bool, Outcome]], precision: float) -> float:
    """The least probability so that the offers of at least that probability have this precision; above 1 if none."""
    ranked = sorted(offers, key=lambda each: -each[0])
    right = list(accumulate(is_right for _, is_right, _ in ranked))
    enough = [at for at in range(len(ranked)) if right[at] >= precision * (at + 1)]
    return ranked[enough[-1]][0] if enough else 1.01


def as_json(found: Sequence[Outcome]) -> Figures:
    """All figures; shares from 0 to 1, times in milliseconds."""
    kinds = [None, *(kind for kind in Kind if kind is not Kind.END)]
    return {
        "steps": len(found),
        "by_kind": {kind or "all": _of_kind(found, kind) for kind in kinds},
        "by_precision": {str(least): _shown(found, least) for least in PRECISIONS},
        "written": _written(found),
        "cost": {
            "anew": _cost([each.anew for each in found if each.kind is not Kind.END]),
            "chain": _cost([each.chain for each in found if each.chain is not None]),
        },
    }


def tables(found: Sequence[Outcome]) -> list[Table]:
    """The figures for a terminal, in percent."""
    figures = as_json(found)
    places = Table(title=f"next edits of {len(found)} release steps: text with the place given, and places")
    for name in (
        "kind",
        "steps",
        "text",
        "stays",
        *(f"@{k}" for k in (1, 3, PLACES)),
        *(f"next @{k}" for k in (1, 3, PLACES)),
    ):
        places.add_column(name, justify="right")
    for kind, row in figures["by_kind"].items():  # type: ignore[attr-defined]
        numbers = [_percent(row[name]) for name in ("text", "stays")]
        numbers += [_percent(row[group][str(k)]) for group in ("place", "next_place") for k in (1, 3, PLACES)]
        places.add_row(kind, str(row["steps"]), *numbers)
    shown = Table(title="place and text, by precision (fitted on the other projects)")
    for name in ("at least", "threshold", "shown", "right", "of echoes"):
        shown.add_column(name, justify="right")
    for least, row in figures["by_precision"].items():  # type: ignore[attr-defined]
        shares = [_percent(row[name]) for name in ("shown", "right", "of_echoes")]
        shown.add_row(f"{float(least):.0%}", f"{row['threshold']:.2f}", *shares)
    cost = Table(title="cost of an answer (medians, and nine in ten below)")
    for name in ("", "answers", "ms", "p90", "prompt tokens", "passes", "p90", "tokens"):
        cost.add_column(name, justify="right")
    for name, row in figures["cost"].items():  # type: ignore[attr-defined]
        keys = ("ms", "ms_p90", "prefill", "passes", "passes_p90", "decoded")
        cost.add_row(name, str(row["answers"]), *(str(row[key]) for key in keys))
    return [places, shown, cost]


def _offers(found: Iterable[Outcome], curve: EditCalibration) -> list[tuple[float, bool, Outcome]]:
    """The first thing that is written at each step, as the model offers it."""
    return [(curve.probability(each.shown[0][0]), each.shown[0][1], each) for each in found if each.shown]


def _of_kind(found: Sequence[Outcome], kind: Kind | None) -> Figures:
    due = [each for each in found if each.kind is not Kind.END and kind in (None, each.kind)]

    def place(which: int, most: int) -> float | None:
        return _share(due, lambda each: any(hit[which] for hit in each.found[:most]))

    return {
        "steps": len(due),
        "text": _share(due, lambda each: bool(each.given)),
        "stays": _share(due, lambda each: each.same),
        "place": {str(k): place(0, k) for k in (1, 3, PLACES)},
        "next_place": {str(k): place(1, k) for k in (1, 3, PLACES)},
    }


def _shown(found: Sequence[Outcome], precision: float) -> Figures:
    offers = cross_fitted(found)
    least = threshold(offers, precision)
    shown = [each for each in offers if each[0] >= least]
    due = sum(each.kind is not Kind.END for each in found)
    echoes = sum(each.kind is Kind.ECHO for each in found)
    right = [outcome for _, is_right, outcome in shown if is_right]
    return {
        "threshold": round(least, 4),
        "shown": round(len(shown) / due, 4) if due else None,
        "precision": round(len(right) / len(shown), 4) if shown else None,
        "right": round(len(right) / due, 4) if due else None,
        "of_echoes": round(sum(each.kind is Kind.ECHO for each in right) / echoes, 4) if echoes else None,
    }


def _written(found: Sequence[Outcome]) -> Figures:
    """How often anything is written, and how often one of it is right."""
    due = [each for each in found if each.kind is not Kind.END]
    return {
        "any": _share(due, lambda each: bool(each.shown)),
        "first_right": _share(due, lambda each: any(right for _, right in each.shown[:1])),
        "some_right": _share(due, lambda each: any(right for _, right in each.shown)),
        "at_end": _share([each for each in found if each.kind is Kind.END], lambda each: bool(each.shown)),
    }


def _cost(costs: Sequence[Passes]) -> Figures:
    if not costs:
        return {name: None for name in ("ms", "ms_p90", "prefill", "passes", "passes_p90", "decoded")} | {"answers": 0}

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


def _share(found: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> float | None:
    return round(sum(map(holds, found)) / len(found), 4) if found else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
