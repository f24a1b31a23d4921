"""What a person typed, by place: the bursts of a recorded session.

A burst is a series of edits at one place. It ends when the next edit is elsewhere. The text before and after the place
does not change in a burst. So a burst is a fill-in-the-middle example that a person has made: the text around the
place, and what was written there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tabspec.replay.sessions.session import Session
from tabspec.text import Edit

# Characters that one edit inserts at most when they are typed or accepted from a completion. The longest suggestions
# have about 170. What is longer was pasted, and its first characters do not show what follows.
MOST_TYPED = 200
# Characters of a burst that are learned: what follows is far from the place where it began. As LONGEST_SPAN of the
# bundled model's own training.
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Burst:
    """``text`` was written between ``before`` and ``after``. ``finished``: the person then went on elsewhere."""

    before: str
    text: str
    after: str
    finished: bool = True


def bursts(session: Session) -> Iterator[Burst]:
    """The bursts of a session, in order. Those that leave no text, and those with pasted text, are left out."""
    text = session.text
    start = end = -1  # of the burst's text; -1: there is no burst
    pasted = False
    for event in session.edits:
        for edit in event.edits:
            if start < 0 or edit.offset > end or edit.offset + edit.delete < start:
                yield from _burst(text, start, end, pasted)
                start, end, pasted = edit.offset, edit.offset + edit.delete, False
            start, end = _grown(start, end, edit)
            pasted |= len(edit.insert) > MOST_TYPED
            text = edit.apply(text)
    yield from _burst(text, start, end, pasted)


def _grown(start: int, end: int, edit: Edit) -> tuple[int, int]:
    """The range of a burst after an edit that touches it."""
    start = min(start, edit.offset)
    return start, max(end, edit.offset + edit.delete) + len(edit.insert) - edit.delete


def _burst(text: str, start: int, end: int, pasted: bool) -> Iterator[Burst]:
    written = text[max(start, 0) : end].rstrip()  # the indentation of a line that was not begun is not learned
    if start < 0 or pasted or not written.strip():
        return
    kept = written[:LONGEST]
    yield Burst(text[:start], kept, text[start + len(kept) :], finished=kept == written)
