"""Document snapshots, edits and positions.

Offsets count code points (they index a Python ``str``). Positions are (line, character) from 0, where the
unit of ``character`` is that of a `PositionEncoding`, as in the Language Server Protocol (3.17, "Position
Encoding Kind"). Lines end with ``\\n``, ``\\r\\n`` or ``\\r``, and with nothing else: ``str.splitlines`` knows more
line ends than editors do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from tabspec.errors import PositionError

_LINE_END = re.compile(r"\r\n|\n|\r")
_BEYOND_BMP = re.compile(r"[\U00010000-\U0010ffff]")


def is_word(char: str) -> bool:
    """Whether a character is part of a word, such as a name; false for the empty string."""
    return char.isalnum() or char == "_"


def indent_of(line: str) -> str:
    """The indentation of a line. Two indentations are comparable only if one is a prefix of the other; tabs and spaces
    are not."""
    return line[: len(line) - len(line.lstrip(" \t"))]


class PositionEncoding(StrEnum):
    """The unit in which ``Position.character`` counts; the values are LSP's names."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"

    def width(self, text: str) -> int:
        """Number of code units that ``text`` takes in this encoding."""
        if self is PositionEncoding.UTF32 or text.isascii():
            return len(text)
        if self is PositionEncoding.UTF8:
            return len(text.encode("utf-8", "surrogatepass"))
        return len(text) + sum(1 for _ in _BEYOND_BMP.finditer(text))

    def locate(self, line: str, units: int) -> int:
        """Offset in ``line`` of the character that contains code unit ``units``.

        A position inside a character means the start of that character; one beyond the line means its end
        (LSP: "if the character value is greater than the line length it defaults back to the line length").
        """
        if units <= 0:
            return 0
        if self is PositionEncoding.UTF32 or line.isascii():
            return min(units, len(line))
        used = 0
        for i, char in enumerate(line):
            used += self.width(char)
            if used > units:
                return i
        return len(line)


class Position(NamedTuple):
    """A place in a document: line and character from 0, the character in units of an encoding."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``delete`` code points at ``offset`` by ``insert``."""

    offset: int
    delete: int
    insert: str

    @property
    def end(self) -> int:
        """Offset of the end of the inserted text, in the edited document."""
        return self.offset + len(self.insert)

    def apply(self, text: str) -> str:
        """The edited text. Raises `PositionError` if the edit does not lie within ``text``."""
        if self.offset < 0 or self.delete < 0 or self.offset + self.delete > len(text):
            raise PositionError(
                f"edit at {self.offset} deleting {self.delete} lies outside a text of {len(text)} characters"
            )
        return text[: self.offset] + self.insert + text[self.offset + self.delete :]


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits one after another, each to the result of the one before."""
    for edit in edits:
        text = edit.apply(text)
    return text


def difference(before: str, after: str) -> Edit | None:
    """The smallest single edit that turns ``before`` into ``after``; None where they are equal."""
    if before == after:
        return None
    start = common_prefix(before, after)
    tail = _common_suffix(before, after, min(len(before), len(after)) - start)
    return Edit(start, len(before) - start - tail, after[start : len(after) - tail])


def common_prefix(a: Sequence[object], b: Sequence[object]) -> int:
    """Length of the longest common prefix of two texts, or of two lists, by bisection: comparing slices is far faster
    than a loop."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:  # the most frequent case: one text continues the other
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(a: str, b: str, most: int) -> int:
    """Length of the longest common suffix, at most ``most``; by bisection, as `common_prefix`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a.endswith(b[len(b) - middle : len(b) - low], 0, len(a) - low):
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True, slots=False)
class Document:
    """An immutable snapshot of one open document.

    ``version`` is the editor's number for the snapshot. Equal texts may have different versions, for example
    after an undo.
    """

    uri: str
    text: str
    language: str = ""
    version: int = 0
    _starts: list[int] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of each line; there is always at least one line."""
        if self._starts is not None:
            return self._starts
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    @property
    def line_count(self) -> int:
        return len(self.line_starts)

    def line(self, number: int) -> str:
        """Text of line ``number`` (from 0) without its line end."""
        start = self.line_starts[number]
        end = self.line_starts[number + 1] if number + 1 < self.line_count else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def line_at(self, offset: int) -> int:
        """The number of the line (from 0) that a code-point offset is on."""
        return bisect_right(self.line_starts, offset) - 1

    def position(self, offset: int, encoding: PositionEncoding = PositionEncoding.UTF16) -> Position:
        """The position of a code-point offset. Raises `PositionError` outside the document."""
        if not 0 <= offset <= len(self.text):
            raise PositionError(f"offset {offset} lies outside a document of {len(self.text)} characters")
        number = self.line_at(offset)
        return Position(number, encoding.width(self.text[self.line_starts[number] : offset]))

    def offset(self, position: Position, encoding: PositionEncoding = PositionEncoding.UTF16) -> int:
        """The code-point offset of a position.

        A character beyond the end of its line means the end of that line, as LSP asks for; a line beyond the
        document raises `PositionError`, except that the line after the last one means the document's end
        (editors use it in ranges for "to the end").
        """
        if position.line < 0 or position.character < 0:
            raise PositionError(f"position {position.line}:{position.character} is negative")
        if position.line == self.line_count and position.character == 0:
            return len(self.text)
        if position.line >= self.line_count:
            raise PositionError(
                f"line {position.line} lies outside a document of {self.line_count} lines (counted from 0)"
            )
        start = self.line_starts[position.line]
        return start + encoding.locate(self.line(position.line), position.character)

    def edited(self, edit: Edit, version: int | None = None) -> Document:
        """A new snapshot with one edit applied; the version counts up by one unless it is given."""
        return Document(
            self.uri,
            edit.apply(self.text),
            self.language,
            self.version + 1 if version is None else version,
            self._starts_after(edit),
        )

    def _starts_after(self, edit: Edit) -> list[int] | None:
        """Line starts after ``edit``, from those before it: a scan of a megabyte at each keystroke is too slow.

        None (scan when asked) if they are not known yet, or where a ``\\r`` next to the edit may be
        joined to a ``\\n`` or separated from it.
        """
        known: list[int] | None = self.__dict__.get("line_starts")
        stop = edit.offset + edit.delete
        around = self.text[max(edit.offset - 1, 0) : edit.offset] + self.text[stop : stop + 1]
        if known is None or "\r" in edit.insert or "\r" in around or "\r" in self.text[edit.offset : stop]:
            return None
        shift = len(edit.insert) - edit.delete
        first, last = bisect_right(known, edit.offset), bisect_right(known, stop)
        inside = [edit.offset + match.end() for match in _LINE_END.finditer(edit.insert)]
        return known[:first] + inside + [start + shift for start in known[last:]]


def with_lf(text: str) -> str:
    """The text with ``\\n`` for ``\\r\\n``: the only line end that models know."""
    return text.replace("\r\n", "\n") if "\r" in text else text


def uses_crlf(text: str) -> bool:
    """Whether a document's line ends are ``\\r\\n``: its first one decides, as in most editors."""
    first = text.find("\n")
    return first > 0 and text[first - 1] == "\r"
