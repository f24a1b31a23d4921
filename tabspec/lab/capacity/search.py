"""The number of servers that a crowd needs, found by replays on some numbers of servers.

What is needed depends on what is asked, and that, a little, on how soon it is answered: so each replay tells a number
(`tabspec.lab.capacity.sizing`), and only a replay on that number tells whether it is enough. The numbers seen to be too
few and seen to be enough close in on each other, so that the search comes to rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tabspec.replay.results.result import Run

# Two numbers of servers that differ by less than this are as good as the same: which users share a server, and which
# servers are played, makes a difference as large.
CLOSE = 0.03


async def sized(play: Callable[[int], Awaitable[Run]], guess: int, most: int) -> Run:
    """The run of ``play`` on the fewest servers, ``most`` at most, that were seen to hold the bound, beginning with a
    ``guess``. Where none is found, the run on the most servers that were tried, which says that no number is enough."""
    too_few, enough = 0, None
    servers = min(max(guess, 1), most)
    while True:
        run = await play(servers)
        assert run.shared is not None
        if run.shared.holds:
            enough = run if enough is None or servers < _servers(enough) else enough
        else:
            too_few = max(too_few, servers)
        told = run.shared.servers_needed
        if enough is None:
            if told is None or too_few >= most:
                return replace(run, shared=replace(run.shared, servers_needed=None))
            # what it says is needed was too few already: a quarter more, so that it does not creep
            servers = min(told if told > too_few else too_few + max(too_few // 4, 1), most)
            continue
        best = _servers(enough)
        if told is None or told >= best * (1 - CLOSE) or best - too_few <= max(CLOSE * best, 1):
            assert enough.shared is not None
            return replace(enough, shared=replace(enough.shared, servers_needed=best))
        servers = told if told > too_few else (too_few + best) // 2


def _servers(run: Run) -> int:
    assert run.shared is not None
    return run.shared.servers
