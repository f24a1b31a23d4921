"""Indentation: a suggestion of several lines ends with the block that it was begun in."""

from __future__ import annotations


def end_with_block(before: str, text: str) -> str:
    """``text`` up to the first of its lines that stands further out than the line of the cursor, which begins with
    ``before``: what comes there belongs to another block, and a line of it is there already or is not wanted yet.

    A closing bracket may stand further out: it ends what was begun within the block.
    """
    own = _depth(before + text.split("\n", 1)[0])
    at = text.find("\n")
    while at >= 0:
        line = text[at + 1 :].split("\n", 1)[0]
        if line.strip() and _depth(line) < own and line.lstrip()[0] not in ")]}":
            return text[:at]
        at = text.find("\n", at + 1)
    return text


def _depth(line: str) -> int:
    """Characters of indentation, which compare within a document that does not mix tabs and spaces."""
    return len(line) - len(line.lstrip(" \t"))
