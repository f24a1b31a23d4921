"""How long the foreground waited, where not everybody waited to the end.

Who types on closes the request. On a service that is overloaded nearly all are closed before they are answered, and the
few answers that came were quick: percentiles of these alone would praise it. A request that was closed says that its
answer would have taken longer, which is what the product-limit estimate (Kaplan and Meier, 1958) is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Waits:
    """Percentiles in milliseconds; None: so many were never answered that it cannot be told."""

    p50: float | None = 0.0
    p90: float | None = 0.0
    p99: float | None = 0.0


def percentiles(waits: Iterable[tuple[float, bool]]) -> Waits:
    """Of (seconds, answered): whether it was answered then, or closed."""
    waits = list(waits)
    if not waits:
        return Waits()
    curve = answered_by(waits)
    return Waits(*(None if (at := reached(curve, percent)) is None else at * 1000 for percent in (50, 90, 99)))


def answered_by(waits: Iterable[tuple[float, bool]]) -> list[tuple[float, float]]:
    """The estimated share of requests that are answered within a time: (seconds, share), both ascending."""
    ordered = sorted(waits)
    curve: list[tuple[float, float]] = []
    left, unanswered = len(ordered), 1.0
    for seconds, group in groupby(ordered, key=lambda wait: wait[0]):
        here = [answered for _, answered in group]
        if any(here):
            unanswered *= 1 - sum(here) / left
            curve.append((seconds, 1 - unanswered))
        left -= len(here)
    return curve


def reached(curve: Sequence[tuple[float, float]], percent: float) -> float | None:
    """The first time by which ``percent`` % are answered; None if that is never."""
    # a share is a product of fractions: its last digits are noise
    return next((seconds for seconds, share in curve if share >= percent / 100 - 1e-12), None)
