"""Percentiles of foreground waits when some requests were cancelled before their answer.

A user who types on cancels the request. On an overloaded service nearly all requests are cancelled, and the few answers
are the quick ones, so percentiles of the answers alone look too good. A cancelled request shows that its answer would
have taken longer. The product-limit estimate (Kaplan and Meier, 1958) uses both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from tabspec.replay.results.shared import Waits


def percentiles(waits: Iterable[tuple[float, bool]]) -> Waits:
    """Percentiles of waits, each (seconds, whether it ended with an answer rather than a cancellation)."""
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
    """The first time in seconds by which ``percent`` % are answered; None if that share is never reached."""
    # A share is a product of fractions, so its last digits are rounding errors.
    return next((seconds for seconds, share in curve if share >= percent / 100 - 1e-12), None)
