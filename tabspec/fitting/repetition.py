"""Finds repetition in generated text. Small models get stuck in loops, or repeat the line below the cursor."""

from __future__ import annotations

import re

from tabspec.text import is_word

# A loop is a piece of 2 to 40 characters that occurs at least four times in a row. It must contain a letter or a digit,
# because a line of punctuation or indentation is written on purpose.
_SHORTEST_PIECE, _LONGEST_PIECE = 2, 40
_TIMES = 4
# The number of times within one token, a string or brackets, where a repetition may be a value (`0xFFFFFFFF`, a UUID of
# zeros, a row of a table). People do not write 32 in a row by hand.
_TIMES_IN_A_VALUE = 32
# What every loop matches. Where it does not match, which is fast to see, there is none.
_ANY = re.compile(rf"([\W_]{{,{_LONGEST_PIECE}}}[^\W_].{{,{_LONGEST_PIECE}}}?)\1{{{_TIMES - 1}}}", re.DOTALL)
# One token: a number, a name, a format's marks.
_TOKEN = re.compile(r"[\w%\\:#-]+\Z")
# One element of markup, such as a cell of a table.
_ELEMENT = re.compile(r"\s*<(\w+)[^<>\n]*>[^<>\n]*</\1>[ \t]*\Z")
# Characters. Shorter lines (`else:`, `})`, `pass`) are repeated in correct code, too.
_SHORTEST_LINE = 10
# Statements after which nothing of the block runs: a second one is never meant, however short.
_LEAVES = re.compile(r"(?:return|break|continue|raise|throw)\b")


def find_loop(text: str, since: int = 0, line: str = "") -> tuple[int, int] | None:
    """Where the first loop of ``text`` is complete, and where it begins; None if there is none.

    ``since``: no loop is complete within the first so many characters, which is known. ``line`` is the cursor's line up
    to it: a string or bracket that is open there holds what the text has on that line.
    """
    longest = _TIMES_IN_A_VALUE * _LONGEST_PIECE
    if not _ANY.search(text, max(since + 1 - longest, 0)):  # most texts have no loop, and a regular expression is fast
        return None
    for end in range(max(since + 1, _TIMES * _SHORTEST_PIECE), len(text) + 1):
        last = text[end - 1]
        for size in range(_SHORTEST_PIECE, min(_LONGEST_PIECE, end // _TIMES) + 1):
            if text[end - 1 - size] != last:  # a cheap check that rules out most sizes
                continue
            start = end - _TIMES * size
            if text[start : end - size] != text[start + size : end] or not any(
                map(str.isalnum, text[end - size : end])
            ):
                continue
            if _in_value(text, start, end, line):
                start = end - _TIMES_IN_A_VALUE * size
                if start < 0 or text[start : end - size] != text[start + size : end]:
                    continue
            return end, _first_boundary(text, start, size)
    return None


def unfinished_loop(text: str) -> int | None:
    """The start of a loop that lasts to the end of ``text``, inside brackets or a string that the text does not close.
    None if there is none. For texts that ended because of the token limit or a low probability."""
    for size in range(_SHORTEST_PIECE, min(_LONGEST_PIECE, len(text) // _TIMES) + 1):
        for left_over in range(size):
            end = len(text) - left_over
            start = end - size
            while start >= size and text[start - size : start] == text[start : start + size]:
                start -= size
            piece = text[start : start + size]
            repeated = end - start >= _TIMES * size and piece.startswith(text[end:])
            if repeated and any(map(str.isalnum, piece)):
                return start
    return None


def _first_boundary(text: str, start: int, size: int) -> int:
    """Where a loop of pieces of ``size`` characters, which was found at ``start``, begins for a reader: at a line, if
    the piece has a line end, else at least not within a word."""
    if not start or text[start - 1] == "\n":
        return start
    places = range(start, start + size)
    line_end = next((at for at in places if text[at] == "\n"), None)
    if line_end is not None:
        return line_end
    return next((at for at in places if not (is_word(text[at - 1]) and is_word(text[at]))), start)


def _in_value(text: str, start: int, end: int, line: str) -> bool:
    """Whether a repetition from ``start`` to ``end`` is a part of one token, or of a string or a pair of brackets that
    ``text`` has opened before it; or ``line`` before the text, if the repetition stands on the same line. Or a row of
    elements of markup."""
    if _TOKEN.match(text[start:end]) or _ELEMENT.match(text[start : start + (end - start) // _TIMES]):
        return True
    opening = (line if "\n" not in text[:end] else "") + text[: start + 1]
    depth, quote = 0, ""
    for i, char in enumerate(opening):
        if quote:
            quote = "" if char == quote else quote
        elif char in '"`' or (char == "'" and not (i and opening[i - 1].isalnum())):
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}" and depth:
            depth -= 1
    return bool(depth or quote)


def repeats_next_line(line: str, text: str, below: str, since: int = 0) -> int | None:
    """The end of the first line of ``text`` that equals ``below``, including its line end. None if there is none.

    ``below`` is the next line after the cursor's that is not blank, stripped. ``line`` is the cursor's line up to the
    cursor. The caller knows that the first ``since`` characters contain no such line.
    """
    if len(below) < _SHORTEST_LINE and not _LEAVES.match(below):
        return None
    end = text.find("\n", since)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        whole = text[start:end] if start else line + text[:end]
        if whole.strip() == below:
            return end + 1
        end = text.find("\n", end + 1)
    return None


def cut_repetition(line: str, text: str, below: str) -> str:
    """``text`` up to the start of its first loop, or of the line that repeats ``below``.

    ``line`` is the cursor's line up to the cursor. ``below`` is the next line that is not blank, stripped.
    """
    if found := find_loop(text, line=line):
        text = text[: found[1]]
    end = repeats_next_line(line, text + "\n", below)
    if end is None:
        return text
    return text[: max(text.rfind("\n", 0, end - 1), 0)]
