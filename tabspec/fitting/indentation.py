"""Indentation: a suggestion of several lines ends with the block that it was begun in."""

from __future__ import annotations


def leaves_block(line: str, text: str) -> int | None:
    """Where ``text`` leaves the block that it was begun in: behind the first character of its first line that stands
    further out than the first one with something on it. None if it does not.

    ``line`` is the cursor's line up to it. A closing bracket may stand further out: it ends what was begun within.
    """
    start = 0
    own: str | None = None
    for number, each in enumerate(text.split("\n")):
        if each.strip():
            indent = _indent(line + each if number == 0 else each)
            if own is None:
                own = indent
            elif own != indent and own.startswith(indent) and each.lstrip()[0] not in ")]}":
                return start + len(indent) + 1
        start += len(each) + 1
    return None


def end_with_block(line: str, text: str) -> str:
    """``text`` up to the line that leaves its block: what comes there belongs to another one, whose place is the
    author's to choose."""
    end = leaves_block(line, text)
    return text if end is None else text[: text.rfind("\n", 0, end)]


def _indent(line: str) -> str:
    """The indentation of a line. Two of them compare where one begins with the other: not tabs and blanks."""
    return line[: len(line) - len(line.lstrip(" \t"))]
