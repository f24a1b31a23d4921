"""Rates, percentiles and latencies of a replay."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles (nearest rank), mean and maximum in milliseconds. All are 0 if nothing was measured."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    mean: float = 0.0
    max: float = 0.0


def ratio(part: float, whole: float) -> float:
    """``part / whole``; 0 if ``whole`` is 0."""
    return part / whole if whole else 0.0


def keystrokes_saved(typed_chars: int, accepted_chars: int) -> float:
    """Fraction of the inserted characters that came by Tab."""
    return ratio(accepted_chars, typed_chars + accepted_chars)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value such that at least ``percent`` % of all values are no greater.

    The result is always a measured value. ``ordered`` is ascending; the percentile of no values is 0.0.
    """
    if not ordered:
        return 0.0
    # Rounded first: 0.07 * 100 is 7.000000000000001, whose ceiling would be one rank too high.
    return ordered[max(math.ceil(round(len(ordered) * percent / 100, 9)), 1) - 1]


def latency(milliseconds: Iterable[float]) -> Latency:
    """Summary of latencies; zeros if there are none."""
    ordered = sorted(milliseconds)
    if not ordered:
        return Latency()
    p50, p90, p99 = (percentile(ordered, percent) for percent in (50, 90, 99))
    # Rounding may put the mean of equal values above their maximum.
    mean = min(math.fsum(ordered) / len(ordered), ordered[-1])
    return Latency(p50, p90, p99, mean, ordered[-1])
