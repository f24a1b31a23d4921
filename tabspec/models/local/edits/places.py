"""Where an edit is expected: the probabilities of the scan's tags, and the places to ask about. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.scene import Scene, run_of
from tabspec.prompt.edit_format import window_of

# A line next to the best one is a part of its run if it changes more likely than that.
RUN = 0.4
# Lines of a run: as many as an edit of the training data.
MOST_LINES = 12


class LineTag(NamedTuple):
    """How likely a line changes, and how likely lines are inserted after it."""

    changes: float
    inserts: float


class EditPlace(NamedTuple):
    """A place to ask about: lines ``start`` to ``stop`` (excluded) of a scene's lines. ``probability``: how likely
    something is edited there, by the tag of its likeliest ``line``."""

    start: int
    stop: int
    probability: float
    line: int


def best_places(read: Sequence[tuple[Scene, Mapping[int, LineTag]]], most: int) -> list[tuple[Scene, EditPlace]]:
    """The likeliest places of all scenes, the best first. None overlaps another: scenes may share lines. The tags are
    those of a scene's scanned lines with text."""
    found: list[tuple[Scene, EditPlace]] = []
    for scene, place in merge(*(_places(*each) for each in read), key=lambda each: -each[1].probability):
        if len(found) == most:
            break
        first, last = scene.first + place.start, scene.first + place.stop
        if not any(first < other.first + taken.stop and other.first + taken.start < last for other, taken in found):
            found.append((scene, place))
    return found


def place_of(scene: Scene, tags: Mapping[int, LineTag], change: LineChange) -> EditPlace | None:
    """The place for a change of the region's lines; None if it is not within the scene."""
    start, stop = change.start - scene.first, change.stop - scene.first
    if not 0 <= start <= stop <= len(scene.lines) or not scene.lines:
        return None
    first, last = run_of(scene.lines, start, stop)
    current = _current(scene, tags)
    likely = {line: sum(current[line]) for line in range(first, last) if line in current}
    line = max(likely, key=lambda number: (likely[number], -number), default=first)
    return EditPlace(*window_of(scene.lines, first, last), likely.get(line, 0.0), line)


def _places(scene: Scene, tags: Mapping[int, LineTag]) -> Iterator[tuple[Scene, EditPlace]]:
    """The places of a scene, the likeliest first. Their windows may overlap by the lines around a run."""
    left = _current(scene, tags)
    while left:
        line = max(left, key=lambda number: (sum(left[number]), -number))
        start, stop = window_of(scene.lines, *_run(scene.lines, left, line))
        yield scene, EditPlace(start, stop, sum(left[line]), line)
        for number in range(start, stop):
            left.pop(number, None)


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
