"""Bar charts as inline SVG: pure functions from numbers to markup.

Horizontal places are percentages, so that a chart is as wide as the page while its text keeps its size. Colours are
classes of page.css, for light, dark and paper. Every mark has a `<title>`, and the page has all numbers in tables, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tabspec.replay.report import words
from tabspec.replay.report.drawing.svg import chart, share, tag
from tabspec.replay.results.figures import ratio

BAR = 18  # px


@dataclass(frozen=True, slots=True)
class BarRow:
    """A row of a bar chart: a name, a chart, and the value that the chart shows."""

    name: str
    chart: Markup
    value: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a stacked bar. A part of 0 is not drawn."""

    style: str  # class of page.css
    name: str
    number: int
    detail: str = ""

    @property
    def label(self) -> str:
        return f"{self.name}: {words.count(self.number)}{self.detail}"


def bar(fraction: float, style: str, title: str) -> Markup:
    """One bar on its track."""
    track = tag("rect", class_="track", width="100%", height=BAR, rx=3)
    filled = tag("rect", class_=style, width=share(fraction), height=BAR, rx=3) if fraction > 0 else None
    return chart("bar", BAR, title, track, filled)


def stacked(parts: Sequence[BarPart], whole: float, title: str) -> Markup:
    """Parts end to end. ``whole`` is the number of the full width."""
    marks, at = [], 0
    for part in parts:
        if part.number > 0:
            start, width = ratio(at, whole), ratio(part.number, whole)
            label = tag("title", part.label)
            place = dict(x=share(start), width=share(width), height=BAR + 6)
            marks.append(tag("rect", label, class_=f"piece {part.style}", **place))
            at += part.number
    return chart("bar", BAR + 6, title, *marks)
