"""A document as pieces that can be shown on their own: definitions, blocks, and what stands between them.

No language is known here: blocks are told by indentation and blank lines, as people read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

_NAME = re.compile(r"[^\W\d]\w{2,}")  # shorter names (i, x, fn) say nothing about what is spoken of


def names(text: str) -> frozenset[str]:
    """The identifiers of three characters and more in a text; keywords are among them, and everywhere."""
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

    A block that is longer is divided where its own blocks begin, and at last between any two lines; neighbours that
    fit together stay together. A line that is too long by itself is left out: it is data.
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
    """Lines behind ``start`` at which blocks begin: the outermost ones that stand behind a blank line or, if there
    are none, behind a deeper one."""
    depths = {i: _depth(lines[i]) for i in range(start, end) if lines[i].strip()}
    for own in sorted(set(depths.values())):
        level = [i for i, depth in depths.items() if depth <= own and i > start]
        behind_blank = [i for i in level if not lines[i - 1].strip()]
        behind_deeper = [i for i in level if lines[i - 1].strip() and _depth(lines[i - 1]) > own]
        found = behind_blank or [i for i in behind_deeper if lines[i].strip()[0] not in ")]}"]
        if found:
            return found
    return []


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _joined(lines: Sequence[str], spans: Iterator[Span], longest: int) -> Iterator[Span]:
    """Neighbours together, as long as they fit."""
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
