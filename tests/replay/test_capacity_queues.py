"""The simulated queue against formulas of queueing theory, the sample against the whole, and the search's end."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.lab.capacity import population
from tabspec.lab.capacity.answers import Answers
from tabspec.lab.capacity.play import on_service
from tabspec.lab.capacity.population import drawn
from tabspec.lab.capacity.profile import ServiceProfile
from tabspec.lab.capacity.search import sized
from tabspec.lab.capacity.service import Served
from tabspec.lab.capacity.sizing import Demand, serve
from tabspec.models.scripted.model import ScriptedModel, pseudo_random
from tabspec.replay.clock import run_virtual
from tabspec.replay.results.result import Run
from tabspec.replay.results.shared import Shared, Waits
from tabspec.replay.runner import Setting
from tests.examples import examples
from tests.replay.test_capacity import typing

STEP_S = 0.01
ONE = ServiceProfile(((1, 1000 * STEP_S),), 0.0)
FOUR = ServiceProfile(((4, 1000 * STEP_S),), 0.0)  # four at a time, no slower than one


def poisson(jobs: int, rate: float, tokens: Callable[[random.Random], int], seed: int) -> list[Served]:
    """``jobs`` foreground generations that come at ``rate`` a second, independently of each other."""
    draw, now, asked = random.Random(seed), 0.0, []
    for _ in range(jobs):
        now += draw.expovariate(rate)
        asked.append(Served(0, True, 0, 0, tokens(draw), now, done=True))
    return asked


def queued(asked: list[Served], profile: ServiceProfile) -> float:
    """Mean seconds between coming and being done, less those of the service itself; of the foreground."""
    took = fmean(wait for wait, _ in serve(asked, profile))
    return took - fmean(job.decode for job in asked if job.foreground) * STEP_S


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("sizes", [(10,), (1, 19), (1, 1, 1, 37)])
def test_waits_of_one_job_at_a_time_are_those_of_pollaczek_and_khinchine(load: float, sizes: tuple[int, ...]) -> None:
    """M/G/1, and M/D/1 with one size: the mean queueing time is λ E[S²] / (2 (1 - λ E[S]))."""
    mean = fmean(sizes) * STEP_S
    square = fmean(size**2 for size in sizes) * STEP_S**2
    rate = load / mean
    expected = rate * square / (2 * (1 - load))
    found = fmean(queued(poisson(20_000, rate, lambda draw: draw.choice(sizes), seed), ONE) for seed in range(3))
    # the busy periods of 60,000 jobs at a load of 0.8 tell the mean to about 4 %
    assert found == pytest.approx(expected, rel=0.12 if load > 0.7 else 0.06)


@pytest.mark.slow
def test_waits_of_four_jobs_at_a_time_are_those_of_erlang() -> None:
    """M/M/c: with exponential service (geometric, of 40 steps in the mean), Erlang's C formula."""
    servers, mean, load = 4, 40, 0.75
    offered = servers * load
    rate = offered / (mean * STEP_S)

    def geometric(draw: random.Random) -> int:
        return 1 + int(math.log(1 - draw.random()) / math.log(1 - 1 / mean))

    def free_servers(asked: list[Served]) -> float:
        """The mean queueing time of the very same jobs, first come first served, without steps."""
        free, queue = [0.0] * servers, []
        for job in asked:
            begin = max(heapq.heappop(free), job.arrived)
            queue.append(begin - job.arrived)
            heapq.heappush(free, begin + job.decode * STEP_S)
        return fmean(queue)

    blocked = offered**servers / math.factorial(servers) / (1 - load)
    waits = blocked / (sum(offered**n / math.factorial(n) for n in range(servers)) + blocked)
    expected = waits * mean * STEP_S / (servers * (1 - load))
    found = []
    for seed in range(8):
        asked = poisson(10_000, rate, geometric, seed)
        # a job that comes during a step waits for its end, half a step in the mean, also if no job is queued
        assert queued(asked, FOUR) - free_servers(asked) == pytest.approx(STEP_S / 2, rel=0.2)
        found.append(queued(asked, FOUR) - STEP_S / 2)
    # at this load the mean of 10,000 differs by a sixth from seed to seed, and that of eight by a seventeenth
    assert fmean(found) == pytest.approx(expected, rel=0.12)


def test_speculation_costs_the_foreground_a_step_at_most() -> None:
    """However much is asked ahead: here more than the server can do."""
    alone = poisson(5_000, 4.0, lambda draw: 10, 1)  # a load of 0.4
    ahead = [replace(job, foreground=False) for job in poisson(5_000, 12.0, lambda draw: 10, 2)]
    with_speculation = queued(sorted(alone + ahead, key=lambda job: job.arrived), ONE)
    assert queued(alone, ONE) <= with_speculation + 1e-9 <= queued(alone, ONE) + STEP_S


# --- a sample of the servers ------------------------------------------------------------------------------------------


def played(users: int, servers: int) -> Shared:
    profile = ServiceProfile(((1, 10.0), (4, 16.0)), 0.5, 2.0, 0, "toy", "paper")

    async def play() -> Run:
        answers = Answers(ScriptedModel(pseudo_random()))
        setting = Setting(config=EngineConfig(policy=Policy.NONE), slots=2)
        return await on_service([typing()], users, 8.0, lambda _: answers, profile, servers, setting, 400.0)

    shared = run_virtual(play()).shared
    assert shared is not None
    return shared


@pytest.mark.slow
def test_some_servers_with_their_users_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = played(240, 60)
    monkeypatch.setattr(population, "SAMPLE", 60)
    part = played(240, 60)
    assert whole.played == 0 and 40 <= part.played <= 80
    # 60 users of 240: who they are makes a difference of a fifth at most in what they ask in eight seconds
    assert part.tokens_per_s == pytest.approx(whole.tokens_per_s, rel=0.2)
    assert part.busy_rate == pytest.approx(whole.busy_rate, rel=0.2)
    assert part.wait_ms.p50 == pytest.approx(whole.wait_ms.p50, rel=0.2)
    assert part.servers_needed == pytest.approx(whole.servers_needed, rel=0.2)


@given(st.integers(1, 20_000), st.integers(1, 3000))
def test_a_sample_is_some_of_the_servers(users: int, servers: int) -> None:
    count = population.servers_played(users, servers)
    assert 1 <= count <= servers
    assert count == servers or users > population.SAMPLE
    assert count * users >= population.SAMPLE * servers or count == servers


def test_users_that_were_not_replayed_copy_anothers_jobs_shifted_in_time() -> None:
    jobs = [Served(1, True, 5, 6, 7, 10.0, 11.0, 12.0, True), Served(4, False, 1, 2, 3, 20.0)]
    demand = Demand.of(jobs, users=6, seed=3)
    assert demand.jobs(1) == [jobs[0]] and demand.jobs(4) == [jobs[1]]
    for user, model in ((0, jobs[0]), (3, jobs[1])):
        (copy,) = demand.jobs(user)
        later = drawn(user, 3)[1] - drawn(model.user, 3)[1]
        assert copy == replace(model, user=user, arrived=model.arrived + later, started=None, over=model.over + later)
    assert Demand.of(jobs).users == [1, 4]


# --- the search -------------------------------------------------------------------------------------------------------

told = st.lists(st.floats(0.3, 3), min_size=1, max_size=12)


@settings(max_examples=examples(200))
@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 3000), told)
def test_the_search_ends_on_a_number_of_servers_that_was_replayed_and_suffices(
    need: int, guess: int, most: int, off: list[float]
) -> None:
    """Whatever the replays say is needed: each is wrong by a factor of up to three here."""
    template = Shared(10, 0, "", 0.0, 100.0)
    tried: list[int] = []

    async def play(servers: int) -> Run:
        tried.append(servers)
        says = max(round(need * off[len(tried) % len(off)]), 1)
        wait = 50.0 if servers >= need else 200.0
        shared = replace(template, servers=servers, wait_ms=Waits(wait, wait, wait), servers_needed=min(says, most))
        return replace(RUN, shared=shared)

    shared = run_virtual(sized(play, guess, most)).shared
    assert shared is not None
    assert len(tried) <= 60 and len(set(tried)) == len(tried) and all(1 <= servers <= most for servers in tried)
    if need > most:
        assert shared.servers_needed is None
    else:
        assert shared.holds and shared.servers == shared.servers_needed == min(each for each in tried if each >= need)


def test_the_search_takes_two_replays_where_their_estimates_are_right() -> None:
    tried: list[int] = []

    async def play(servers: int) -> Run:
        tried.append(servers)
        wait = 50.0 if servers >= 40 else None
        shared = Shared(10, servers, "", 0.0, 100.0, Waits(wait, wait, wait), servers_needed=40)
        return replace(RUN, shared=shared)

    for guess in (1, 39, 80):
        tried.clear()
        shared = run_virtual(sized(play, guess, 80)).shared
        assert shared is not None and shared.servers_needed == 40 and tried == [guess, 40]


async def _one_run() -> Run:
    return await on_service([typing(1)], 1, 1.0, lambda _: Answers(ScriptedModel({})), ONE, 1, Setting(slots=2), 400.0)


RUN = run_virtual(_one_run())
