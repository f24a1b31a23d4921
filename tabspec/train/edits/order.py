"""An order of hunks as a person makes them: by dependency, common words and nearness, with some chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from tabspec.train.edits.hunks import LineHunk

_WORD = re.compile(r"[^\W\d]\w+")
_DEFINED = re.compile(r"(?:\b(?:def|class|fn|function|const|let|var|struct|enum|type|import|as)\s+|\bself\.|^\s*)(\w+)")
# How the next hunk is chosen. It is the nearest one, if no hunk shares a word with the last one.
NEAR_LINES = 12  # so many lines away, a hunk counts as much less as if it shared one changed word less
RANDOM_SHARE = 0.15
TOP_SHARE = 0.3  # of orders are from top to bottom


def order_of(lines: Sequence[str], hunks: Sequence[LineHunk], rng: Random) -> list[LineHunk]:
    """The hunks of ``lines`` in an order in which a person might make them."""
    if len(hunks) < 2:
        return list(hunks)
    rest = list(range(len(hunks)))
    if rng.random() < TOP_SHARE:
        return list(hunks)
    changed = [_changed(lines, hunk) for hunk in hunks]
    defined = [_defined(lines, hunk) for hunk in hunks]
    # first a hunk whose definitions the most others use
    used = [sum(not own.isdisjoint(other) for other in changed) for own in defined]
    best = max(used)
    at = rng.choice([n for n in rest if used[n] == best] if rng.random() > RANDOM_SHARE else rest)
    found = [at]
    rest.remove(at)
    while rest:
        if rng.random() < RANDOM_SHARE:
            at = rng.choice(rest)
        else:
            last = found[-1]
            at = max(rest, key=lambda n: _closeness(hunks, changed, last, n))
        found.append(at)
        rest.remove(at)
    return [hunks[n] for n in found]


def _closeness(hunks: Sequence[LineHunk], changed: Sequence[frozenset[str]], last: int, other: int) -> float:
    common = len(changed[last] & changed[other])
    return min(common, 3) - min(abs(hunks[last].start - hunks[other].start) / NEAR_LINES, 6.0) / 2


def _changed(lines: Sequence[str], hunk: LineHunk) -> frozenset[str]:
    """The words that a hunk removes or adds."""
    old = set(_WORD.findall("\n".join(lines[hunk.start : hunk.stop])))
    return frozenset(old ^ set(_WORD.findall("\n".join(hunk.new))))


def _defined(lines: Sequence[str], hunk: LineHunk) -> frozenset[str]:
    """The names that a hunk newly defines, or no longer."""
    old = {name for line in lines[hunk.start : hunk.stop] for name in _DEFINED.findall(line)}
    return frozenset(old ^ {name for line in hunk.new for name in _DEFINED.findall(line)})
