"""A step of the edit history: a few lines of one document, before and after."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tabspec.edits.edit import EditSource, digest_of
from tabspec.text import Edit

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True)
class Step:
    """Whole lines of a document that were replaced by others, by what the user did in one go.

    ``line`` is the first of them, from 0, and ``offset`` its first character; both are the same before and after.
    ``old`` and ``new`` are the texts of the lines with their line ends; ``old`` is empty where lines were only
    inserted, ``new`` where they were only deleted. ``accepted``: it was a suggestion that the user took. ``typed`` is
    False for what no person wrote (a paste, a formatter, a branch switch): no pattern is to be learned from it.
    ``source`` is what proposed it, if it was a next edit that the user accepted.
    """

    uri: str
    line: int
    offset: int
    old: str
    new: str
    accepted: bool = False
    typed: bool = True
    source: EditSource | None = None

    @property
    def teaches(self) -> bool:
        """Whether patterns may be learned from it: the user typed it, or completed it at the cursor. An accepted next
        edit only confirms what was learned before."""
        return self.typed and self.source is None

    @property
    def change(self) -> Edit:
        """The step as a change of the document before it."""
        return Edit(self.offset, len(self.old), self.new)

    @property
    def inverse(self) -> Edit:
        """The change of the document after it that takes it back."""
        return Edit(self.offset, len(self.new), self.old)

    @property
    def chars(self) -> int:
        """Characters of both texts."""
        return len(self.old) + len(self.new)

    @cached_property
    def old_lines(self) -> tuple[str, ...]:
        """The lines before, without their line ends."""
        return lines_of(self.old)

    @cached_property
    def new_lines(self) -> tuple[str, ...]:
        """The lines after, without their line ends."""
        return lines_of(self.new)

    @property
    def old_range(self) -> tuple[int, int]:
        """The first line, and the line after the last one, in the document before."""
        return self.line, self.line + len(self.old_lines)

    @cached_property
    def digest(self) -> int:
        """128-bit digest of all that it is."""
        return digest_of(self.uri, self.line, self.offset, self.old, self.new, self.accepted, self.typed, self.source)


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a text without their line ends; a line end at the end begins no further line."""
    return tuple(line.rstrip("\r\n") for line in _LINES.findall(text))


def lines_with_ends(text: str) -> list[str]:
    """The lines of a text with their line ends."""
    return _LINES.findall(text)
