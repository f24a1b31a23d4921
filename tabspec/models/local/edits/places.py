"""Where an edit is expected: the probabilities of the scan's tags, and the windows to ask about. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tabspec.models.local.edits.scene import Scene
from tabspec.prompt.edit_format import window_of

# A line next to the best one is a part of its run if it changes more likely than that.
RUN = 0.4
# Lines of a run: as many as an edit of the training data.
MOST_LINES = 12


class LineTag(NamedTuple):
    """How likely a line changes, and how likely lines are inserted after it."""

    changes: float
    inserts: float


class Place(NamedTuple):
    """A window: lines ``start`` to ``stop`` (excluded) of a scene's lines. ``probability``: how likely something is
    edited there, by the tag of its likeliest ``line``."""

    start: int
    stop: int
    probability: float
    line: int


def best_places(scene: Scene, tags: Mapping[int, LineTag], most: int) -> list[Place]:
    """The likeliest places that do not overlap, the best first. ``tags`` are those of the scanned lines with text."""
    left = _current(scene, tags)
    places: list[Place] = []
    while left and len(places) < most:
        line = max(left, key=lambda number: (sum(left[number]), -number))
        start, stop = window_of(scene.lines, *_run(scene.lines, left, line))
        if not any(start < place.stop and place.start < stop for place in places):
            places.append(Place(start, stop, sum(left[line]), line))
        for number in range(start, stop):
            left.pop(number, None)
    return places


def _current(scene: Scene, tags: Mapping[int, LineTag]) -> dict[int, LineTag]:
    """The tags of the lines as they are now. An insertion that was made is not expected again."""
    current = {}
    for number, origin in enumerate(scene.origins):
        if origin is not None and (tag := tags.get(origin)) is not None:
            current[number] = tag._replace(inserts=0.0) if origin in scene.extended else tag
    return current


def _run(lines: Sequence[str], tags: Mapping[int, LineTag], line: int) -> tuple[int, int]:
    """The run of lines that change together with ``line``. Blank lines between them belong to it."""
    first, last = line, line + 1
    if tags[line].inserts > tags[line].changes:
        return first, last
    for step in (1, -1):
        at = line + step
        while 0 <= at < len(lines) and max(last, at + 1) - min(first, at) <= MOST_LINES:
            tag = tags.get(at)
            if tag is not None and tag.changes >= RUN:
                first, last = min(first, at), max(last, at + 1)
            elif tag is not None or lines[at].strip():
                break
            at += step
    return first, last
