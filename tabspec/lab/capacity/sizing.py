"""The smallest number of servers that keeps the foreground's wait below a bound.

The requests of one replay are played again on other numbers of servers, without engines. This is possible because users
type in their recorded rhythm, so their requests hardly depend on the speed of the answers.
`tabspec.lab.capacity.search` verifies the numbers by replays.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabspec.lab.capacity.batch import BatchJob, ServerBatch
from tabspec.lab.capacity.population import drawn, server_of, servers_played
from tabspec.lab.capacity.profile import ServiceProfile
from tabspec.lab.capacity.service import Served
from tabspec.lab.capacity.waits import percentiles
from tabspec.replay.results.shared import Waits


@dataclass(frozen=True, slots=True)
class Demand:
    """The requests of ``users``. ``played`` has the jobs of those users that were replayed.

    Every other user is given the jobs of one replayed user, shifted by the difference between their start times.
    ``seed`` is that of the population, from which the start times are drawn.
    """

    users: Sequence[int]
    played: Mapping[int, Sequence[Served]]
    seed: int = 0

    @classmethod
    def of(cls, trace: Iterable[Served], users: int | None = None, seed: int = 0) -> Demand:
        """The demand of the first ``users`` users (None: of the replayed ones), from a replay's jobs."""
        played: defaultdict[int, list[Served]] = defaultdict(list)
        for served in trace:
            played[served.user].append(served)
        return cls(sorted(played) if users is None else range(users), played, seed)

    def jobs(self, user: int) -> Sequence[Served]:
        """The jobs of one user."""
        if not self.played or user in self.played:
            return self.played.get(user, ())
        model = list(self.played)[user % len(self.played)]
        later = drawn(user, self.seed)[1] - drawn(model, self.seed)[1]
        return [
            Served(
                user,
                job.foreground,
                job.prefill,
                job.reused,
                job.decode,
                job.arrived + later,
                over=job.over + later,
                done=job.done,
            )
            for job in self.played[model]
        ]


def foreground_waits(trace: Iterable[Served]) -> list[tuple[float, bool]]:
    """The seconds that each foreground generation took, and whether it was complete."""
    return [(served.over - served.arrived, served.done) for served in trace if served.foreground]


def foreground_queues(trace: Iterable[Served]) -> list[tuple[float, bool]]:
    """The seconds that each foreground generation waited for its first step, and whether it got one."""
    return [
        ((served.over if served.started is None else served.started) - served.arrived, served.started is not None)
        for served in trace
        if served.foreground
    ]


def servers_needed(demand: Demand, profile: ServiceProfile, bound_s: float, most: int, begin: int = 1) -> int | None:
    """The smallest number of servers, ``most`` at most, with which p90 of the foreground's wait is below ``bound_s``.

    The search assumes that more servers are never worse. This holds except for chance in which users share a server.
    ``begin`` is the first number to try, and should be near the result.
    """

    def enough(servers: int) -> bool:
        wait = waits_with(demand, profile, servers).p90
        return wait is not None and wait < bound_s * 1000

    return smallest(enough, most, begin)


def smallest(holds: Callable[[int], bool], most: int, begin: int = 1) -> int | None:
    """The smallest number from 1 to ``most`` for which ``holds`` is true, or None. It must be true for all larger
    numbers, too. Calls ``holds`` few times, and only with numbers near ``begin`` if the result is near it."""
    low, high = 0, min(begin, most)
    step = 1
    if holds(high):
        while low < high - step and holds(high - step):  # down in growing steps, to where it does not hold
            high, step = high - step, 2 * step
        low = max(high - step, 0)
    else:
        while True:
            if high == most:
                return None
            low, high, step = high, min(high + step, most), 2 * step
            if holds(high):
                break
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def waits_with(demand: Demand, profile: ServiceProfile, servers: int) -> Waits:
    """The foreground's waits if ``servers`` servers had received the same requests. With many users, only a sample of
    the servers is computed."""
    played = servers_played(len(demand.users), servers)
    by_server: defaultdict[int, list[Served]] = defaultdict(list)
    for user in demand.users:
        if (place := server_of(user, servers)) < played:
            by_server[place] += demand.jobs(user)
    waits: list[tuple[float, bool]] = []
    for mine in by_server.values():
        waits += serve(mine, profile)
    return percentiles(waits)


def serve(asked: Sequence[Served], profile: ServiceProfile) -> list[tuple[float, bool]]:
    """Play ``asked`` on one server. Returns the wait of each foreground generation, and whether it was complete.

    A generation that its user closed is closed at the same time as recorded. All others run to their end.
    """
    batch = ServerBatch(profile)
    running: dict[int, BatchJob] = {}  # by their number in ``asked``
    numbers: dict[BatchJob, int] = {}
    waits: list[tuple[float, bool]] = []
    # (time, 0 for closing and 1 for arriving, number): at the same time, jobs leave before others arrive
    events = [(served.arrived, 1, number) for number, served in enumerate(asked)]
    events += [(served.over, 0, number) for number, served in enumerate(asked) if not served.done]
    events.sort(reverse=True)
    now = 0.0
    ends: float | None = None  # when the current step ends

    def leave(job: BatchJob, done: bool) -> None:
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
                job = running[number] = BatchJob(served.foreground, served.prefill, served.decode, now)
                numbers[job] = number
                batch.add(job)
            elif number in running:
                batch.remove(running[number])
                leave(running[number], False)
        if events and events[-1][0] == now:
            continue  # handle all events of this moment before a step begins
        until = events[-1][0] if events else math.inf
        if ends is None and (took := batch.begin(now, until)) is not None:
            ends = now + took
    return waits
