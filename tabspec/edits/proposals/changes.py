"""What a step changed, token by token, and in which context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tabspec.edits.proposals.tokens import LINE_END, Token, tokens
from tabspec.edits.step import Step

# A step of more characters is no small change that one repeats elsewhere; comparing it would cost milliseconds.
MOST_CHARS = 1_500
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
    matcher = SequenceMatcher(None, names, renamed, autojunk=False)
    found = []
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal" or LINE_END in names[i:j] or LINE_END in renamed[k:m]:
            continue
        text = step.new[new[k].start : new[m - 1].end] if m > k else ""
        start = old[i].start if i < len(old) else len(step.old)
        gap = step.old[old[i - 1].end if i else 0 : start] if i == j else ""
        head = step.new[new[k - 1].end if k else 0 : new[k].start] if m > k else ""
        tail = step.new[new[m - 1].end : new[m].start if m < len(new) else len(step.new)] if m > k else ""
        left, right = _left(names, i), _right(names, j)
        found.append(Change(step, tuple(names[i:j]), tuple(renamed[k:m]), text, left, right, start, gap, head, tail))
    return _split(found, old)


def _split(found: Sequence[Change], old: Sequence[Token]) -> tuple[Change, ...]:
    """Runs of equal length as single words where only words changed: `a.b` to `c.d` is two of them."""
    parts: list[Change] = []
    for change in found:
        if len(change.old) != len(change.new) or len(change.old) < 2:
            parts.append(change)
            continue
        at = next(index for index, token in enumerate(old) if token.start == change.start)
        names = [token.text for token in old]
        for offset, (before, after) in enumerate(zip(change.old, change.new, strict=True)):
            if before != after:
                index = at + offset
                left, right = _left(names, index), _right(names, index + 1)
                parts.append(Change(change.step, (before,), (after,), after, left, right, old[index].start))
    return tuple(parts)


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
