"""Tokens of a text: words, single signs and line ends. The same for every language, so that rules are too."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(r"\w+|\n|[^\w\s]")
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


def is_identifier(text: str) -> bool:
    """Whether a token can name something."""
    return _IDENTIFIER.fullmatch(text) is not None


def occurrences(text: str, word: str) -> list[int]:
    """Offsets at which ``word`` stands as a whole word."""
    found = []
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (at and _in_word(text[at - 1])) and not (end < len(text) and _in_word(text[end])):
            found.append(at)
        at = text.find(word, end)
    return found


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"
