"""Charts as inline SVG: pure functions from numbers to markup.

Horizontal places are percentages, so that a chart takes the width there is while its text keeps its size; colours
are classes of page.css, which knows light, dark and paper. Every mark has a `<title>`, and the page has all numbers
in tables as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tabspec.replay.report import words
from tabspec.replay.report.drawing.svg import share, short, tag
from tabspec.replay.results.figures import percentile, ratio
from tabspec.replay.results.result import CacheSample

BAR = 18  # px
BINS_PER_DECADE = 8
FLOOR_MS = 0.1  # everything faster is in the first bin: nobody can tell
AREA_POINTS = 240  # about what a line of 1000 px can show


@dataclass(frozen=True, slots=True)
class BarPart:
    """A piece of a stacked bar."""

    style: str  # class of page.css
    value: float
    label: str


def bar(fraction: float, style: str, title: str) -> Markup:
    """One bar on its track."""
    return tag(
        "svg",
        tag("title", title),
        tag("rect", class_="track", width="100%", height=BAR, rx=3),
        tag("rect", class_=style, width=share(fraction), height=BAR, rx=3) if fraction > 0 else None,
        class_="bar",
        width="100%",
        height=BAR,
        role="img",
    )


def stacked(parts: Sequence[BarPart], whole: float, title: str) -> Markup:
    """Pieces end to end; ``whole`` is the value of the full width."""
    marks, at = [], 0.0
    for part in parts:
        if part.value > 0:
            start, width = ratio(at, whole), ratio(part.value, whole)
            marks.append(
                tag(
                    "rect",
                    tag("title", part.label),
                    class_=f"piece {part.style}",
                    x=share(start),
                    width=share(width),
                    height=BAR + 6,
                )
            )
            at += part.value
    return tag("svg", tag("title", title), *marks, class_="bar", width="100%", height=BAR + 6, role="img")


# --- waiting times ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogScale:
    """Milliseconds on a logarithmic axis from `FLOOR_MS` to ``10 ** decades`` times that."""

    decades: int

    @classmethod
    def over(cls, values: Iterable[float]) -> LogScale:
        """Whole decades up to the largest value, at least to one second."""
        top = max(values, default=0.0)
        return cls(max(math.ceil(math.log10(max(top, FLOOR_MS) / FLOOR_MS) - 1e-9), 4))

    def at(self, ms: float) -> float:
        """Place from 0 to 1."""
        return min(max(math.log10(max(ms, FLOOR_MS) / FLOOR_MS) / self.decades, 0.0), 1.0)

    def bins(self, values: Iterable[float]) -> list[int]:
        """How many values lie in each bin."""
        found = [0] * (self.decades * BINS_PER_DECADE)
        for value in values:
            found[min(int(self.at(value) * len(found)), len(found) - 1)] += 1
        return found

    def bounds(self, index: int) -> tuple[float, float]:
        return tuple(FLOOR_MS * 10 ** (i / BINS_PER_DECADE) for i in (index, index + 1))  # type: ignore[return-value]

    def ticks(self) -> list[tuple[float, str]]:
        return [(i / self.decades, _decade(i - 1)) for i in range(self.decades + 1)]


def _decade(exponent: int) -> str:
    """``10 ** exponent`` milliseconds, without needless digits."""
    if exponent < 0:
        return f"≤ {FLOOR_MS:g}"
    return f"{10**exponent}\u202fms" if exponent < 3 else f"{words.count(10 ** (exponent - 3))}\u202fs"


UP, DOWN = 58, 38  # px: what follows a Tab is the subject, the rest is there to compare


def waits(after_tab: Sequence[float], others: Sequence[float], scale: LogScale) -> Markup:
    """Two histograms on one axis: waiting times after a Tab rise from it, those of all other requests hang from it.

    Heights are shares of their own group, the tallest bin has the full height; a bin with anything in it is seen.
    """
    marks = [tag("line", class_="grid", x1=share(x), x2=share(x), y1=0, y2=UP + DOWN) for x, _ in scale.ticks()[1:-1]]
    for values, style, height, noun in (
        (after_tab, "after-tab", UP - 14, "after a Tab"),
        (others, "other", DOWN - 8, "of all others"),
    ):
        bins = scale.bins(values)
        tallest = max(bins, default=0)
        for index, number in enumerate(bins):
            if not number:
                continue
            tall = max(number / tallest * height, 1.5)
            low, high = map(words.milliseconds, scale.bounds(index))
            wait = f"under {high}" if index == 0 else f"{low} to {high}"
            title = f"{wait}: {number} of {len(values)} {noun} ({words.percent(number / len(values))})"
            marks.append(
                tag(
                    "rect",
                    tag("title", title),
                    class_=style,
                    x=share(index / len(bins) + 0.001),
                    width=share(1 / len(bins) - 0.002),
                    y=UP - tall if style == "after-tab" else UP + 1.0,
                    height=tall,
                )
            )
    marks.append(tag("line", class_="axis", x1="0", x2="100%", y1=UP + 0.5, y2=UP + 0.5))
    ordered = sorted(after_tab)
    if ordered:
        middle = percentile(ordered, 50)
        marks.append(_flag(scale.at(middle), f"median {words.milliseconds(middle)}"))
    title = (
        f"Waiting times: {len(after_tab)} requests after a Tab above the line, {len(others)} others below it"
        if after_tab or others
        else "No requests"
    )
    return tag("svg", tag("title", title), *marks, class_="waits", width="100%", height=UP + DOWN, role="img")


def _flag(place: float, text: str) -> Markup:
    """A line with a word at its top, on the side where there is room."""
    left = place > 0.6
    return tag("line", class_="flag", x1=share(place), x2=share(place), y1=2, y2=UP) + tag(
        "text",
        text,
        class_="flag-text",
        x=share(place),
        dx=-5 if left else 5,
        y=10,
        text_anchor="end" if left else "start",
    )


def wait_axis(scale: LogScale) -> Markup:
    """The axis below a column of `waits`."""
    ticks = scale.ticks()
    marks = [
        tag("text", text, x=share(x), y=12, text_anchor=_anchor(i, len(ticks))) for i, (x, text) in enumerate(ticks)
    ]
    return tag("svg", *marks, class_="ticks", width="100%", height=16, aria_hidden="true")


def _anchor(index: int, number: int) -> str:
    return "start" if index == 0 else "end" if index == number - 1 else "middle"


# --- the completion cache over time -------------------------------------------------------------------------------


def thinned(samples: Sequence[CacheSample], points: int = AREA_POINTS) -> list[CacheSample]:
    """At most about ``points`` samples; of each stretch the one with most bytes, so that no peak is lost."""
    if len(samples) <= points:
        return list(samples)
    stretch = math.ceil(len(samples) / points)
    kept = [max(samples[i : i + stretch], key=lambda s: s.bytes) for i in range(0, len(samples), stretch)]
    return [*kept, samples[-1]] if kept[-1] is not samples[-1] else kept


def memory(samples: Sequence[CacheSample], end: float, top: int) -> Markup:
    """Bytes over the session's time, as steps; ``end`` and ``top`` are the full width and height."""
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


# --- what it costs ------------------------------------------------------------------------------------------------


def steps(top: float) -> list[float]:
    """Round numbers from 0 to the first that is not less than ``top``: 1, 2 or 5 times a power of ten apart."""
    top = max(top, 1e-6)
    rough = top / 4  # about four steps
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough * (1 - 1e-9))
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Point:
    """A policy in the picture of cost (unused tokens for each accepted character) and gain (next
    suggestions that were there at once).

    Points of one ``curve`` are joined by a line.
    """

    name: str
    cost: float
    rate: float
    curve: str = ""


GROUND, CEILING = 206.0, 26.0  # px: where rates of 0 and 1 stand


def trade(points: Sequence[Point]) -> Markup:
    """Policies as points: up and left is better. Points that cannot be told apart share their label."""
    scale = steps(max(point.cost for point in points))
    marks = []
    for level in (0, 0.25, 0.5, 0.75, 1.0):
        y = _height(level)
        marks.append(tag("line", class_="grid", x1="10%", x2="100%", y1=y, y2=y))
        marks.append(tag("text", words.percent(level), x="0", y=y + 4))
    for value in scale:
        x = ratio(value, scale[-1])
        marks.append(tag("text", f"{value:g}", x=_inside(x), y=GROUND + 20, text_anchor="middle" if x < 1 else "end"))
    placed: list[tuple[float, float]] = []
    curved = sorted((point for point in points if point.curve), key=lambda point: (point.curve, point.cost))
    for one, two in pairwise(curved):
        if one.curve == two.curve:
            ends = [(_inside(ratio(point.cost, scale[-1])), _height(point.rate)) for point in (one, two)]
            (x1, y1), (x2, y2) = ends
            marks.append(tag("line", class_="curve", x1=x1, y1=y1, x2=x2, y2=y2))
    for point in points:
        x, y = ratio(point.cost, scale[-1]), _height(point.rate)
        title = f"{point.name}: {words.percent(point.rate)} at once, {point.cost:.2f} unused tokens a character"
        marks.append(tag("circle", tag("title", title), class_="policy-dot", cx=_inside(x), cy=y, r=6))
    for name, point in _labels(points, scale[-1]):
        x, y = ratio(point.cost, scale[-1]), _height(point.rate)
        # A word takes about a quarter of a narrow picture's width, and 16 px: neighbours change sides of their dots.
        below = any(abs(x - other) < 0.25 and abs(y - 12 - height) < 16 for other, height in placed)
        placed.append((x, y + 21 if below else y - 12))
        anchor = "start" if x < 0.1 else "end" if x > 0.9 else "middle"
        marks.append(
            tag(
                "text",
                name,
                class_="dot-name",
                x=_inside(x),
                dx=-6 if x < 0.1 else 0,
                y=placed[-1][1],
                text_anchor=anchor,
            )
        )
    title = "Next suggestions at once against unused tokens for each accepted character, one point a policy"
    return tag("svg", tag("title", title), *marks, class_="trade", width="100%", height=232, role="img")


def _labels(points: Sequence[Point], end: float) -> list[tuple[str, Point]]:
    """Names to be drawn, from left to right; points within 3 % of the width and 5 px share theirs. Of a curve only the
    first point has the whole name."""
    near: dict[tuple[int, int], list[tuple[str, Point]]] = {}
    begun: set[str] = set()
    for point in sorted(points, key=lambda point: point.cost):
        name = point.name.removeprefix(f"{point.curve} ") if point.curve in begun else point.name
        begun |= {point.curve} - {""}
        place = round(ratio(point.cost, end) * 33), round(point.rate * 36)
        near.setdefault(place, []).append((name, point))
    return [(", ".join(name for name, _ in same), same[0][1]) for same in near.values()]


def _height(rate: float) -> float:
    return GROUND - min(max(rate, 0.0), 1.0) * (GROUND - CEILING)


def _inside(fraction: float) -> str:
    """A place right of the vertical axis' labels."""
    return share(0.12 + 0.86 * min(max(fraction, 0.0), 1.0))
