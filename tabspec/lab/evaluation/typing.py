"""Keystrokes that a simulated user saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Typed:
    """The result for one stretch: characters typed by key, characters accepted by Tab, Tabs, and suggestions shown."""

    by_key: int
    by_tab: int
    tabs: int
    shown: int


@dataclass(frozen=True, slots=True)
class Keystrokes:
    """The result for several stretches.

    ``saved``: share of the characters that were accepted by Tab. ``error``: its standard error, from the variation
    between stretches, because characters of one stretch are not independent.
    """

    stretches: int
    characters: int
    saved: float
    error: float
    tabs: int
    shown: int


def together(found: Sequence[Typed]) -> Keystrokes:
    """Add up the results. The standard error is the linearised one of a ratio of sums."""
    characters = sum(t.by_key + t.by_tab for t in found)
    saved = sum(t.by_tab for t in found) / characters if characters else 0.0
    count = len(found)
    residuals = sum((t.by_tab - saved * (t.by_key + t.by_tab)) ** 2 for t in found)
    error = (residuals * count / (count - 1)) ** 0.5 / characters if count > 1 and characters else float("nan")
    return Keystrokes(count, characters, saved, error, sum(t.tabs for t in found), sum(t.shown for t in found))
