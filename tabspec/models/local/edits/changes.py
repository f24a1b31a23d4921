"""A change of lines, and what it replaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from tabspec.prompt.edit_format import PastLines
from tabspec.text import common_prefix

_TOKEN = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")
# Edits whose tokens were compared: those of some ten histories.
_COMPARED = 1024

Replacement = tuple[tuple[str, ...], tuple[str, ...]]
"""The tokens removed and added."""


@dataclass(frozen=True, slots=True)
class Change:
    """Lines ``start`` to ``stop`` (excluded) become ``new``."""

    start: int
    stop: int
    new: tuple[str, ...]

    def apply(self, lines: Sequence[str]) -> list[str]:
        return [*lines[: self.start], *self.new, *lines[self.stop :]]

    def least(self, lines: Sequence[str]) -> Change:
        """The same change of ``lines`` without the lines at its ends that stay as they are."""
        old = tuple(lines[self.start : self.stop])
        head = common_prefix(old, self.new)
        tail = common_prefix(old[head:][::-1], self.new[head:][::-1])
        return Change(self.start + head, self.stop - tail, self.new[head : len(self.new) - tail])


@lru_cache(_COMPARED)
def replacements(old: str, new: str) -> frozenset[Replacement]:
    """The runs of tokens that are replaced between two texts. White space does not count."""
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    found = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return frozenset((tuple(before[a:b]), tuple(after[c:d])) for tag, a, b, c, d in found if tag != "equal")


def repeated(change: Change, lines: Sequence[str], past: Sequence[PastLines]) -> tuple[bool, bool]:
    """Whether all replacements of a change of ``lines`` were made before, and whether only some of them were."""
    change = change.least(lines)
    own = replacements("\n".join(lines[change.start : change.stop]), "\n".join(change.new))
    before: set[Replacement] = set()
    for each in past:
        before |= replacements(each.old or "", each.new or "")
    made = own & before
    return bool(own) and made == own, bool(made) and made != own
