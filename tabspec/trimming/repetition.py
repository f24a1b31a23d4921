"""Repetition: small models go round in circles, and say again what stands below the cursor."""

from __future__ import annotations

import re

# A circle is a piece of so many characters, with a letter or digit in it, so many times in a row. (A rule of signs, or
# indentation, is meant.)
_SHORTEST_TURN, _LONGEST_TURN = 2, 40
_TURNS = 4
_ANY = re.compile(rf"(.{{{_SHORTEST_TURN},{_LONGEST_TURN}}}?)\1{{{_TURNS - 1}}}", re.DOTALL)
# Shorter lines (`else:`, `})`, `pass`) stand one below the other in good code.
_SHORTEST = 10


def circle(text: str, since: int = 0) -> tuple[int, int] | None:
    """Where the first circle of ``text`` is complete, and where its first turn ends; None if there is none.

    ``since``: no circle is complete within the first so many characters, which is known.
    """
    if not _ANY.search(text, max(since + 1 - _TURNS * _LONGEST_TURN, 0)):  # hardly ever is there one: told in C
        return None
    for end in range(max(since + 1, _TURNS * _SHORTEST_TURN), len(text) + 1):
        last = text[end - 1]
        for turn in range(_SHORTEST_TURN, min(_LONGEST_TURN, end // _TURNS) + 1):
            if text[end - 1 - turn] != last:  # (most are ruled out by this)
                continue
            start = end - _TURNS * turn
            if text[start : end - turn] == text[start + turn : end] and any(map(str.isalnum, text[end - turn : end])):
                return end, start + turn
    return None


def says_below(line: str, text: str, below: str, since: int = 0) -> int | None:
    """Where the first line of ``text`` ends, its line end included, that says again what stands ``below`` the cursor's
    line (without blanks around it). ``line`` is the cursor's line up to it. None if there is none.

    ``since`` characters are known to hold none that is complete.
    """
    if len(below) < _SHORTEST:
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
    """``text`` up to where it begins to go round in circles, or to say again the line ``below`` the cursor's.

    ``line`` is the cursor's line up to it; ``below`` the next one with something on it, without blanks around it.
    """
    if found := circle(text):
        text = text[: found[1]]
    end = says_below(line, text + "\n", below)
    if end is None:
        return text
    return text[: max(text.rfind("\n", 0, end - 1), 0)]
