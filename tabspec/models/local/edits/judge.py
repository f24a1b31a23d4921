"""What is known of the edits that come into question at one request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tabspec.models.edit_protocol import EditRequest
from tabspec.models.local.edits.calibration import Evidence
from tabspec.models.local.edits.changes import LineChange, made_again, repeated
from tabspec.models.local.edits.past import lines_of, net
from tabspec.models.local.edits.patterns import patterns
from tabspec.models.local.edits.places import EditPlace, LineTag, place_of
from tabspec.models.local.edits.scene import Scene, region_lines


@dataclass(frozen=True, slots=True)
class WrittenChange:
    """A change of the region's lines, and what is known of it."""

    change: LineChange
    evidence: Evidence


class Proposal(NamedTuple):
    """A change of the region that the model did not write, and the place in a scene that holds it."""

    scene: Scene
    place: EditPlace
    change: LineChange


class Judge:
    """The edits of ``request``."""

    def __init__(self, request: EditRequest) -> None:
        self._lines = region_lines(request.region)
        self._past = net(request.history)
        cursor = request.region.count("\n", 0, request.cursor)
        found = patterns(request, self._lines, request.history, cursor)
        self._patterns = {each.change.least(self._lines): each.probability for each in found}
        self._left = tuple(each.change.least(self._lines) for each in found if each.left)
        self._known: set[LineChange] = set()
        self._last = _last(request, self._lines)

    def proposals(self, read: Sequence[tuple[Scene, Mapping[int, LineTag]]]) -> tuple[Proposal, ...]:
        """What patterns propose within the scenes, each at the likeliest place that holds it; the likeliest first."""
        return tuple(sorted(_held(self._patterns, read), key=lambda each: -each.place.probability))

    def left(self, read: Sequence[tuple[Scene, Mapping[int, LineTag]]]) -> tuple[Proposal, ...]:
        """The same of those that the engine leaves to the model, in the order in which it would show them."""
        return _held(self._left, read)

    def again(self, scene: Scene, place: EditPlace) -> tuple[Proposal, ...]:
        """What was replaced before, replaced again at a place; none where none of it stands."""
        old = "\n".join(scene.lines[place.start : place.stop])
        new = made_again(old, self._past)
        if new == old:
            return ()
        change = LineChange(scene.first + place.start, scene.first + place.stop, tuple(new.split("\n")))
        return (Proposal(scene, place, change),)

    def knows(self, change: LineChange) -> bool:
        """Whether something is known of this change: the model has written or judged it."""
        return change.least(self._lines) in self._known

    def written(self, change: LineChange | None, place: float, logprobs: tuple[float, ...]) -> WrittenChange | None:
        """A change with what is known of it. ``place`` is the probability of its place. None where it changes lines of
        the last edit: what is written there is a matter of completions, and of the user, who is at work there."""
        if change is None:
            return None
        least = change.least(self._lines)
        self._known.add(least)
        if least.touches(*self._last):
            return None
        repeats, partly = repeated(least, self._lines, self._past)
        return WrittenChange(change, Evidence(place, logprobs, repeats, partly, self._patterns.get(least, 0.0)))


def _held(changes: Iterable[LineChange], read: Sequence[tuple[Scene, Mapping[int, LineTag]]]) -> tuple[Proposal, ...]:
    """Each change at the likeliest place that holds it, if there is one."""
    found: list[Proposal] = []
    for change in changes:
        places = [(scene, place_of(scene, tags, change)) for scene, tags in read]
        held = [Proposal(scene, place, change) for scene, place in places if place is not None]
        found += sorted(held, key=lambda each: -each.place.probability)[:1]
    return tuple(found)


def _last(request: EditRequest, lines: Sequence[str]) -> tuple[int, int]:
    """The lines that the last edit of this document has written; none where they are not there."""
    own = next((edit for edit in reversed(request.history) if not edit.elsewhere), None)
    new = lines_of(own.new) if own else ()
    start = own.line - request.line if own else 0
    return (start, start + len(new)) if start >= 0 and tuple(lines[start : start + len(new)]) == new else (0, 0)
