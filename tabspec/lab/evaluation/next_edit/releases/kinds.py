"""The kind of a hunk: whether it repeats a replacement that was made before in the same file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from tabspec.models.local.edits.changes import Replacement, replacements
from tabspec.train.edits.hunks import LineHunk

_NAME = re.compile(r"[^\W\d]\w*")


class Novelty(StrEnum):
    """Of the next edit, given the edits before it in this file."""

    ECHO = "echo"  # all its replacements of tokens were made before
    NAMES = "names"  # they were, but for the names in them
    PARTLY = "partly"  # some of them were
    NOVEL = "novel"
    END = "end"  # no edit remains


def kind_of(next_edit: tuple[Sequence[str], LineHunk], made: Sequence[tuple[Sequence[str], LineHunk]]) -> Novelty:
    """The kind of a hunk, given those made before; each with the lines that it is a hunk of."""
    own = _replacements(*next_edit)
    before = {each for lines, hunk in made for each in _replacements(lines, hunk)}
    if own and own <= before:
        return Novelty.ECHO
    if own and {_shape(each) for each in own} <= {_shape(each) for each in before}:
        return Novelty.NAMES
    return Novelty.PARTLY if own & before else Novelty.NOVEL


def _replacements(lines: Sequence[str], hunk: LineHunk) -> frozenset[Replacement]:
    return replacements("\n".join(lines[hunk.start : hunk.stop]), "\n".join(hunk.new))


def _shape(replacement: Replacement) -> Replacement:
    """A replacement with its names numbered in the order in which they occur."""
    numbers: dict[str, str] = {}

    def numbered(tokens: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(numbers.setdefault(t, f"name{len(numbers)}") if _NAME.fullmatch(t) else t for t in tokens)

    return numbered(replacement[0]), numbered(replacement[1])
