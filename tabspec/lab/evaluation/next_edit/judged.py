"""Compares a proposed edit with the remaining hunks of a commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabspec.edits.edit import ProposedEdit
from tabspec.edits.proposals.tokens import tokens
from tabspec.edits.step import lines_with_ends
from tabspec.lab.evaluation.next_edit.changed_files import CommitHunk
from tabspec.text import Document

# Longer regions are compared by lines only, because comparing their tokens takes seconds.
MOST_TOKENS = 600


@dataclass(frozen=True)
class Verdict:
    """How a proposed edit agrees with a commit.

    ``place``: the commit changes these lines, too. ``text``: each line that the edit changes is changed to the same
    text by the commit. ``way``: the same for each token; the commit may change more tokens of these lines.
    """

    place: bool
    text: bool
    way: bool


def verdict(document: Document, edit: ProposedEdit, left: Sequence[CommitHunk]) -> Verdict:
    """Compare one edit of a document with ``left``, the remaining hunks of the commit."""
    now = lines_with_ends(document.text)
    after = lines_with_ends(edit.apply(document).text)
    start = _same(now, after)
    tail = _same(now[start:][::-1], after[start:][::-1])
    stop = len(now) - tail
    touched = [hunk for hunk in left if hunk.start <= stop and hunk.stop >= start and _meets(hunk, start, stop)]
    if not touched:
        return Verdict(False, False, False)
    first, last = min(start, touched[0].start), max(stop, touched[-1].stop)
    proposed = [*now[first:start], *after[start : len(after) - tail], *now[stop:last]]
    wanted: list[str] = []
    at = first
    for hunk in touched:
        wanted += [*now[at : hunk.start], *hunk.new]
        at = hunk.stop
    wanted += now[at:last]
    text = _on_the_way(now[first:last], proposed, wanted)
    words = [[token.text for token in tokens("".join(lines))] for lines in (now[first:last], proposed, wanted)]
    return Verdict(True, text, text or (max(map(len, words)) <= MOST_TOKENS and _on_the_way(*words)))


def _meets(hunk: CommitHunk, start: int, stop: int) -> bool:
    """Whether a hunk and a range of lines have a line in common, or one of them inserts lines at the other's border."""
    if start == stop or hunk.start == hunk.stop:
        return hunk.start <= stop and start <= hunk.stop
    return hunk.start < stop and start < hunk.stop


def _on_the_way(now: Sequence[str], proposed: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether ``proposed`` is on a shortest edit path from ``now`` to ``wanted``."""
    return distance(now, proposed) + distance(proposed, wanted) == distance(now, wanted)


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """The number of deletions and insertions of items that turn one list into the other."""
    head = _same(a, b)
    a, b = a[head:], b[head:]
    tail = _same(a[::-1], b[::-1])
    a, b = a[: len(a) - tail], b[: len(b) - tail]
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], above if x == y else 1 + min(row[j], row[j - 1])
    return row[-1]


def _same(a: Sequence[str], b: Sequence[str]) -> int:
    size = 0
    while size < min(len(a), len(b)) and a[size] == b[size]:
        size += 1
    return size
