"""The chart of gain against cost: a point for each policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tabspec.replay.report import words
from tabspec.replay.report.drawing.svg import chart, share, tag
from tabspec.replay.results.figures import ratio


def steps(top: float) -> list[float]:
    """Round numbers from 0 to the first that is at least ``top``, in steps of 1, 2 or 5 times a power of ten."""
    top = max(top, 1e-6)
    rough = top / 4  # about four steps
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough * (1 - 1e-9))
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Point:
    """A policy: its cost (unused tokens for each accepted character) and its rate of instant next suggestions.

    A line joins the points of one ``curve``.
    """

    name: str
    cost: float
    rate: float
    curve: str = ""


GROUND, CEILING = 206.0, 26.0  # px: heights of the rates 0 and 1


def trade(points: Sequence[Point]) -> Markup:
    """Policies as points: up and left is better. Points that overlap share a label."""
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
        # A label is about a quarter of a narrow chart wide, and 16 px high. Overlapping ones go below the point.
        below = any(abs(x - other) < 0.25 and abs(y - 12 - height) < 16 for other, height in placed)
        placed.append((x, y + 21 if below else y - 12))
        anchor = "start" if x < 0.1 else "end" if x > 0.9 else "middle"
        place = dict(x=_inside(x), dx=-6 if x < 0.1 else 0, y=placed[-1][1], text_anchor=anchor)
        marks.append(tag("text", name, class_="dot-name", **place))
    title = "Next suggestions at once against unused tokens for each accepted character, one point a policy"
    return chart("trade", 232, title, *marks)


def _labels(points: Sequence[Point], end: float) -> list[tuple[str, Point]]:
    """The labels from left to right. Points within 3 % of the width and 5 px share one. Only the first point of a curve
    has the whole name."""
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
    """A place to the right of the labels of the vertical axis."""
    return share(0.12 + 0.86 * min(max(fraction, 0.0), 1.0))
