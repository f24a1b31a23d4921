"""Lines of a file and their words, from a coarse lexical scan that works for all languages of the corpus."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

# What happens to some lines: each is replaced by these ones.
Changes = dict[int, tuple[str, ...]]


class WordKind(IntEnum):
    """What a word is."""

    NAME = 0
    STRING = 1
    COMMENT = 2
    NUMBER = 3
    OTHER = 4  # operators and brackets, one character each


class Word(NamedTuple):
    """A word and its place."""

    line: int
    start: int
    end: int
    text: str
    kind: WordKind


_HASH = re.compile(
    r"""(?P<s>[rbfuRBFU]{0,2}(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))|(?P<c>\#.*)|(?P<n>[^\W\d]\w*)|(?P<d>\d[\w.]*)|(?P<o>\S)"""
)
_SLASH = re.compile(
    r"""(?P<s>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)|(?P<c>//.*|/\*.*?\*/|^\s*\*.*)|"""
    r"""(?P<n>[^\W\d][\w$]*|\$\w+)|(?P<d>\d[\w.]*)|(?P<o>\S)"""
)
_KINDS = {"s": WordKind.STRING, "c": WordKind.COMMENT, "n": WordKind.NAME, "d": WordKind.NUMBER, "o": WordKind.OTHER}

_KEYWORDS = """
False None True and as assert async await break case class const continue crate def default del do elif else
enum except export extends extern finally fn for from function global if impl import in instanceof interface
is lambda let loop match mod move mut new nonlocal not null of or pass pub raise ref return self Self static
struct super switch this throw trait true false try type typeof undefined unsafe use var void where while with
yield cls int str bool float list dict set tuple object string number boolean any i32 i64 u8 u32 u64 usize
String Vec Option Result Some Ok Err print len range isinstance require module exports console args kwargs
public private protected readonly constructor get declare namespace unknown never abstract override
"""
KEYWORDS = frozenset(_KEYWORDS.split())


@dataclass
class Region:
    """Some lines of a file."""

    name: str
    language: str
    lines: Sequence[str]

    @cached_property
    def words(self) -> list[Word]:
        """The words of all lines. Lines in Python's long strings count as comments."""
        pattern = _HASH if self.language == "python" else _SLASH
        found: list[Word] = []
        quoted = False
        for number, line in enumerate(self.lines):
            marks = line.count('"""') + line.count("'''") if self.language == "python" else 0
            if quoted or marks:
                if line.strip():
                    found.append(Word(number, 0, len(line), line, WordKind.COMMENT))
                quoted ^= marks % 2 == 1
                continue
            for match in pattern.finditer(line):
                found.append(Word(number, match.start(), match.end(), match.group(), _KINDS[match.lastgroup or "o"]))
        return found

    @cached_property
    def names(self) -> dict[str, list[int]]:
        """The indices in `words` of each name that is no keyword."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(self.words):
            if word.kind is WordKind.NAME and word.text not in KEYWORDS:
                found[word.text].append(index)
        return found

    def rewritten(self, edits: Sequence[tuple[Word, str]]) -> Changes:
        """The changes that replace words by texts."""
        by_line: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
        for word, text in edits:
            by_line[word.line].append((word.start, word.end, text))
        return {number: (replaced(self.lines[number], found),) for number, found in by_line.items()}

    def block(self, line: int) -> tuple[int, int]:
        """The lines of the outermost block around ``line`` that is indented, with the line that opens it."""
        depth = indentation(self.lines[line])
        first = line
        while first > 0 and (depth > 0 or not self.lines[first].strip()):
            first -= 1
            if self.lines[first].strip():
                depth = min(depth, indentation(self.lines[first]))
        last = line + 1
        while last < len(self.lines):
            text = self.lines[last]
            if text.strip() and indentation(text) <= depth and text.strip()[0] not in ")]}":
                break
            last += 1
        return first, last


def indentation(line: str) -> int:
    """The number of white space characters before the text of a line."""
    return len(line) - len(line.lstrip())


def indent_of(line: str) -> str:
    """The white space before the text of a line."""
    return line[: indentation(line)]


def replaced(line: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """A line with the ranges of characters replaced, which do not overlap."""
    for start, end, text in sorted(edits, reverse=True):
        line = line[:start] + text + line[end:]
    return line


def _outside_strings(text: str, start: int = 0) -> Iterator[tuple[int, str, int]]:
    """The characters of ``text`` from ``start`` that are outside of strings: the offset of each, and how many
    brackets are open after it."""
    depth, quote = 0, ""
    for at in range(start, len(text)):
        char = text[at]
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
            continue
        if char in "\"'`":
            quote = char
        depth += (char in "([{") - (char in ")]}")
        yield at, char, depth


def closing(line: str, opener: int) -> int | None:
    """The place of the bracket that closes the one at ``opener``, on the same line. Brackets in strings are skipped."""
    return next((at for at, char, depth in _outside_strings(line, opener) if char in ")]}" and depth == 0), None)


def arguments(text: str) -> list[tuple[int, int]]:
    """The ranges of the arguments in the text between two brackets, without white space around them."""
    found: list[tuple[int, int]] = []
    start = 0
    for at, char, depth in _outside_strings(text + ","):
        if char == "," and depth == 0:
            piece = text[start:at]
            if piece.strip():
                found.append((start + indentation(piece), start + len(piece.rstrip())))
            start = at + 1
    return found
