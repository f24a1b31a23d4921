"""Many users in one replay (`tabspec replay --users`): a run for each number of users and each policy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tabspec.errors import InputError, ModelError
from tabspec.lab.capacity.answers import Answers
from tabspec.lab.capacity.play import on_model, on_service
from tabspec.lab.capacity.population import SessionPart
from tabspec.lab.capacity.profile import read_service
from tabspec.lab.capacity.search import sized
from tabspec.lab.capacity.service import USER_SLOTS
from tabspec.models.address import is_address
from tabspec.models.load import load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import Model, slots_of
from tabspec.models.scripted.file import SCHEME, read_script
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.recorded import RecordedModel
from tabspec.replay.results.result import Run
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session import Session

PILOT = 100
"""If the smallest requested crowd is larger than this, a crowd of this size is sized first. That is quick, and yields a
first guess of the number of servers."""


def play_crowds(
    sessions: Sequence[Session], settings: Sequence[Setting], model: str | None, crowd: dict[str, Any]
) -> list[Run]:
    """A run for each number of users and each setting, the smallest crowds first."""
    sessions = [session for session in sessions if session.edits]
    if not sessions:
        raise InputError("the sessions have no edits")
    if settings[0].clock == "wall":
        return asyncio.run(_real(sessions, settings, model, crowd))
    if is_address(model):
        raise InputError("a server cannot run on the virtual clock: add --clock wall")
    return run_virtual(_virtual(sessions, settings, model, crowd))


async def _virtual(
    sessions: Sequence[Session], settings: Sequence[Setting], name: str | None, crowd: dict[str, Any]
) -> list[Run]:
    profile = read_service(crowd["service"])
    answers_for, close = _answers(sessions, name)
    guesses: dict[int, float] = {}  # servers for each user, by the setting's number, from the previous, smaller crowd

    async def sized_crowd(users: int, number: int, guess: float, progress: Callable[[float], None]) -> Run:
        async def play(servers: int) -> Run:
            setting = replace(settings[number], slots=USER_SLOTS)
            return await on_service(
                sessions, users, crowd["seconds"], answers_for, profile, servers, setting, crowd["bound_ms"], progress
            )

        if crowd["servers"] != "auto":
            return await play(int(crowd["servers"]))
        # hashing may put two users on one server while others are idle, so up to two servers for each user are tried
        run = await sized(play, round(guess), 2 * users)
        if run.shared and run.shared.servers_needed:
            guesses[number] = run.shared.servers_needed / users
        return run

    async def job(users: int, number: int, progress: Callable[[float], None]) -> Run:
        if crowd["servers"] == "auto" and number not in guesses and users > PILOT:
            await sized_crowd(PILOT, number, 1, progress)
        return await sized_crowd(users, number, guesses.get(number, 0) * users, progress)

    try:
        return await _all(settings, crowd, job)
    finally:
        await close()


async def _real(
    sessions: Sequence[Session], settings: Sequence[Setting], name: str | None, crowd: dict[str, Any]
) -> list[Run]:
    """Play in real time. Against a server, each user has a client of its own. Otherwise all share one worker process,
    or one scripted model."""
    shared: Model | None = None
    if name and name.startswith(SCHEME):
        shared, _ = read_script(Path(name.removeprefix(SCHEME)))
    elif not is_address(name):
        shared = WorkerModel(name)
        await shared.start()
    models: list[Model] = []

    async def model_for(_: SessionPart) -> Model:
        if shared:
            return shared
        from tabspec.models.http import HttpModel  # imports httpx

        assert name is not None
        models.append(model := HttpModel(name))
        with suppress(ModelError):
            # as the language server does, because the keys of the completion cache include the server's identity
            await model.connect()
        return model

    async def job(users: int, number: int, progress: Callable[[float], None]) -> Run:
        setting = replace(settings[number], slots=slots_of(shared) if shared else USER_SLOTS)
        where = name or "bundled"
        try:
            return await on_model(
                sessions, users, crowd["seconds"], model_for, where, setting, crowd["bound_ms"], progress
            )
        finally:
            while models:
                await models.pop().close()

    try:
        return await _all(settings, crowd, job)
    finally:
        if shared:
            await shared.close()


async def _all(
    settings: Sequence[Setting],
    crowd: dict[str, Any],
    job: Callable[[int, int, Callable[[float], None]], Awaitable[Run]],
) -> list[Run]:
    """All jobs, one after another, with a progress bar."""
    runs: list[Run] = []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        for users in sorted(set(crowd["users"])):
            for number, setting in enumerate(settings):
                task = bars.add_task(f"{users} users, {setting.config.policy}", total=1.0)
                runs.append(await job(users, number, lambda part, task=task: bars.update(task, completed=part)))  # type: ignore[misc]
                bars.remove_task(task)
                console.print(_in_short(runs[-1]), highlight=False)
    return runs


def _in_short(run: Run) -> str:
    """A line for each result as it comes: all of them may take an hour."""
    shared = run.shared
    assert shared is not None
    wait = "-" if shared.wait_ms.p90 is None else f"{shared.wait_ms.p90:.0f} ms"
    needed = f", {shared.servers} server{'s' if shared.servers > 1 else ''}" if shared.servers else ""
    needed += "" if shared.holds or not shared.servers else " (not enough)"
    users = f"{shared.users} user{'s' if shared.users > 1 else ''}"
    tabs = f"after {run.instant_next} of {run.tabs} Tabs the next suggestion at once, {run.nothing_tabs} times nothing"
    return f"{users}, {run.policy}: {tabs}, wait p90 {wait}{needed}"


def _answers(
    sessions: Sequence[Session], name: str | None
) -> tuple[Callable[[SessionPart], Answers], Callable[[], Awaitable[None]]]:
    """Where the users' answers come from, and how to close that."""
    if name == "recorded":
        by_name = {session.name: Answers(RecordedModel(session, 0.0)) for session in sessions}

        async def nothing() -> None:
            return None

        return lambda part: by_name[part.session.name], nothing
    if name and name.startswith(SCHEME):
        scripted, _ = read_script(Path(name.removeprefix(SCHEME)))
        model: Model = replace(scripted, prefill_s=0.0, token_s=0.0)  # the service's times count
    else:
        model = load_model(name)
    answers = Answers(model)
    return lambda part: answers, model.close
