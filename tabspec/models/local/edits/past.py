"""The past edits that the model reads: what they come to together.

The model was trained on the hunks between two releases, which do not overlap. A user who copies a line and then changes
the copy makes two edits that come to one inserted line. Shown as two, the second one looks like a replacement that is
to be repeated, on the line that was copied first of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabspec.models.edit_protocol import PastEdit
from tabspec.models.tokens.writing import writable
from tabspec.prompt.edit_format import PastLines

# A longer hunk is none of the training data: such edits stay apart.
MOST_LINES = 12

Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Net:
    """Lines ``old`` of the document that became ``new``; these begin at line ``start`` now. None: not known any more,
    or in another file."""

    old: Lines
    new: Lines
    path: str = ""
    start: int | None = None


def net(history: Sequence[PastEdit]) -> tuple[PastLines, ...]:
    """The past edits, the newest last. An edit within the lines that an earlier one has written is one with it, and
    lines that are again what they were are left out."""
    found: list[_Net] = []
    for edit in history:
        old, new = lines_of(edit.old), lines_of(edit.new)
        if edit.elsewhere:
            found.append(_Net(old, new, writable(edit.path)))
            continue
        made = _Net(old, new, start=edit.line)
        around = next((each for each in found if _within(made, each)), None)
        found = [_after(each, made) for each in found if each is not around]
        made = made if around is None else _joined(around, made)
        if made.old != made.new:
            found.append(made)
    return tuple(PastLines(_text(each.old), _text(each.new), each.path) for each in found)


def _within(made: _Net, earlier: _Net) -> bool:
    """Whether an edit changes only lines that an earlier one has written. What is inserted at their border is not
    within them."""
    if made.start is None or earlier.start is None:
        return False
    start, stop = made.start - earlier.start, made.start - earlier.start + len(made.old)
    inside = 0 <= start < stop <= len(earlier.new) or 0 < start == stop < len(earlier.new)
    return inside and max(len(earlier.new) + len(made.new) - len(made.old), len(earlier.old)) <= MOST_LINES


def _joined(earlier: _Net, made: _Net) -> _Net:
    assert made.start is not None and earlier.start is not None
    at = made.start - earlier.start
    new = (*earlier.new[:at], *made.new, *earlier.new[at + len(made.old) :])
    return replace(earlier, new=new)


def _after(each: _Net, made: _Net) -> _Net:
    """An earlier edit, where its lines stand after ``made``."""
    if each.start is None or made.start is None or made.start >= each.start + len(each.new):
        return each
    if made.start + len(made.old) <= each.start:
        return replace(each, start=each.start + len(made.new) - len(made.old))
    return replace(each, start=None)  # its lines are not there as it wrote them


def lines_of(text: str) -> Lines:
    """Whole lines of a text, without line ends; none of an empty text."""
    return tuple(writable(text).removesuffix("\n").split("\n")) if text else ()


def _text(lines: Lines) -> str | None:
    return "\n".join(lines) if lines else None
