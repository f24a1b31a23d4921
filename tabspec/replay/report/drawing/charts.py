"""Bar charts and the chart of the completion cache's size, as inline SVG: pure functions from numbers to markup.

Horizontal places are percentages, so that a chart is as wide as the page while its text keeps its size. Colours are
classes of page.css, for light, dark and paper. Every mark has a `<title>`, and the page has all numbers in tables, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tabspec.replay.report import words
from tabspec.replay.report.drawing.svg import chart, share, short, tag
from tabspec.replay.results.figures import ratio
from tabspec.replay.results.result import CacheSample

BAR = 18  # px
AREA_POINTS = 240  # about as many as a line of 1000 px can show


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


def thinned(samples: Sequence[CacheSample], points: int = AREA_POINTS) -> list[CacheSample]:
    """About ``points`` samples at most. Of each stretch it keeps the one with most bytes, so that peaks remain."""
    if len(samples) <= points:
        return list(samples)
    stretch = math.ceil(len(samples) / points)
    kept = [max(samples[i : i + stretch], key=lambda s: s.bytes) for i in range(0, len(samples), stretch)]
    return [*kept, samples[-1]] if kept[-1] is not samples[-1] else kept


def memory(samples: Sequence[CacheSample], end: float, top: int) -> Markup:
    """Bytes over the session's time, as steps. ``end`` (seconds) and ``top`` (bytes) are the full width and height."""
    height = 56
    points, path, at = thinned(samples), "", 0.0
    for sample in points:
        x = ratio(sample.t, end) * 1000
        at = ratio(sample.bytes, top) * (height - 4)
        path += f"H{short(x)}V{short(height - at)}"
    title = f"At most {words.size(max((s.bytes for s in samples), default=0))} over {words.span(end)}"
    return tag(
        "svg",
        tag("title", title),
        tag("path", class_="area", d=f"M0 {height}{path}H1000V{height}Z") if points else None,
        tag("line", class_="axis", x1=0, x2=1000, y1=height, y2=height, vector_effect="non-scaling-stroke"),
        class_="memory",
        viewBox=f"0 0 1000 {height}",
        preserveAspectRatio="none",
        width="100%",
        height=height,
        role="img",
    )
