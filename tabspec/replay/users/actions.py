"""What the recorded person did: edits and moves of the cursor, in all documents of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from tabspec.edits.reward import effort
from tabspec.replay.sessions.session import MarkEvent, Session, with_cursors
from tabspec.text import Edit, difference


@dataclass(frozen=True, slots=True)
class Action:
    """A step of the recording, at ``t`` seconds of its time. ``accept``: an accepted suggestion.

    ``edits`` are made one after another (none: the cursor moves). ``cursor`` is the offset of the cursor after them.
    ``part`` numbers the session's parts (`Session.parts`): the document that it is in.
    """

    t: float
    edits: tuple[Edit, ...]
    cursor: int
    accept: bool = False
    part: int = 0


def actions_of(session: Session) -> tuple[Action, ...]:
    """The edits of all parts of a recording, and its moves of the cursor if they were recorded, in the order of time.

    Edits are reduced to what they change: editors write an accepted suggestion over the start of the line, and a
    completed word over the word. Moves of the cursor that follow from an edit are part of the edit.
    """
    if not session.others:
        return tuple(_actions(session))
    found = (replace(each, part=at) for at, one in enumerate(session.parts) for each in _actions(one, returns=True))
    ordered = sorted(found, key=lambda each: each.t)
    return (*ordered[:1], *(each for last, each in pairwise(ordered) if not _stays(last, each)))


def keys(actions: Iterable[Action], cursor: int, part: int = 0) -> int:
    """The keys that a person presses for ``actions``, from a ``cursor`` in a ``part``."""
    count = 0
    for action in actions:
        count += not action.edits
        for edit in action.edits[:1]:
            there = action.part == part and edit.offset <= cursor <= edit.offset + edit.delete
            count += effort(edit, not there)
        count += sum(effort(edit, False) for edit in action.edits[1:])  # made by the editor, or by several cursors
        cursor, part = action.cursor, action.part
    return count


def _stays(last: Action, action: Action) -> bool:
    """Whether an action leaves the cursor where the last one has put it."""
    return not action.edits and (action.part, action.cursor) == (last.part, last.cursor)


def _actions(session: Session, returns: bool = False) -> Iterator[Action]:
    """Those of one document. ``returns``: a move to where the cursor was may be a return from another document."""
    moves: dict[int, list[tuple[float, int]]] = {}
    number = -1
    for event in session.events:
        if not isinstance(event, MarkEvent):
            number += 1
        elif event.kind == "select" and event.cursor is not None:
            moves.setdefault(number, []).append((event.t, event.cursor))
    for selection in session.side.selections:
        if selection.ranges:
            moves.setdefault(selection.after, []).append((selection.t, selection.ranges[0][1]))

    text, cursor, last = session.text, -1, 0.0

    def moves_after(number: int) -> Iterator[Action]:
        nonlocal cursor, last
        for t, target in sorted(moves.get(number, ())):
            if (returns or target != cursor) and 0 <= target <= len(text):
                cursor, last = target, max(t, last)
                yield Action(last, (), cursor)

    yield from moves_after(-1)
    for number, event in enumerate(with_cursors(session.edits, session.side.events)):
        edits = []
        for edit in event.edits:
            changed = difference(text[edit.offset : edit.offset + edit.delete], edit.insert)
            text = edit.apply(text)
            if changed is not None:
                edits.append(replace(changed, offset=edit.offset + changed.offset))
        target, last = min(event.likely_cursor, len(text)), max(event.t, last)
        if edits or target != cursor:
            cursor = target
            yield Action(last, tuple(edits), cursor, bool(edits) and number in session.accepts)
        yield from moves_after(number)
