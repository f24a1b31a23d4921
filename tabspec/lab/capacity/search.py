"""The number of servers that a crowd needs, found by replays on some numbers of servers.

The requests depend a little on how soon they are answered. So each replay only yields an estimate of the number
(`tabspec.lab.capacity.sizing`), and a replay on that number verifies it. The search narrows the interval between the
largest number known to be too small and the smallest known to be enough, so it terminates.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tabspec.replay.results.result import Run

# Two numbers of servers that differ by less than this share count as equal. The random assignment of users to servers,
# and the choice of servers to play, have effects of this size.
CLOSE = 0.03


async def sized(play: Callable[[int], Awaitable[Run]], guess: int, most: int) -> Run:
    """The run of ``play`` on the smallest number of servers that kept the bound, at most ``most``. ``guess`` is the
    first number to try. If no number kept the bound, the run on the largest one, with ``servers_needed`` None."""
    too_few, enough = 0, None
    servers = min(max(guess, 1), most)
    while True:
        run = await play(servers)
        assert run.shared is not None
        if run.shared.holds:
            enough = run if enough is None or servers < _servers(enough) else enough
        else:
            too_few = max(too_few, servers)
        estimate = run.shared.servers_needed
        if enough is None:
            if estimate is None or too_few >= most:
                return replace(run, shared=replace(run.shared, servers_needed=None))
            # an estimate that is known to be too small is replaced by a quarter more, so that the search stays short
            servers = min(estimate if estimate > too_few else too_few + max(too_few // 4, 1), most)
            continue
        best = _servers(enough)
        if estimate is None or estimate >= best * (1 - CLOSE) or best - too_few <= max(CLOSE * best, 1):
            assert enough.shared is not None
            return replace(enough, shared=replace(enough.shared, servers_needed=best))
        servers = estimate if estimate > too_few else (too_few + best) // 2


def _servers(run: Run) -> int:
    assert run.shared is not None
    return run.shared.servers
