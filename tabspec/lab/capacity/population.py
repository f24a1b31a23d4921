"""The users of a crowd: for each user, an excerpt of a recorded session and the time at which the user begins; and the
sample of a large crowd that is replayed: some of the servers, with all of their users.

A user stays on one server, so servers do not affect each other. Some of the servers with all of their users are
therefore a random sample of the service; the only error is that of the sample's size.

A replay of all users would be too slow. An engine computes for about two milliseconds for each request, and the crowd
is replayed again for each number of servers that is tried.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tabspec.replay.sessions.session import EditEvent, Session, Side
from tabspec.text import apply_edits

# The number of places in a recording at which users can begin. With more places there are more different requests, and
# the model must compute each of them once. Users at the same place begin at different times, so their waits differ.
PLACES = 8
# All users begin within this number of seconds. It is longer than a pause between two words, so that users at the same
# place do not send their requests at the same time.
STAGGER_S = 5.0
# The approximate number of users in a sample. With twenty requests each, the 90th percentile is taken of 12,000 waits,
# so that 1,200 waits are above it.
SAMPLE = 600


@dataclass(frozen=True, slots=True)
class SessionPart:
    """The excerpt that a user replays. It begins ``offset`` seconds after the start of the replay."""

    user: int
    session: Session
    offset: float


def population(
    sessions: Sequence[Session], users: int, seconds: float, seed: int = 0, limit: int | None = None
) -> Iterator[SessionPart]:
    """Yield a part for each of ``users`` users: ``seconds`` seconds of a recording, with at most ``limit`` edits.

    Users get the sessions in turn. Their places and offsets are random. The same seed gives the same parts, and a
    larger population begins with the users of a smaller one.
    """

    @cache
    def part(number: int, place: int) -> Session:
        session = sessions[number]
        return excerpt(session, place * len(session.edits) // PLACES, seconds, limit)

    for user in range(users):
        place, offset = drawn(user, seed)
        yield SessionPart(user, part(user % len(sessions), place), offset)


def drawn(user: int, seed: int = 0) -> tuple[int, float]:
    """Draw a user's place (0 to `PLACES` - 1) and offset (seconds after the start of the replay)."""
    draw = random.Random(f"{seed}|{user}")
    return draw.randrange(PLACES), draw.uniform(0, STAGGER_S)


def excerpt(session: Session, first: int, seconds: float, limit: int | None = None) -> Session:
    """Return the excerpt that begins with edit number ``first`` and covers ``seconds`` seconds.

    It has at most ``limit`` edits, and at least one if the session has an edit there. Its document is the text after
    the earlier edits, and its times count from its first edit. The side file is left out, because its cursors and
    answers belong to the whole session.
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


def server_of(user: int, servers: int) -> int:
    """The server that a user is on, from 0 to ``servers`` - 1.

    When ``servers`` grows, users move only to the new servers (jump consistent hashing, Lamping and Veach 2014). A
    random generator with the user as its seed draws the numbers of servers at which the user moves.
    """
    draw = random.Random(user)
    place, jump = 0, 0
    while jump < servers:
        place = jump
        jump = int((place + 1) / (1 - draw.random()))
    return place


def servers_played(users: int, servers: int) -> int:
    """How many of ``servers`` servers are replayed, so that about `SAMPLE` of ``users`` users are on them.

    These are the first servers. Users are assigned by a hash, so the first servers are a random choice.
    """
    return servers if users <= SAMPLE else min(servers, math.ceil(SAMPLE * servers / users))
