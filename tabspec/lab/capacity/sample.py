"""Which part of a crowd is played: some servers with all of their users.

A user stays on one server, so servers do not know of each other: some of them, with everybody who is on them, are a
sample of the whole service, and nothing is approximated but by its size. An engine costs two milliseconds of computing
a request, so that 10,000 of them would take half an hour for each number of servers tried.
"""

from __future__ import annotations

import math
import random

# Users that are played at least, where there are so many: with twenty requests each, the 90th percentile of 12,000
# waits, and so a tenth of all users' Tabs.
SAMPLE = 600


def server_of(user: int, servers: int) -> int:
    """Which of ``servers`` a user is on. When their number changes, only those move who have to (jump consistent
    hashing, Lamping and Veach 2014: a generator seeded with the user says at which numbers of servers it moves)."""
    draw = random.Random(user)
    place, jump = 0, 0
    while jump < servers:
        place = jump
        jump = int((place + 1) / (1 - draw.random()))
    return place


def servers_played(users: int, servers: int) -> int:
    """How many of ``servers`` are played so that about `SAMPLE` of ``users`` are: the first ones (who is on a server is
    drawn by a hash, so that they are as good as any)."""
    return servers if users <= SAMPLE else min(servers, math.ceil(SAMPLE * servers / users))
