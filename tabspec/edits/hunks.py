"""Changes of one moment as disjoint ranges of a document, and these as whole lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tabspec.edits.step import Step, lines_with_ends
from tabspec.text import Document, Edit, common_prefix

# Characters. A longer step is not compared line by line, since the history drops it anyway.
LONG = 65_536


class Hunk(NamedTuple):
    """``start`` to ``stop`` in the document before became ``new_start`` to ``new_stop`` in the document after."""

    start: int
    stop: int
    new_start: int
    new_stop: int


def composed(hunks: Sequence[Hunk], edit: Edit) -> tuple[Hunk, ...]:
    """``hunks``, and then ``edit``: still disjoint, in rising order. Ranges that touch become one."""
    start, stop = edit.offset, edit.offset + edit.delete
    grown = len(edit.insert) - edit.delete
    before = [hunk for hunk in hunks if hunk.new_stop < start]
    after = [hunk for hunk in hunks if hunk.new_start > stop]
    touched = hunks[len(before) : len(hunks) - len(after)]
    shift = _shift(before[-1]) if before else 0
    shift_after = _shift(touched[-1]) if touched else shift
    new_start = min(start, touched[0].new_start) if touched else start
    new_stop = max(stop, touched[-1].new_stop) if touched else stop
    merged = Hunk(new_start - shift, new_stop - shift_after, new_start, new_stop + grown)
    moved = [hunk._replace(new_start=hunk.new_start + grown, new_stop=hunk.new_stop + grown) for hunk in after]
    return (*before, merged, *moved)


def _shift(hunk: Hunk) -> int:
    """How far text after a hunk has moved."""
    return hunk.new_stop - hunk.stop


def steps_of(before: Document, after: Document, hunks: Iterable[Hunk]) -> list[Step]:
    """The hunks as steps of whole lines, to be applied one after another; hunks on one line become one step."""
    whole: list[Hunk] = []
    for hunk in hunks:
        start, stop = _whole_lines(before, hunk)
        aligned = Hunk(start, stop, hunk.new_start - (hunk.start - start), hunk.new_stop + (stop - hunk.stop))
        if whole and start < whole[-1].stop:
            last = whole.pop()
            aligned = Hunk(last.start, aligned.stop, last.new_start, aligned.new_stop)
        whole.append(aligned)
    steps = []
    for start, stop, new_start, new_stop in whole:
        line = after.line_at(new_start)
        step = minimal(
            Step(before.uri, line, new_start, before.text[start:stop], after.text[new_start:new_stop]),
        )
        if step is not None:
            steps.append(step)
    return steps


def step_of(document: Document, change: Edit) -> Step | None:
    """A change of ``document`` as a step of whole lines; None if it changes nothing."""
    stop = change.offset + change.delete
    first, last = _whole_lines(document, Hunk(change.offset, stop, change.offset, change.offset))
    text, line = document.text, document.line_at(first)
    new = text[first : change.offset] + change.insert + text[stop:last]
    return minimal(Step(document.uri, line, first, text[first:last], new))


def _whole_lines(document: Document, hunk: Hunk) -> tuple[int, int]:
    """The lines of a range and the line end after it: where lines begin before the change and after it alike."""
    starts = document.line_starts
    first = bisect_right(starts, hunk.start) - 1
    if first > 0 and starts[first] == hunk.start and document.text[hunk.start - 1] == "\r":
        first -= 1  # what is inserted here may begin with the "\n" of this line end
    last = bisect_right(starts, hunk.stop)
    return starts[first], starts[last] if last < len(starts) else len(document.text)


def minimal(step: Step) -> Step | None:
    """The step without the lines that it leaves as they are at its ends; None if it changes nothing."""
    if step.old == step.new:
        return None
    if step.chars > LONG:
        return step
    old, new = lines_with_ends(step.old), lines_with_ends(step.new)
    same = common_prefix(old, new)
    last = common_prefix(old[same:][::-1], new[same:][::-1])
    skipped = sum(map(len, old[:same]))
    return replace(
        step,
        line=step.line + same,
        offset=step.offset + skipped,
        old="".join(old[same : len(old) - last]),
        new="".join(new[same : len(new) - last]),
    )


def touch(earlier: Step, later: Step) -> bool:
    """Whether ``later`` changes what ``earlier`` has left, so that they cannot be made in the other order."""
    start, stop = earlier.offset, earlier.offset + len(earlier.new)
    if later.offset == start and not earlier.new and not later.old:
        return True
    return later.offset < stop and later.offset + len(later.old) > start


def last_touched(steps: Sequence[Step], step: Step) -> tuple[int, int] | None:
    """The index of the last of ``steps`` that ``step``, made after all of them, touches; and the offset of ``step``
    without the steps after that one. None if it touches none of them."""
    offset, size = step.offset, len(step.old)
    for at in range(len(steps) - 1, -1, -1):
        earlier = steps[at]
        if earlier.uri != step.uri:
            continue
        start, stop = earlier.offset, earlier.offset + len(earlier.new)
        if (offset < stop and offset + size > start) or (offset == start and not earlier.new and not size):
            return at, offset
        if offset >= stop:
            offset -= len(earlier.new) - len(earlier.old)
    return None


def merged(earlier: Step, later: Step) -> Step | None:
    """Two steps that touch, or lie side by side, as one; None if together they change nothing."""
    start, stop = earlier.offset, earlier.offset + len(earlier.new)
    left, right = later.offset, later.offset + len(later.old)
    old = later.old[: max(start - left, 0)] + earlier.old + later.old[len(later.old) - max(right - stop, 0) :]
    new = earlier.new[: max(left - start, 0)] + later.new + earlier.new[len(earlier.new) - max(stop - right, 0) :]
    return minimal(
        Step(
            earlier.uri,
            min(earlier.line, later.line),
            min(start, left),
            old,
            new,
            earlier.accepted or later.accepted,
            earlier.typed and later.typed,
        )
    )


def swapped(earlier: Step, later: Step) -> tuple[Step, Step]:
    """Two steps that do not touch, in the other order: what was ``later`` comes first."""
    if later.offset + len(later.old) <= earlier.offset and not (later.offset == earlier.offset and later.old == ""):
        return later, _moved(earlier, later, 1)
    if later.offset == earlier.offset and not later.old and earlier.new:  # inserted before the lines of ``earlier``
        return later, _moved(earlier, later, 1)
    return _moved(later, earlier, -1), earlier


def _moved(step: Step, across: Step, sign: int) -> Step:
    """``step`` as it is where ``across``, which lies before it, was made (``sign`` 1), or was not (-1)."""
    lines = len(across.new_lines) - len(across.old_lines)
    grown = len(across.new) - len(across.old)
    return replace(step, line=step.line + sign * lines, offset=step.offset + sign * grown)
