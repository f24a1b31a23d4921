"""Brackets and lists in a piece of code, without a parser: a step of the history is only a fragment of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "\"'`"
# A longer list is data, not the arguments of a call.
MOST_CHARS = 1_000


class Element(NamedTuple):
    """One element of a list, without the white space around it, and its offsets in the list's text."""

    text: str
    start: int
    stop: int


def closing(text: str, at: int, most: int = MOST_CHARS) -> int | None:
    """The offset of the bracket that closes the one at ``at``; None if that is not among the next ``most`` characters.
    Strings are skipped."""
    depth = 0
    for offset, char in _code(text, at, min(len(text), at + most)):
        if char in _CLOSING:
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return offset
    return None


def elements(text: str, types: bool = False) -> list[Element]:
    """The elements of a list that commas separate. ``types``: angle brackets are brackets, as in a list of parameters.
    A comma after the last element begins no further one."""
    found = []
    start = depth = 0
    previous = ""
    for offset, char in _code(text, 0, len(text)):
        if char in _CLOSING or (types and char == "<"):
            depth += 1
        elif char in ")]}" or (types and char == ">" and previous not in "=-"):
            depth -= 1
        elif char == "," and depth == 0:
            found.append(_part(text, start, offset))
            start = offset + 1
        previous = char
    if text[start:].strip():
        found.append(_part(text, start, len(text)))
    return found


def top(text: str, signs: str) -> int | None:
    """The offset of the first of ``signs`` that stands in no bracket."""
    depth = 0
    for offset, char in _code(text, 0, len(text)):
        if depth == 0 and char in signs:
            return offset
        if char in "([{<":
            depth += 1
        elif char in ")]}" or (char == ">" and text[offset - 1 : offset] not in ("=", "-")):
            depth -= 1
    return None


def _part(text: str, start: int, stop: int) -> Element:
    body = text[start:stop]
    first = start + len(body) - len(body.lstrip())
    return Element(body.strip(), first, first + len(body.strip()))


def _code(text: str, start: int, stop: int) -> Iterator[tuple[int, str]]:
    """The characters that are in no string. A quote without a second one on its line begins no string: Rust's
    lifetimes."""
    at = start
    while at < stop:
        char = text[at]
        if char in _QUOTES:
            end = at + 1
            while end < len(text) and text[end] != char and text[end] != "\n":
                end += 2 if text[end] == "\\" else 1
            if end < len(text) and text[end] == char:
                at = end + 1
                continue
        yield at, char
        at += 1
