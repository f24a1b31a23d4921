"""Changes between two versions of a file, as hunks of whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from tabspec.text import common_prefix

# A longer hunk is no single edit of a person: it is taken as made before.
MOST_LINES = 12


class LineHunk(NamedTuple):
    """Lines ``start`` to ``stop`` (excluded) are replaced by ``new``. If ``start == stop``, ``new`` is inserted."""

    start: int
    stop: int
    new: tuple[str, ...]

    @property
    def growth(self) -> int:
        """How many lines the text after the hunk moves down."""
        return len(self.new) - (self.stop - self.start)

    def moved(self, by: int) -> LineHunk:
        """The hunk, ``by`` lines further down."""
        return self._replace(start=self.start + by, stop=self.stop + by)


def hunks_between(old: Sequence[str], new: Sequence[str]) -> list[LineHunk]:
    """The hunks that turn ``old`` into ``new``, from top to bottom. They neither overlap nor touch."""
    head = common_prefix(old, new)
    tail = common_prefix(old[head:][::-1], new[head:][::-1])
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    found = SequenceMatcher(None, before, after).get_opcodes()
    return [LineHunk(head + a, head + b, tuple(after[c:d])) for tag, a, b, c, d in found if tag != "equal"]


def applied(lines: Sequence[str], hunks: Iterable[LineHunk]) -> list[str]:
    """``lines`` with all ``hunks``, which do not overlap and are in rising order."""
    found: list[str] = []
    at = 0
    for start, stop, new in hunks:
        found += [*lines[at:start], *new]
        at = stop
    return found + list(lines[at:])


def after(hunk: LineHunk, made: LineHunk) -> LineHunk:
    """``hunk`` as it is once ``made``, which does not overlap it, was applied. Of two insertions at the same line,
    ``made`` is the first."""
    return hunk.moved(made.growth) if made.stop <= hunk.start else hunk


def small_hunks(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[LineHunk]]:
    """``old`` with its long hunks applied, and the other hunks, which turn this text into ``new``."""
    lines: list[str] = []
    small: list[LineHunk] = []
    at = 0
    for hunk in hunks_between(old, new):
        lines += old[at : hunk.start]
        at = hunk.stop
        if max(len(hunk.new), hunk.stop - hunk.start) > MOST_LINES:
            lines += hunk.new
        else:
            small.append(LineHunk(len(lines), len(lines) + hunk.stop - hunk.start, hunk.new))
            lines += old[hunk.start : hunk.stop]
    return lines + list(old[at:]), small
