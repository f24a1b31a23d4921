"""Replays many users at the same time, each with an engine, on one event loop, and combines their results."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from tabspec.lab.capacity.answers import Answers
from tabspec.lab.capacity.population import STAGGER_S, SessionPart, population, server_of, servers_played
from tabspec.lab.capacity.profile import ServiceProfile
from tabspec.lab.capacity.service import Served, Service, ServiceModel, Watched
from tabspec.lab.capacity.sizing import Demand, foreground_queues, foreground_waits, servers_needed
from tabspec.lab.capacity.waits import percentiles
from tabspec.models.protocol import Model
from tabspec.replay.results.aggregates import pooled
from tabspec.replay.results.result import Run
from tabspec.replay.results.shared import Shared
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session

ModelForPart = Callable[[SessionPart], Awaitable[Model]]
PlayProgress = Callable[[float], None]


async def play_users(
    parts: Sequence[SessionPart], model_for: ModelForPart, setting: Setting, progress: PlayProgress
) -> list[Run]:
    """Replay all ``parts`` at the same time, each with its own engine.

    ``progress`` is called with the share of users that are done, from 0 to 1.
    """
    done = 0

    async def one(part: SessionPart) -> Run:
        nonlocal done
        await asyncio.sleep(part.offset)
        run = await replay(part.session, await model_for(part), setting)
        done += 1
        progress(done / len(parts))
        return replace(run, cache_over_time=())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(part)) for part in parts]
    return [task.result() for task in tasks]


def together(runs: Sequence[Run], sessions: int, setting: Setting, shared: Shared) -> Run:
    """Combine the users' runs into one. It does not keep the single requests, because there may be a million."""
    pool = pooled(runs)
    assert pool is not None  # each run has all of its requests
    users = f"{shared.users:,} user{'s' if shared.users > 1 else ''}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    notes = dict.fromkeys(note for run in runs for note in run.notes if "failed" in note)
    return replace(
        pool,
        session=f"{users} of {sessions} session{'s' if sessions > 1 else ''}",
        duration_s=max(run.duration_s for run in runs),
        timeline=(),
        notes=tuple(notes),
        seed=setting.seed,
        shared=shared,
    )


async def on_service(
    sessions: Sequence[Session],
    users: int,
    seconds: float,
    answers_for: Callable[[SessionPart], Answers],
    profile: ServiceProfile,
    servers: int,
    setting: Setting,
    bound_ms: float,
    progress: PlayProgress = lambda part: None,
) -> Run:
    """Replay ``users`` users for ``seconds`` seconds on ``servers`` simulated servers, on the virtual clock.

    For a large crowd, only some of the servers are simulated (`tabspec.lab.capacity.population`). The rates are
    measured after all users have begun. ``bound_ms`` is the limit for the p90 of the foreground's waiting times.
    """
    sampled = servers_played(users, servers)
    crowd = population(sessions, users, seconds, setting.seed, setting.limit)
    parts = [part for part in crowd if server_of(part.user, servers) < sampled]
    service = Service(profile, servers)
    loop = asyncio.get_running_loop()
    marks: list[tuple[float, tuple[float, int, int, int]]] = []

    def mark() -> None:
        marks.append((loop.time(), service.totals()))

    began = loop.time()
    handles = [loop.call_later(after, mark) for after in (min(STAGGER_S, seconds / 2), seconds)]

    async def model_for(part: SessionPart) -> Model:
        return ServiceModel(service, part.user, answers_for(part))

    runs = await play_users(parts, model_for, setting, progress)
    for handle in handles:
        handle.cancel()
    if len(marks) < 2:  # all users were done before the second mark
        marks = [(began, (0.0, 0, 0, 0)), (loop.time(), service.totals())]
    (start, before), (stop, after) = marks
    busy, steps, tokens, prompts = (b - a for a, b in zip(before, after, strict=True))
    span = max(stop - start, 1e-9)
    trace = service.trace
    # Users are assigned by a hash, so two users can share a server while another is idle. Therefore the search goes up
    # to two servers for each user.
    demand = Demand.of(trace, users, setting.seed)
    needed = servers_needed(demand, profile, bound_ms / 1000, 2 * users, servers)
    share = len(parts) / users
    shared = replace(
        measured_in(trace, users, setting, bound_ms),
        servers=servers,
        service=" on ".join(filter(None, (profile.model, profile.machine))),
        tokens_per_s=tokens / span / share,
        prompt_tokens_per_s=prompts / span / share,
        busy_rate=busy / span / sampled,
        mean_batch=tokens / steps if steps else 0.0,
        servers_needed=needed,
        played=len(parts) if len(parts) < users else 0,
    )
    return together(runs, len(sessions), setting, shared)


async def on_model(
    sessions: Sequence[Session],
    users: int,
    seconds: float,
    model_for: ModelForPart,
    service: str,
    setting: Setting,
    bound_ms: float,
    progress: PlayProgress = lambda part: None,
) -> Run:
    """Replay ``users`` users for ``seconds`` seconds on a real service, in real time.

    ``service`` is its name in the report. The number of its servers is not known here.
    """
    parts = list(population(sessions, users, seconds, setting.seed, setting.limit))
    trace: list[Served] = []

    async def watched(part: SessionPart) -> Model:
        return Watched(await model_for(part), part.user, trace)

    began = asyncio.get_running_loop().time()
    runs = await play_users(parts, watched, setting, progress)
    span = max(asyncio.get_running_loop().time() - began, 1e-9)
    shared = replace(
        measured_in(trace, users, setting, bound_ms),
        service=service,
        tokens_per_s=sum(served.decode for served in trace) / span,
        prompt_tokens_per_s=sum(served.prefill for served in trace) / span,
    )
    return together(runs, len(sessions), setting, shared)


def measured_in(trace: Sequence[Served], users: int, setting: Setting, bound_ms: float) -> Shared:
    """The waiting times and counts that follow from the generations in ``trace``."""
    return Shared(
        users=users,
        servers=0,
        service="",
        economy=setting.config.economy,
        bound_ms=bound_ms,
        wait_ms=percentiles(foreground_waits(trace)),
        queue_ms=percentiles(foreground_queues(trace)),
        foreground=sum(served.foreground for served in trace),
        ahead=sum(not served.foreground for served in trace),
        closed=sum(not served.done for served in trace),
    )
