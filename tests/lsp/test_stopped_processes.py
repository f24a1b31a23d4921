"""A daemon or a worker that is stopped (SIGSTOP) ends no pipe. Requests are answered all the same, the status is
honest, and the server has a worker of its own again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsp_client import PATIENCE, Client
from test_beside_daemon import TEXT, daemon, place, told, worker_is
from test_worker_deaths import gone

from tabspec.models.daemon.place import DaemonFolder

pytestmark = pytest.mark.slow
__all__ = ["place"]

# Nothing is asked ahead, so that each request asks the model; and unlikely suggestions are shown.
OPTIONS = {"patience": 2.0, "min_probability": 0.0, "policy": "cache"}


VERSIONS = itertools.count(100)


@contextlib.asynccontextmanager
async def server(**options: Any) -> AsyncIterator[Client]:
    client = await Client.start()
    try:
        await client.initialize(options=OPTIONS | options)
        client.open(TEXT)
        yield client
    finally:
        await client.kill()


@contextlib.contextmanager
def stopped(pid: int) -> Any:
    """A process that does nothing while the block runs; it may be ended meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def ask(client: Client) -> list[dict[str, Any]]:
    """Ask for something new."""
    version = next(VERSIONS)
    client.change(version, {"text": f"{TEXT}    x{version} = "})
    return await client.inline(5, 11)


async def suggestion(client: Client) -> None:
    """Ask until there is one."""
    async with asyncio.timeout(PATIENCE):
        while not await ask(client):
            pass  # a model that loads is waited for by each request, `patience` seconds


async def test_a_stopped_worker_is_replaced(place: DaemonFolder) -> None:
    async with server(daemon="off") as client:
        await suggestion(client)
        worker = await worker_is(client, None)
        with stopped(worker):
            assert await ask(client) == [], "it is answered, with nothing"
            model = (await client.status())["model"]
            assert model["state"] == "loading" and model["pid"] in (worker, None)
            await worker_is(client, None, but_not=worker)
            await suggestion(client)
            await gone(worker)
        assert await client.stop() == 0


async def test_a_worker_that_is_resumed_in_time_is_kept(place: DaemonFolder) -> None:
    async with server(daemon="off") as client:
        await suggestion(client)
        worker = await worker_is(client, None)
        with stopped(worker):
            assert await ask(client) == []
        await suggestion(client)
        status = (await client.status())["model"]
        assert (status["state"], status["pid"]) == ("ready", worker)


async def test_an_editor_continues_when_its_daemon_is_stopped(place: DaemonFolder) -> None:
    async with daemon(place) as process, server() as client:
        shared = (await told(place))["worker"]
        await suggestion(client)
        await worker_is(client, shared)
        with stopped(process.pid):
            assert await ask(client) == [], "it is answered, with nothing"
            assert (await client.status())["model"]["state"] == "loading"
            own = await worker_is(client, None, but_not=shared)  # for the request that was lost: no further one comes
            await suggestion(client)
        await worker_is(client, shared)  # it goes on, and has the editor back
        await suggestion(client)
        await gone(own)


async def test_an_editor_opened_while_the_daemon_is_stopped_gets_suggestions(place: DaemonFolder) -> None:
    async with daemon(place) as process:
        shared = (await told(place))["worker"]
        with stopped(process.pid):
            async with server() as client:
                await suggestion(client)
                assert await worker_is(client, None) != shared
                assert (await client.status())["model"]["state"] == "ready"


async def test_a_stopped_worker_of_the_daemon_is_replaced(place: DaemonFolder) -> None:
    async with daemon(place), server() as client:
        shared = (await told(place))["worker"]
        await suggestion(client)
        with stopped(shared):
            assert await ask(client) == []
            assert (await told(place))["state"] == "loading"
            assert (await client.status())["model"]["state"] == "loading"
            await worker_is(client, None, but_not=shared)
            assert (await told(place))["worker"] != shared
            await suggestion(client)


async def test_commands_end_while_the_daemon_is_stopped(place: DaemonFolder, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(TEXT)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tabspec", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    async with daemon(place) as process:
        with stopped(process.pid):
            complete = await asyncio.to_thread(run, "complete", str(file), "--line", "6", "--column", "1")
            assert complete.returncode == 0 and complete.stdout.strip()
            for what in ("--status", "--stop"):
                asked = await asyncio.to_thread(run, "daemon", what)
                assert asked.returncode == 1 and "does not answer" in asked.stderr
                assert asked.stderr.count("\n") == 1
