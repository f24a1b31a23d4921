"""Indentation: a suggestion of several lines ends with the block that it was begun in."""

from __future__ import annotations


def end_with_block(before: str, text: str) -> str:
    """``text`` up to the first of its lines that stands further out than the first one with something on it: what
    comes there belongs to another block, whose place is the author's to choose.

    ``before`` is the cursor's line up to it. A closing bracket may stand further out: it ends what was begun within.
    """
    lines = (before + text).split("\n")
    first = next((i for i, line in enumerate(text.split("\n")) if line.strip()), 0)
    own, end = _depth(lines[first]), sum(len(line) + 1 for line in lines[: first + 1])
    for line in lines[first + 1 :]:
        if line.strip() and _depth(line) < own and line.lstrip()[0] not in ")]}":
            return text[: end - 1 - len(before)]
        end += len(line) + 1
    return text


def _depth(line: str) -> int:
    """Characters of indentation, which compare within a document that does not mix tabs and spaces."""
    return len(line) - len(line.lstrip(" \t"))
