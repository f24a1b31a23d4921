"""Who plays what: users at once, each somewhere in one of the recordings, each beginning at its own moment."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tabspec.replay.sessions.session import EditEvent, Session, Side
from tabspec.text import apply_edits

# Places of a recording at which users begin. More places are more different questions, each of which the model has to
# answer once; users at one place differ in when they begin, and from there on in what they had to wait for.
PLACES = 8
# Users begin within so many seconds: apart by more than a pause between two words, so that they do not march in step.
STAGGER_S = 5.0


@dataclass(frozen=True, slots=True)
class SessionPart:
    """What a user plays: ``session`` is an excerpt; it begins ``offset`` seconds after the first user may."""

    user: int
    session: Session
    offset: float


def population(
    sessions: Sequence[Session], users: int, seconds: float, seed: int = 0, limit: int | None = None
) -> Iterator[SessionPart]:
    """The parts of ``users`` users, each of ``seconds`` seconds of a recording, and of ``limit`` edits at most.

    Sessions are dealt out in turn; places and offsets are drawn. The same seed gives the same parts, and the first
    users of a larger population are those of a smaller one.
    """

    @cache
    def part(number: int, place: int) -> Session:
        session = sessions[number]
        return excerpt(session, place * len(session.edits) // PLACES, seconds, limit)

    for user in range(users):
        place, offset = drawn(user, seed)
        yield SessionPart(user, part(user % len(sessions), place), offset)


def drawn(user: int, seed: int = 0) -> tuple[int, float]:
    """At which of the places a user begins, and how many seconds after the first user may."""
    draw = random.Random(f"{seed}|{user}")
    return draw.randrange(PLACES), draw.uniform(0, STAGGER_S)


def excerpt(session: Session, first: int, seconds: float, limit: int | None = None) -> Session:
    """From edit event number ``first`` on, the edits of ``seconds`` seconds, ``limit`` of them at most (and one at
    least, where there is one). Its document is as the edits before it left it, and its clock begins with it.

    What stands in the side file is left out: cursors and answers of another stretch would not fit.
    """
    text = session.text
    for earlier in session.edits[:first]:
        text = apply_edits(text, earlier.edits)
    chosen = session.edits[first:][:limit]
    chosen = tuple(event for event in chosen if event.t <= chosen[0].t + seconds) if chosen else ()
    begin = chosen[0].t if chosen else 0.0
    last = first + len(chosen) - 1
    events = []
    number = -1
    for event in session.events:
        number += isinstance(event, EditEvent)
        if first <= number <= last:
            events.append(replace(event, t=max(event.t - begin, 0.0)))
    return replace(session, text=text, events=tuple(events), side=Side())
