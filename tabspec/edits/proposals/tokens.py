"""Tokens of a text: words, single signs and line ends. They are the same for every language, and so are the rules."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from tabspec.text import is_word

_TOKEN = re.compile(r"\w+|\n|[^\w\s]")
# A run of capitals before a capitalised word, a capitalised or lower word, a run of capitals, digits.
_SUBWORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
LINE_END = "\n"


class Token(NamedTuple):
    """A token and its code-point offsets."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a text, in order. White space other than line ends is left out."""
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


class Words:
    """The tokens of a document. Their texts are found at once, and the offsets of one when it is read: a rule needs
    them only where it fits, and a document has tens of thousands of tokens.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.texts: list[str] = _TOKEN.findall(text)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Token:
        line = bisect_left(self._line_ends, index)
        first = self._line_ends[line - 1] + 1 if line else 0
        start = self._line_starts[line]
        token = tokens(self._text[start : self._line_starts[line + 1]])[index - first]
        return Token(token.text, start + token.start, start + token.end)

    @cached_property
    def _line_ends(self) -> list[int]:
        """The indexes of the line ends among the tokens."""
        return [index for index, text in enumerate(self.texts) if text == LINE_END]

    @cached_property
    def _line_starts(self) -> list[int]:
        """The offset of each line, and the text's end."""
        return [0, *accumulate(len(line) + 1 for line in self._text.split(LINE_END))]


def is_identifier(text: str) -> bool:
    """Whether a token can name something."""
    return _IDENTIFIER.fullmatch(text) is not None


def subwords(identifier: str) -> tuple[str, ...]:
    """Its subwords in lower case: ``groupBy``, ``group_by`` and ``GROUP_BY`` all give ``("group", "by")``."""
    return tuple(part.lower() for part in _SUBWORD.findall(identifier))


def occurrences(text: str, word: str) -> list[int]:
    """Offsets at which ``word`` stands as a whole word."""
    found = []
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (at and is_word(text[at - 1])) and not (end < len(text) and is_word(text[end])):
            found.append(at)
        at = text.find(word, end)
    return found
