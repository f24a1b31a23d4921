"""Recorded sessions in the order of time, and their division into an earlier and a later part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tabspec.errors import InputError
from tabspec.replay.sessions.session import EditEvent, Session, Side
from tabspec.replay.sessions.session_file import read_session, session_files

# Fewer edits are an hour of typing or less: their last part shows nothing beyond chance.
LEAST_EDITS = 2_000
# The newest ones are used. A week of typing takes about 10 MB (60 bytes an edit); in memory an edit takes some 500 B.
MOST_EDITS = 300_000


def read_sessions(folder: Path, least: int = LEAST_EDITS, most: int = MOST_EDITS) -> list[Session]:
    """The newest sessions in ``folder``, the oldest first. The recorder's file names begin with the time.

    Raises `InputError` if there are none, if one is broken, or if they have fewer than ``least`` edits.
    """
    try:
        files = session_files(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    if not files:
        raise InputError(
            f"{folder}: contains no recorded session (*.jsonl); record some with: tabspec-lsp --record DIR"
        )
    found: list[Session] = []
    edits = 0
    for path in reversed(files):
        session = read_session(path)
        edits += len(session.edits)
        found.append(session)
        if edits >= most:
            break
    if edits < least:
        raise InputError(f"{folder}: has only {edits:,} edits, and at least {least:,} are needed; record more first")
    return found[::-1]


def split(sessions: Sequence[Session], share: float) -> tuple[list[Session], list[Session]]:
    """The earlier part of the sessions, with this share of the edits, and the later part. One session may be cut: its
    later part begins with the text at the cut."""
    left = round(share * sum(len(session.edits) for session in sessions))
    earlier: list[Session] = []
    later: list[Session] = []
    for session in sessions:
        count = len(session.edits)
        if left >= count and not later:
            earlier.append(session)
        elif left > 0:
            head, tail = _cut(session, left)
            earlier.append(head)
            later.append(tail)
        else:
            later.append(session)
        left = max(left - count, 0)
    return earlier, later


def _cut(session: Session, edits: int) -> tuple[Session, Session]:
    """A session up to its edit number ``edits``, and from there on."""
    numbers = [at for at, event in enumerate(session.events) if isinstance(event, EditEvent)]
    place = numbers[edits]
    head = replace(session, events=session.events[:place])
    # Side events are numbered by edits from the start. They are of no use for what is done here.
    return head, replace(session, text=head.final_text(), events=session.events[place:], side=Side())
