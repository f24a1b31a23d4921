"""The chart of waiting times: two histograms on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tabspec.replay.report import words
from tabspec.replay.report.drawing.svg import chart, share, tag
from tabspec.replay.results.figures import percentile

BINS_PER_DECADE = 8
FLOOR_MS = 0.1  # the first bin has everything faster, which no user can notice


@dataclass(frozen=True, slots=True)
class LogScale:
    """Milliseconds on a logarithmic axis from `FLOOR_MS` to ``10 ** decades`` times that."""

    decades: int

    @classmethod
    def over(cls, values: Iterable[float]) -> LogScale:
        """A scale of whole decades up to the largest value, at least to one second."""
        top = max(values, default=0.0)
        return cls(max(math.ceil(math.log10(max(top, FLOOR_MS) / FLOOR_MS) - 1e-9), 4))

    def at(self, ms: float) -> float:
        """The place of a value, from 0 to 1."""
        return min(max(math.log10(max(ms, FLOOR_MS) / FLOOR_MS) / self.decades, 0.0), 1.0)

    def bins(self, values: Iterable[float]) -> list[int]:
        """The number of values in each bin."""
        found = [0] * (self.decades * BINS_PER_DECADE)
        for value in values:
            found[min(int(self.at(value) * len(found)), len(found) - 1)] += 1
        return found

    def bounds(self, index: int) -> tuple[float, float]:
        return tuple(FLOOR_MS * 10 ** (i / BINS_PER_DECADE) for i in (index, index + 1))  # type: ignore[return-value]

    def ticks(self) -> list[tuple[float, str]]:
        return [(i / self.decades, _decade(i - 1)) for i in range(self.decades + 1)]


def _decade(exponent: int) -> str:
    """``10 ** exponent`` milliseconds in words."""
    if exponent < 0:
        return f"≤ {FLOOR_MS:g}"
    return f"{10**exponent}\u202fms" if exponent < 3 else f"{words.count(10 ** (exponent - 3))}\u202fs"


UP, DOWN = 58, 38  # px above and below the axis: waits after a Tab, and all others


def waits(after_tab: Sequence[float], others: Sequence[float], scale: LogScale) -> Markup:
    """Two histograms on one axis: waiting times after a Tab above it, those of all other requests below it.

    Heights are shares of the group; its tallest bin has the full height. A bin with any value is visible.
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
            x, width = share(index / len(bins) + 0.001), share(1 / len(bins) - 0.002)
            y = UP - tall if style == "after-tab" else UP + 1.0
            marks.append(tag("rect", tag("title", title), class_=style, x=x, width=width, y=y, height=tall))
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
    return chart("waits", UP + DOWN, title, *marks)


def _flag(place: float, text: str) -> Markup:
    """A line with a text at its top, on the side with more room."""
    dx, anchor = (-5, "end") if place > 0.6 else (5, "start")
    line = tag("line", class_="flag", x1=share(place), x2=share(place), y1=2, y2=UP)
    return line + tag("text", text, class_="flag-text", x=share(place), dx=dx, y=10, text_anchor=anchor)


def wait_axis(scale: LogScale) -> Markup:
    """The axis below a column of `waits`."""
    ticks = scale.ticks()
    marks = [
        tag("text", text, x=share(x), y=12, text_anchor=_anchor(i, len(ticks))) for i, (x, text) in enumerate(ticks)
    ]
    return tag("svg", *marks, class_="ticks", width="100%", height=16, aria_hidden="true")


def _anchor(index: int, number: int) -> str:
    return "start" if index == 0 else "end" if index == number - 1 else "middle"
