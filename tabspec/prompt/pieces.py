"""Divides a document into pieces that can be shown on their own: definitions, blocks, and the lines between them.

This works for any language: indentation and blank lines delimit blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

_NAME = re.compile(r"[^\W\d]\w{2,}")  # shorter names (i, x, fn) do not identify a subject


def names(text: str) -> frozenset[str]:
    """The identifiers of three characters and more in a text. Keywords count as identifiers: they are frequent."""
    return frozenset(_NAME.findall(text))


@dataclass(frozen=True)
class Piece:
    """A run of whole lines of the document called ``path``, without blank lines around it."""

    path: str
    text: str

    @cached_property
    def names(self) -> frozenset[str]:
        """Its identifiers."""
        return names(self.text)


def pieces(path: str, text: str, longest: int) -> tuple[Piece, ...]:
    """The pieces of a document, in its order, none longer than ``longest`` characters.

    A longer block is divided where its inner blocks begin, or else in its middle; adjacent pieces that fit together are
    joined. A line longer than ``longest`` is left out: it is data.
    """
    lines = text.splitlines(keepends=True)
    found = []
    for start, end in _joined(lines, _blocks(lines, 0, len(lines), longest), longest):
        piece = "".join(lines[start:end]).strip("\r\n")
        if piece.strip() and len(piece) <= longest:
            found.append(Piece(path, piece))
    return tuple(found)


Span = tuple[int, int]  # lines, the end not included


def _blocks(lines: Sequence[str], start: int, end: int, longest: int) -> Iterator[Span]:
    """Spans that cover ``lines[start:end]``, as large as fits."""
    if end - start <= 1 or sum(map(len, lines[start:end])) <= longest:
        yield start, end
        return
    begins = _begins(lines, start, end)
    if not begins:
        middle = (start + end) // 2
        begins = [middle]
    for first, last in zip([start, *begins], [*begins, end], strict=True):
        yield from _blocks(lines, first, last, longest)


def _begins(lines: Sequence[str], start: int, end: int) -> list[int]:
    """Lines after ``start`` at which blocks begin: the outermost ones that follow a blank line or, if there are none, a
    deeper line."""
    depths = {i: _depth(lines[i]) for i in range(start, end) if lines[i].strip()}
    for own in sorted(set(depths.values())):
        level = [i for i, depth in depths.items() if depth <= own and i > start]
        after_blank = [i for i in level if not lines[i - 1].strip()]
        after_deeper = [i for i in level if lines[i - 1].strip() and _depth(lines[i - 1]) > own]
        found = after_blank or [i for i in after_deeper if lines[i].strip()[0] not in ")]}"]
        if found:
            return found
    return []


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _joined(lines: Sequence[str], spans: Iterator[Span], longest: int) -> Iterator[Span]:
    """Adjacent spans joined, as long as they fit."""
    held: Span | None = None
    size = 0
    for start, end in spans:
        more = sum(map(len, lines[start:end]))
        if held and size + more <= longest:
            held, size = (held[0], end), size + more
            continue
        if held:
            yield held
        held, size = (start, end), more
    if held:
        yield held
