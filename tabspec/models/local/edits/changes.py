"""A change of lines, the tokens that it replaces, and the same replacements made again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from tabspec.prompt.edit_format import PastLines
from tabspec.text import common_prefix

_TOKEN = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")
# What is replaced again has a name of more than one letter: brackets and operators stand everywhere.
_TELLING = re.compile(r"[^\W\d]\w")
# Edits whose tokens were compared: those of some ten histories.
_COMPARED = 1024

TokenTexts = tuple[str, ...]
Replacement = tuple[TokenTexts, TokenTexts]
"""The tokens removed and added."""


class _ReplacedRun(NamedTuple):
    """A run of tokens that is replaced, and the ``text`` of the new ones, with the white space in it."""

    old: TokenTexts
    new: TokenTexts
    text: str


@dataclass(frozen=True, slots=True)
class LineChange:
    """Lines ``start`` to ``stop`` (excluded) become ``new``."""

    start: int
    stop: int
    new: tuple[str, ...]

    def apply(self, lines: Sequence[str]) -> list[str]:
        return [*lines[: self.start], *self.new, *lines[self.stop :]]

    def least(self, lines: Sequence[str]) -> LineChange:
        """The same change of ``lines`` without the lines at its ends that stay as they are."""
        old = tuple(lines[self.start : self.stop])
        head = common_prefix(old, self.new)
        tail = common_prefix(old[head:][::-1], self.new[head:][::-1])
        return LineChange(self.start + head, self.stop - tail, self.new[head : len(self.new) - tail])

    def touches(self, start: int, stop: int) -> bool:
        """Whether it changes any of lines ``start`` to ``stop`` (excluded), or inserts between them."""
        if self.start == self.stop:
            return start < self.start < stop
        return self.start < stop and self.stop > start


def replacements(old: str, new: str) -> frozenset[Replacement]:
    """The runs of tokens that are replaced between two texts. White space does not count."""
    return frozenset((run.old, run.new) for run in _runs(old, new))


def repeated(change: LineChange, lines: Sequence[str], past: Sequence[PastLines]) -> tuple[bool, bool]:
    """Whether all replacements of a change of ``lines`` were made before, and whether only some of them were.

    A number that was replaced once is no example: another number that is equal seldom means the same.
    """
    change = change.least(lines)
    own = replacements("\n".join(lines[change.start : change.stop]), "\n".join(change.new))
    before: Counter[Replacement] = Counter()
    for each in past:
        before.update(replacements(each.old or "", each.new or ""))
    made = {each for each in own if before[each] > _is_number(each)}
    return bool(own) and made == own, bool(made) and made != own


def made_again(text: str, past: Sequence[PastLines]) -> str:
    """``text`` with all replacements of names that past edits have made: from left to right, the longest that fits, and
    of several for the same tokens the last one made."""
    table: dict[TokenTexts, str] = {}
    for each in reversed(past):
        for run in _runs(each.old or "", each.new or ""):
            if any(_TELLING.match(token) for token in run.old):
                table.setdefault(run.old, run.text)
    longest = max(map(len, table), default=0)
    found = list(_TOKEN.finditer(text))
    tokens = tuple(token.group() for token in found)
    pieces: list[str] = []
    written = at = 0
    while at < len(tokens):
        fitting = (size for size in range(min(longest, len(tokens) - at), 0, -1) if tokens[at : at + size] in table)
        size = next(fitting, 0)
        if size:
            pieces += [text[written : found[at].start()], table[tokens[at : at + size]]]
            written = found[at + size - 1].end()
        at += size or 1
    return "".join(pieces) + text[written:]


def _is_number(replacement: Replacement) -> bool:
    old, new = replacement
    return all(token.isdigit() for token in (*old, *new))


@lru_cache(_COMPARED)
def _runs(old: str, new: str) -> tuple[_ReplacedRun, ...]:
    before, after = list(_TOKEN.finditer(old)), list(_TOKEN.finditer(new))
    names, renamed = [token.group() for token in before], [token.group() for token in after]
    found = []
    for kind, i, j, k, m in SequenceMatcher(None, names, renamed, autojunk=False).get_opcodes():
        if kind != "equal":
            text = new[after[k].start() : after[m - 1].end()] if m > k else ""
            found.append(_ReplacedRun(tuple(names[i:j]), tuple(renamed[k:m]), text))
    return tuple(found)
