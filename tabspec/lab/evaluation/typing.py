"""Keystrokes that a simulated user saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Typed:
    """One stretch, typed by a user who presses Tab: characters by key and by Tab, Tabs, suggestions seen."""

    by_key: int
    by_tab: int
    tabs: int
    shown: int


@dataclass(frozen=True, slots=True)
class Keystrokes:
    """Several stretches together. ``saved``: share of the characters that came by Tab; ``error``: its standard error,
    by the spread between stretches (those of one file are alike, so characters do not count as independent)."""

    stretches: int
    characters: int
    saved: float
    error: float
    tabs: int
    shown: int


def together(found: Sequence[Typed]) -> Keystrokes:
    """The sums. Of a ratio of sums, the error is that of the residuals (linearised)."""
    characters = sum(t.by_key + t.by_tab for t in found)
    saved = sum(t.by_tab for t in found) / characters if characters else 0.0
    count = len(found)
    residuals = sum((t.by_tab - saved * (t.by_key + t.by_tab)) ** 2 for t in found)
    error = (residuals * count / (count - 1)) ** 0.5 / characters if count > 1 and characters else float("nan")
    return Keystrokes(count, characters, saved, error, sum(t.tabs for t in found), sum(t.shown for t in found))
