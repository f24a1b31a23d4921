"""What the model reads of a document: past edits, some of its lines, and what was accepted since.

There are two scenes: the lines around the last edit, and those around the likeliest place elsewhere that patterns
propose, else the one that has most of the words that it changed. They are a function of the document, the cursor and
the history. Accepted next edits at the end of the history are taken back to get the lines as they were scanned, and
follow the scan as answered questions. So after an accept the prompt only grows, and the keys and values of its
beginning stay valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.past import lines_of, net
from tabspec.models.local.edits.patterns import Pattern, patterns
from tabspec.models.tokens.writing import writable
from tabspec.prompt.edit_format import PastLines, window_of

# Tokens, as in training (tabspec.train.edits): of the scanned lines, and of past edits.
LINE_TOKENS, PAST_TOKENS = 448, 384
# Tokens of a prompt before the question. The examples of training have at most so many in all.
MOST_TOKENS = 1024

_WORD = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True, slots=True)
class Answered:
    """An accepted change as a question about lines ``start`` to ``stop`` (excluded) of ``lines``, and its answer."""

    lines: tuple[str, ...]
    start: int
    stop: int
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """``past`` edits, the newest last; the ``scanned`` lines; the accepted changes since, as ``answered`` questions.

    ``lines`` are the scanned lines as they are now; the first of them is line ``first`` of the region. ``origins`` has
    the number among the scanned lines for each of them, and None for lines that a change has written. ``extended`` are
    the numbers of the scanned lines after which a change has inserted lines.
    """

    path: str
    past: tuple[PastLines, ...]
    scanned: tuple[str, ...]
    first: int
    lines: tuple[str, ...]
    origins: tuple[int | None, ...]
    answered: tuple[Answered, ...] = ()
    extended: frozenset[int] = frozenset()

    def then(self, change: LineChange) -> Scene | None:
        """The scene after an accepted change of the region; None if nothing is left of it. A change outside is no part
        of the scene. One that reaches beyond its first or last line takes the lines that it touches out of it."""
        start, stop, count = change.start - self.first, change.stop - self.first, len(self.lines)
        if not count:
            return None
        if stop <= 0:
            return replace(self, first=self.first + len(change.new) - (stop - start))
        if start > count or (start == count and stop > count):
            return self
        if start < 0 or stop > count:
            if start <= 0 and stop >= count:
                return None
            kept = slice(stop, count) if start < 0 else slice(0, start)
            first = change.start + len(change.new) if start < 0 else self.first
            return replace(self, first=first, lines=self.lines[kept], origins=self.origins[kept])
        lines = self.lines
        first, last = window_of(lines, *run_of(lines, start, stop))
        asked = Answered(lines, first, last, (*lines[first:start], *change.new, *lines[stop:last]))
        above = self.origins[start - 1] if start == stop else None
        return replace(
            self,
            lines=(*lines[:start], *change.new, *lines[stop:]),
            origins=(*self.origins[:start], *(None for _ in change.new), *self.origins[stop:]),
            answered=(*self.answered, asked),
            extended=self.extended if above is None else self.extended | {above},
        )


def run_of(lines: Sequence[str], start: int, stop: int) -> tuple[int, int]:
    """The tagged lines of a change: those with text that it replaces, else the line before it. Examples are tagged so,
    too (`tabspec.train.edits.layout.tags`)."""
    if any(line.strip() for line in lines[start:stop]):
        return start, stop
    above = [line for line in range(start) if lines[line].strip()][-1:] or [start]
    return above[0], max(stop, above[0] + 1)


class SceneMaker:
    """Makes scenes. ``count`` is the number of tokens of a line, ``past_count`` that of a past edit."""

    def __init__(
        self, count: Callable[[str], int], past_count: Callable[[PastLines], int], fits: Callable[[Scene], bool]
    ) -> None:
        self._count, self._past_count, self._fits = count, past_count, fits

    def scenes(self, request: EditRequest) -> tuple[Scene, ...]:
        """The scenes of a request; none where nothing was edited, or the last edit or the line is too long."""
        lines = region_lines(request.region)
        cursor = request.region.count("\n", 0, request.cursor)
        history = list(request.history)
        accepted: list[tuple[PastEdit, LineChange]] = []
        while history and (change := _accepted(history[-1], lines, request.line)) is not None:
            accepted.append((history.pop(), change))
            lines = LineChange(change.start, change.start + len(change.new), lines_of(accepted[-1][0].old)).apply(lines)
        scenes = self._fresh(request, lines, history, cursor)
        for edit, change in reversed(accepted):
            history.append(edit)
            lines = change.apply(lines)
            scenes = self._after(scenes, change) or self._fresh(request, lines, history, cursor)
        return scenes

    def _after(self, scenes: tuple[Scene, ...], change: LineChange) -> tuple[Scene, ...]:
        """The scenes after an accepted change; none if they have to be read anew, because it is in none of them."""
        after = tuple(longer for scene in scenes if (longer := scene.then(change)) is not None)
        known = any(len(new.answered) > len(old.answered) for old, new in zip(scenes, after, strict=False))
        return after if known and len(after) == len(scenes) and all(map(self._fits, after)) else ()

    def around(self, request: EditRequest, line: int) -> Scene | None:
        """The scene with the lines around ``line`` of the region, as if nothing was accepted; for measuring."""
        lines = region_lines(request.region)
        past = self._past(request.history)
        return self._scene(request, lines, past, line) if past and lines else None

    def _fresh(
        self, request: EditRequest, lines: Sequence[str], history: Sequence[PastEdit], cursor: int
    ) -> tuple[Scene, ...]:
        """The scenes with nothing accepted since. Without an edit of this document, the first is around the cursor."""
        past = self._past(history)
        if not past or not lines:
            return ()
        own = next((edit for edit in reversed(history) if not edit.elsewhere), None)
        centre = cursor
        if own is not None and 0 <= own.line - request.line < len(lines):
            centre = own.line - request.line + max(len(lines_of(own.new)) - 1, 0) // 2
        first = self._scene(request, lines, past, centre)
        if first is None:
            return ()
        seen = first.first, first.first + len(first.lines)
        other = _proposed_elsewhere(patterns(request, lines, history, centre), seen)
        if other is None:
            other = use_elsewhere(lines, past[-1], centre, seen)
        second = None if other is None else self._scene(request, lines, past, other)
        return (first,) if second is None else (first, second)

    def _past(self, history: Sequence[PastEdit]) -> tuple[PastLines, ...]:
        """The newest past edits, as many as fit."""
        past: list[PastLines] = []
        left = PAST_TOKENS
        for shown in reversed(net(history)):
            left -= self._past_count(shown)
            if left < 0:
                break
            past.append(shown)
        return tuple(reversed(past))

    def _scene(
        self, request: EditRequest, lines: Sequence[str], past: tuple[PastLines, ...], centre: int
    ) -> Scene | None:
        """The scene around line ``centre``; None if this line is too long to be scanned."""
        centre = min(centre, len(lines) - 1)
        if self._count(lines[centre]) > LINE_TOKENS:
            return None
        first, last = self._around(lines, centre)
        scanned = tuple(lines[first:last])
        return Scene(writable(request.path), past, scanned, first, scanned, tuple(range(len(scanned))))

    def _around(self, lines: Sequence[str], centre: int) -> tuple[int, int]:
        """The lines around ``centre``, as many as may be scanned: half of the tokens above it where there are as many
        below."""
        first = last = centre
        above = below = 0
        while True:
            up = self._count(lines[first - 1]) if first > 0 else None
            down = self._count(lines[last]) if last < len(lines) else None
            room = LINE_TOKENS - above - below
            if up is not None and up <= room and (down is None or down > room or above < below):
                first, above = first - 1, above + up
            elif down is not None and down <= room:
                last, below = last + 1, below + down
            else:
                return first, last


def _proposed_elsewhere(found: Sequence[Pattern], seen: tuple[int, int]) -> int | None:
    """The line of the likeliest proposal that changes a line outside of ``seen``: the first among equals. Before all
    comes the first one that is left to the model."""
    outside = [each for each in found if each.change.start < seen[0] or each.change.stop > seen[1]]
    first = next((each for each in found if each.left), None)
    if first in outside:
        return first.change.start
    return max(outside, key=lambda each: each.probability).change.start if outside else None


def use_elsewhere(lines: Sequence[str], edit: PastLines, line: int, seen: tuple[int, int]) -> int | None:
    """The line outside of ``seen`` that has most of the words that an edit has removed, else added: the next one after
    ``line``, then from the top. None if no line has any."""
    old, new = (set(_WORD.findall(text or "")) for text in (edit.old, edit.new))
    words = old - new or new - old
    best, most = None, 0
    for number in (*range(line, len(lines)), *range(min(line, len(lines)))):
        if not seen[0] <= number < seen[1]:
            common = len(words.intersection(_WORD.findall(lines[number])))
            if common > most:
                best, most = number, common
    return best


def _accepted(edit: PastEdit, lines: Sequence[str], first: int) -> LineChange | None:
    """An accepted next edit of this document, whose lines are there, as the change that it made. None for others."""
    start, new = edit.line - first, lines_of(edit.new)
    # A deletion has no new lines, which are "there" at any number: it must be within the region.
    there = tuple(lines[start : start + len(new)]) if 0 <= start <= len(lines) else None
    if edit.elsewhere or not edit.proposed or there != new:
        return None
    return LineChange(start, start + len(lines_of(edit.old)), new)


def region_lines(region: str) -> list[str]:
    """The lines of a region, without line ends."""
    return list(lines_of(region))
