"""What a step changed, token by token, and in which context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tabspec.edits.proposals.tokens import LINE_END, is_identifier, tokens
from tabspec.edits.step import Step

# A longer step is not a small change that is repeated elsewhere, and comparing it takes milliseconds.
MOST_CHARS = 1_500
# From where to where in the old tokens, and in the new ones.
_TokenRange = tuple[int, int, int, int]
# How many tokens beside a change are kept as its context: about what stands on a line.
CONTEXT = 12


@dataclass(frozen=True)
class Change:
    """One run of tokens that was replaced by another; either may be empty, not both.

    ``left`` and ``right`` are the tokens beside it, the nearest last and first; a line end is a token, and the context
    ends there. ``text`` is what was written, with the white space in it; ``gap`` the white space that stood between the
    two contexts where something was put in, ``head`` and ``tail`` what stands on either side of it now.
    """

    step: Step
    old: tuple[str, ...]
    new: tuple[str, ...]
    text: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    start: int  # offset of the old run in the step's old text
    gap: str = ""
    head: str = ""
    tail: str = ""
    alone: bool = True  # whether the step changed nothing else than this, here or several times

    @property
    def is_word(self) -> bool:
        """Whether one token took the place of one."""
        return len(self.old) == len(self.new) == 1


def changes(step: Step) -> tuple[Change, ...]:
    """The changes of a step; none where it is too large to be a pattern, or was not typed."""
    if not step.typed or len(step.old) + len(step.new) > MOST_CHARS or not step.old or not step.new:
        return ()
    old, new = tokens(step.old), tokens(step.new)
    names, renamed = [each.text for each in old], [each.text for each in new]
    runs = _runs(names, renamed)
    pairs = {(tuple(names[i:j]), tuple(renamed[k:m])) for i, j, k, m in runs}
    same_lines = names.count(LINE_END) == renamed.count(LINE_END)
    alone = same_lines and (len(pairs) == 1 or all(j - i == m - k == 1 for i, j, k, m in runs))
    if not alone:
        runs = _by_line(runs, names, renamed)
    found = []
    for i, j, k, m in runs:
        text = step.new[new[k].start : new[m - 1].end] if m > k else ""
        start = old[i].start if i < len(old) else len(step.old)
        gap = step.old[old[i - 1].end if i else 0 : start] if i == j else ""
        head = step.new[new[k - 1].end if k else 0 : new[k].start] if m > k else ""
        tail = step.new[new[m - 1].end : new[m].start if m < len(new) else len(step.new)] if m > k else ""
        context = _left(names, i), _right(names, j)
        before, after = tuple(names[i:j]), tuple(renamed[k:m])
        found.append(Change(step, before, after, text, *context, start, gap, head, tail, alone))
    return tuple(found)


def _runs(names: Sequence[str], renamed: Sequence[str]) -> list[_TokenRange]:
    """The runs that differ, each within a line; single words where only words took the place of words."""
    runs: list[_TokenRange] = []
    for kind, i, j, k, m in SequenceMatcher(None, names, renamed, autojunk=False).get_opcodes():
        if kind == "equal" or LINE_END in names[i:j] or LINE_END in renamed[k:m]:
            continue
        differing = [n for n in range(j - i) if j - i == m - k and names[i + n] != renamed[k + n]]
        if differing and all(is_identifier(names[i + n]) and is_identifier(renamed[k + n]) for n in differing):
            runs += [(i + n, i + n + 1, k + n, k + n + 1) for n in differing]
        else:
            runs.append((i, j, k, m))
    return runs


def _by_line(runs: Sequence[_TokenRange], names: Sequence[str], renamed: Sequence[str]) -> list[_TokenRange]:
    """Joins the changes of each line into one change."""
    joined: list[_TokenRange] = []
    for i, j, k, m in runs:
        if joined and LINE_END not in names[joined[-1][1] : i] and LINE_END not in renamed[joined[-1][3] : k]:
            joined[-1] = (joined[-1][0], j, joined[-1][2], m)
        else:
            joined.append((i, j, k, m))
    return joined


def _left(names: Sequence[str], at: int) -> tuple[str, ...]:
    first = at
    while first > max(at - CONTEXT, 0) and names[first - 1] != LINE_END:
        first -= 1
    return (*((LINE_END,) if first == 0 or names[first - 1] == LINE_END else ()), *names[first:at])


def _right(names: Sequence[str], at: int) -> tuple[str, ...]:
    last = at
    while last < min(at + CONTEXT, len(names)) and names[last] != LINE_END:
        last += 1
    return (*names[at:last], *((LINE_END,) if last == len(names) or names[last] == LINE_END else ()))
