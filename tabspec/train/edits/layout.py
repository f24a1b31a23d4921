"""Chooses what an example shows of a moment: the scanned lines, and the questions with their answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tabspec.prompt.edit_format import PastLines, Tag, window_of
from tabspec.train.edits.hunks import LineHunk, after, applied
from tabspec.train.edits.moment import EditMoment

CHARS = 3.5  # of a token of code, on average
USUAL_TOKENS, FEWEST_TOKENS, MOST_TOKENS = 448, 256, 768  # of the scanned lines
USUAL_SHARE = 0.6
LONGEST_LINE = 400  # characters; a moment with a longer line in its scan is left out
# The scanned lines lie around the last edit, around a remaining hunk, or anywhere.
AROUND_LAST, AROUND_DUE = 0.5, 0.42
FEWEST_QUESTIONS, MOST_QUESTIONS = 3, 10
# Questions about places that stay: their share while hunks remain, and how often the questions end at each of them when
# none remains. Together, 60 % of all questions are answered by "same" (measured).
STAYS_SHARE, ENDED_SHARE = 0.45, 0.45
JITTER_SHARE, MOST_JITTER = 0.3, 3  # how often a window is larger than usual, by how many lines on each side
# Of windows that stay: lines that were just edited; lines with the same words. The rest is random.
EDITED_SHARE, SIMILAR_SHARE = 0.3, 0.4

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class PlaceQuestion:
    """Lines ``start`` to ``stop`` (excluded) of ``lines``, and what they become."""

    lines: list[str]
    start: int
    stop: int
    new: list[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """The texts of an example. ``tags`` has one for each of ``lines``. ``last``: the lines of the newest edit, as far
    as they are among these."""

    name: str
    history: list[PastLines]
    lines: list[str]
    tags: list[Tag]
    questions: list[PlaceQuestion]
    last: tuple[int, int] | None = None


def tags(lines: Sequence[str], hunks: Sequence[tuple[int, int]]) -> list[Tag]:
    """The tags of ``lines``, where lines ``start`` to ``stop`` (excluded) of each hunk are replaced.

    A hunk with ``start == stop`` inserts before line ``start``. A hunk of blank lines, or before one, is tagged at the
    last line with text before it. If there is none, the first line with text changes.
    """
    found = [Tag.STAYS] * len(lines)
    for start, stop in hunks:
        changed = [line for line in range(start, stop) if lines[line].strip()]
        above = [] if changed else [line for line in range(start) if lines[line].strip()][-1:]
        if not changed and not above:
            changed = [line for line in range(start, len(lines)) if lines[line].strip()][:1]
        for line in changed:
            found[line] = Tag.CHANGES
        for line in above:
            if found[line] is Tag.STAYS:
                found[line] = Tag.INSERTS
    return found


def lay_out(moment: EditMoment, rng: Random) -> Layout | None:
    """An example of a moment. None if its lines are too long or blank."""
    begin, end = _scanned(moment, rng)
    lines = moment.lines[begin:end]
    if not any(line.strip() for line in lines) or max(map(len, lines)) > LONGEST_LINE:
        return None
    due = [hunk.moved(-begin) for hunk in moment.due if _inside(hunk, begin, end, len(moment.lines))]
    edited = _clipped(moment.last, begin, end)
    found = tags(lines, [(hunk.start, hunk.stop) for hunk in due])
    words = _changed_words(moment.history[-1]) if moment.history else frozenset()
    chain = _Chain(list(lines), due, [edited] if edited else [], words)
    return Layout(moment.name, moment.history, lines, found, list(chain.questions(rng)), edited)


def _scanned(moment: EditMoment, rng: Random) -> tuple[int, int]:
    """The first and last (excluded) scanned line: whole hunks, about as many tokens as when serving."""
    place = rng.random()
    centre = rng.randrange(len(moment.lines))
    if moment.due and (place >= 1 - AROUND_DUE or (moment.last is None and place < AROUND_LAST)):
        centre = rng.choice(moment.due).start
    elif moment.last is not None and place < AROUND_LAST:
        centre = rng.randint(moment.last[0], max(moment.last[1] - 1, moment.last[0]))
    tokens = USUAL_TOKENS if rng.random() < USUAL_SHARE else rng.randint(FEWEST_TOKENS, MOST_TOKENS)
    room = round(tokens * CHARS)
    share = rng.uniform(0.25, 0.75)
    begin = _grown(moment.lines, min(centre, len(moment.lines) - 1), -1, room * share)
    end = _grown(moment.lines, begin, 1, room)
    begin = min([begin, *(hunk.start for hunk in moment.due if hunk.start < begin < hunk.stop)])
    end = max([end, *(hunk.stop for hunk in moment.due if hunk.start < end < hunk.stop)])
    return begin, end


def _grown(lines: Sequence[str], at: int, step: int, room: float) -> int:
    """The line that is ``room`` characters away from line ``at``."""
    while room > 0 and 0 <= at < len(lines):
        room -= len(lines[at].strip()) + 2  # a line's end and indentation are mostly one token
        at += step
    return min(max(at, 0), len(lines))


def _inside(hunk: LineHunk, begin: int, end: int, count: int) -> bool:
    """Whether a hunk is tagged at a scanned line: an insertion is at the line before it."""
    if hunk.start == hunk.stop:
        return (begin < hunk.start or begin == 0) and hunk.start <= end
    return begin <= hunk.start and hunk.stop <= end


def _clipped(span: tuple[int, int] | None, begin: int, end: int) -> tuple[int, int] | None:
    if span is None or span[1] < begin or span[0] >= end:
        return None
    return max(span[0] - begin, 0), min(span[1], end) - begin


def _changed_words(edit: PastLines) -> frozenset[str]:
    """The words that a past edit removed or added."""
    old, new = set(_WORD.findall(edit.old or "")), set(_WORD.findall(edit.new or ""))
    return frozenset(old ^ new)


@dataclass
class _Chain:
    """The scanned lines as they are after each answer."""

    lines: list[str]
    due: list[LineHunk]
    edited: list[tuple[int, int]]
    words: frozenset[str]

    def questions(self, rng: Random) -> list[PlaceQuestion]:
        found: list[PlaceQuestion] = []
        missed = 0
        count = rng.randint(FEWEST_QUESTIONS, MOST_QUESTIONS)
        while len(found) < count and missed < 4:
            if not self.due and rng.random() < ENDED_SHARE and found:
                break
            stays = not self.due or rng.random() < STAYS_SHARE
            question = self._staying(rng) if stays else self._changing(rng)
            if question is None:
                missed += 1
            else:
                found.append(question)
        return found

    def _changing(self, rng: Random) -> PlaceQuestion:
        hunk = self.due[0]
        first, last = hunk.start, hunk.stop
        if not any(line.strip() for line in self.lines[first:last]):  # tagged at the line before
            above = [number for number in range(first) if self.lines[number].strip()]
            first = above[-1] if above else first
            last = max(last, first + 1)
        start, stop = self._window(first, min(max(last, hunk.stop), len(self.lines)), rng)
        while True:  # a window has whole hunks
            held = [other for other in self.due if _touches(other, start, stop, len(self.lines)) or other is hunk]
            wider = min([start, *(h.start for h in held)]), max([stop, *(h.stop for h in held)])
            if wider == (start, stop):
                break
            start, stop = wider
        held.sort(key=lambda h: (h.start, h.stop))
        old = self.lines[start:stop]
        new = applied(old, [h.moved(-start) for h in held])
        question = PlaceQuestion(list(self.lines), start, stop, new)
        self.lines[start:stop] = new
        gone = {id(h) for h in held}
        whole = LineHunk(start, stop, tuple(new))
        self.due = [h if h.start < stop else after(h, whole) for h in self.due if id(h) not in gone]
        grown = len(new) - len(old)
        self.edited = [
            (a, b) if a < stop else (a + grown, b + grown) for a, b in self.edited if b <= start or a >= stop
        ]
        self.edited.append((hunk.start, hunk.start + len(hunk.new)) if len(held) == 1 else (start, start + len(new)))
        return question

    def _staying(self, rng: Random) -> PlaceQuestion | None:
        if not self.lines:
            return None
        place = rng.random()
        first = rng.randrange(len(self.lines))
        last = first + rng.choice((1, 1, 1, 1, 2, 3))
        if place < EDITED_SHARE:
            if not self.edited:
                return None
            first, last = rng.choice(self.edited)
            first = min(first, len(self.lines) - 1)
            last = min(max(last, first + 1), first + 4)
        elif place < EDITED_SHARE + SIMILAR_SHARE and self.words:
            similar = [n for n, line in enumerate(self.lines) if not self.words.isdisjoint(_WORD.findall(line))]
            if similar:
                first = rng.choice(similar)
                last = first + 1
        start, stop = self._window(first, min(last, len(self.lines)), rng)
        if stop <= start or not any(line.strip() for line in self.lines[start:stop]):
            return None
        if any(_touches(hunk, start, stop, len(self.lines)) for hunk in self.due):
            return None
        return PlaceQuestion(list(self.lines), start, stop, self.lines[start:stop])

    def _window(self, first: int, last: int, rng: Random) -> tuple[int, int]:
        start, stop = window_of(self.lines, first, last)
        if rng.random() < JITTER_SHARE:
            start -= rng.randint(0, MOST_JITTER)
            stop += rng.randint(0, MOST_JITTER)
        return max(start, 0), min(stop, len(self.lines))


def _touches(hunk: LineHunk, start: int, stop: int, count: int) -> bool:
    """Whether a hunk changes a window: lines in it, or an insertion between them. One at its end counts at the end of
    the lines only, because otherwise the window does not show where it belongs."""
    if hunk.start == hunk.stop:
        return start < hunk.start < stop or hunk.start == start == 0 or hunk.start == stop == count
    return hunk.start < stop and hunk.stop > start
