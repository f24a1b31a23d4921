"""A moment between two edits: the file as it is now, what was done, and what remains to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tabspec.prompt.edit_format import PastLines
from tabspec.text import common_prefix
from tabspec.train.edits.hunks import LineHunk, after

# The share of moments at which the last edit is half typed.
HALF_TYPED = 0.15


@dataclass
class EditMoment:
    """A file between two edits.

    ``history``: past edits, the newest last. ``due``: the remaining hunks in the order in which they are made, each in
    the coordinates of ``lines``. ``last``: the lines of the newest edit, if it was in this file.
    """

    name: str
    lines: list[str]
    history: list[PastLines] = field(default_factory=list)
    due: list[LineHunk] = field(default_factory=list)
    last: tuple[int, int] | None = None

    def make(self, hunk: LineHunk) -> None:
        """Apply one of the due hunks, and append it to the history."""
        at = next(i for i, other in enumerate(self.due) if other is hunk)
        del self.due[at]
        self.history.append(as_past(self.lines, hunk))
        self.lines[hunk.start : hunk.stop] = hunk.new
        self.due = [after(other, hunk) for other in self.due]
        self.last = (hunk.start, hunk.start + len(hunk.new))

    def make_half(self, hunk: LineHunk, rng: Random) -> bool:
        """Apply the first part of a due hunk, as if it were being typed. False if there is nothing to cut."""
        half = half_typed(self.lines[hunk.start : hunk.stop], hunk.new, rng)
        if half is None:
            return False
        cut, replaced = half
        at = next(i for i, other in enumerate(self.due) if other is hunk)
        first = LineHunk(hunk.start, hunk.start + replaced, cut)
        self.history.append(as_past(self.lines, first))
        self.lines[first.start : first.stop] = cut
        self.due = [after(other, first) for other in self.due]
        rest = LineHunk(hunk.start, hunk.stop + first.growth, hunk.new)
        self.due.pop(at)
        self.due.insert(0, rest)
        self.last = (hunk.start, hunk.start + len(cut))
        return True


def as_past(lines: Sequence[str], hunk: LineHunk, path: str = "") -> PastLines:
    """A hunk of ``lines`` as a past edit. ``path``: the base name of the file, if it is another one."""
    old = lines[hunk.start : hunk.stop]
    return PastLines("\n".join(old) if old else None, "\n".join(hunk.new) if hunk.new else None, path)


def half_typed(old: Sequence[str], new: Sequence[str], rng: Random) -> tuple[tuple[str, ...], int] | None:
    """The first lines of ``new``, the last of them cut, and how many lines of ``old`` they replace."""
    places = [number for number, line in enumerate(new) if len(line.strip()) >= 2]
    if not places:
        return None
    number = rng.choice(places)
    line = new[number]
    before = old[number] if number < len(old) else ""
    head = common_prefix(before, line)
    tail = common_prefix(before[head:][::-1], line[head:][::-1])
    typed = line[head : len(line) - tail]
    blank = len(typed) - len(typed.lstrip())
    if len(typed) - blank < 2:
        return None
    cut = line[: head + rng.randint(blank + 1, len(typed) - 1)] + line[len(line) - tail :]
    return (*new[:number], cut), min(number + 1, len(old))
