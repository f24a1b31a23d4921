"""The smallest number of servers that keeps the foreground's wait below a bound.

Found by playing what a replay asked of the service again, on other numbers of servers, without engines: users type in
their recorded rhythm, so what they ask hardly depends on how soon they are answered. The replay is then made anew with
the number found, and what is reported is measured there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from tabspec.replay.fleet.batch import Batch, Job
from tabspec.replay.fleet.profile import ServiceProfile
from tabspec.replay.fleet.service import Served, server_of
from tabspec.replay.fleet.waits import Waits, percentiles


def foreground_waits(trace: Iterable[Served]) -> list[tuple[float, bool]]:
    """How long each foreground generation took, and whether it was done."""
    return [(served.over - served.arrived, served.done) for served in trace if served.foreground]


def foreground_queues(trace: Iterable[Served]) -> list[tuple[float, bool]]:
    """How long each foreground generation waited for its first step, and whether that came."""
    return [
        ((served.over if served.started is None else served.started) - served.arrived, served.started is not None)
        for served in trace
        if served.foreground
    ]


def servers_needed(trace: Sequence[Served], profile: ServiceProfile, bound_s: float, most: int) -> int | None:
    """The smallest number of servers, ``most`` at most, with which p90 of the foreground's wait is below ``bound_s``.

    More servers are never worse but for the luck of who shares one; the search takes them to be.
    """

    def enough(servers: int) -> bool:
        wait = waits_with(trace, profile, servers).p90
        return wait is not None and wait < bound_s * 1000

    return smallest(enough, most)


def smallest(holds: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 to ``most`` for which ``holds``, given that it does for all larger ones; None if it
    does for none."""
    low, high = 0, 1
    while not holds(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def waits_with(trace: Sequence[Served], profile: ServiceProfile, servers: int) -> Waits:
    """The foreground's waits if the same had been asked of so many servers."""
    by_server: defaultdict[int, list[Served]] = defaultdict(list)
    places: dict[int, int] = {}
    for served in trace:
        if served.user not in places:
            places[served.user] = server_of(served.user, servers)
        by_server[places[served.user]].append(served)
    waits: list[tuple[float, bool]] = []
    for mine in by_server.values():
        waits += serve(mine, profile)
    return percentiles(waits)


def serve(asked: Sequence[Served], profile: ServiceProfile) -> list[tuple[float, bool]]:
    """One server: what the foreground's generations among ``asked`` would have waited, and whether they were done.

    One that its user closed is closed at the same moment; one that was done is waited for however long it takes.
    """
    batch = Batch(profile)
    running: dict[int, Job] = {}  # by their number in ``asked``
    numbers: dict[Job, int] = {}
    waits: list[tuple[float, bool]] = []
    # (when, 0 for closing and 1 for coming, number): who leaves at a moment makes room for who comes
    events = [(served.arrived, 1, number) for number, served in enumerate(asked)]
    events += [(served.over, 0, number) for number, served in enumerate(asked) if not served.done]
    events.sort(reverse=True)
    now = 0.0
    ends: float | None = None  # of the step under way

    def leave(job: Job, done: bool) -> None:
        del running[numbers.pop(job)]
        if job.foreground:
            waits.append((now - job.arrived, done))

    while events or ends is not None:
        if ends is not None and (not events or ends <= events[-1][0]):
            now, ends = ends, None
            for job in batch.end():
                if job.done and job in numbers:
                    leave(job, True)
        else:
            now, coming, number = events.pop()
            if coming:
                served = asked[number]
                job = running[number] = Job(served.foreground, served.prefill, served.decode, now)
                numbers[job] = number
                batch.add(job)
            elif number in running:
                batch.remove(running[number])
                leave(running[number], False)
        if events and events[-1][0] == now:
            continue  # all that happens at this moment, before a step begins
        if ends is None and (took := batch.begin(now)) is not None:
            ends = now + took
    return waits
