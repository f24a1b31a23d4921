"""The sample of a large crowd that is replayed: some of the servers, with all of their users.

A user stays on one server, so servers do not affect each other. Some of the servers with all of their users are
therefore a random sample of the service; the only error is that of the sample's size.

A replay of all users would be too slow. An engine computes for about two milliseconds for each request, and the crowd
is replayed again for each number of servers that is tried.
"""

from __future__ import annotations

import math
import random

# The approximate number of users in a sample. With twenty requests each, the 90th percentile is taken of 12,000 waits,
# so that 1,200 waits are above it.
SAMPLE = 600


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
