"""Indentation: a suggestion of several lines ends with the block that it was begun in."""

from __future__ import annotations


def leaves_block(line: str, text: str) -> int | None:
    """Where ``text`` leaves the block that it was begun in: behind the first character of its first line that stands
    further out than the first one with something on it. None if it does not.

    ``line`` is the cursor's line up to it. A closing bracket may stand further out: it ends what was begun within.
    """
    start, own = 0, -1
    for number, each in enumerate(text.split("\n")):
        if each.strip():
            depth = _depth(line + each if number == 0 else each)
            if own < 0:
                own = depth
            elif depth < own and each.lstrip()[0] not in ")]}":
                return start + len(each) - len(each.lstrip()) + 1
        start += len(each) + 1
    return None


def end_with_block(line: str, text: str) -> str:
    """``text`` up to the line that leaves its block: what comes there belongs to another one, whose place is the
    author's to choose."""
    end = leaves_block(line, text)
    return text if end is None else text[: text.rfind("\n", 0, end)]


def _depth(line: str) -> int:
    """Characters of indentation, which compare within a document that does not mix tabs and spaces."""
    return len(line) - len(line.lstrip(" \t"))
