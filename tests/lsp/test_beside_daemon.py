"""The server and a daemon: suggestions come from the daemon while it runs, and from a worker of the server's own while
it does not."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp_client import PATIENCE, Client, environment

from tabspec.models.daemon.client import ask
from tabspec.models.daemon.place import DaemonFolder, find

pytestmark = pytest.mark.slow

TEXT = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonFolder]:
    with tempfile.TemporaryDirectory(prefix="ts-") as base:  # short: a socket's path has 108 bytes at most
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        yield find(make=True)


@contextlib.asynccontextmanager
async def daemon(place: DaemonFolder) -> AsyncIterator[asyncio.subprocess.Process]:
    """A daemon with the bundled model, loaded."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tabspec", "daemon", env=environment())
    try:
        async with asyncio.timeout(PATIENCE):
            while (await told(place)).get("state") != "ready":
                assert process.returncode is None, "the daemon ended"
                await asyncio.sleep(0.05)  # another process, which sends no notification
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), PATIENCE)


async def told(place: DaemonFolder) -> dict[str, Any]:
    """The daemon's status; nothing while none listens."""
    if not place.socket.exists():
        return {}
    return await ask(place, "status") or {}


async def worker_is(client: Client, wanted: int | None, but_not: int | None = None) -> int:
    """Wait until the server reports that its model is in process ``wanted`` (or in any, but not in ``but_not``)."""
    async with asyncio.timeout(PATIENCE):
        while True:
            pid = (await client.status())["model"]["pid"]
            if pid is not None and pid != but_not and (wanted is None or pid == wanted):
                return int(pid)
            await asyncio.sleep(0.05)  # another process, which sends no notification


async def test_a_real_server_with_a_daemon_without_it_and_with_it_again(place: DaemonFolder) -> None:
    client = await Client.start()
    try:
        async with daemon(place) as process:
            shared = (await told(place))["worker"]
            # Unlikely suggestions are shown too; nothing is asked ahead, so that a request is counted as one.
            options = {"daemon": "auto", "patience": 60, "min_probability": 0.0, "policy": "cache"}
            await client.initialize(options=options)
            client.open(TEXT)
            first = await client.inline(5, 0)
            assert first
            # (A daemon that does not answer within two seconds, on a busy machine, is asked again five seconds later.)
            await worker_is(client, shared)
            before = (await told(place))["requests"]
            client.change(2, {"text": TEXT + "    a = "})
            assert await client.inline(5, 8)
            assert (await told(place))["requests"] > before

            process.kill()
            await process.wait()
            client.change(3, {"text": TEXT + "    x = "})
            assert await client.inline(5, 8)
            own = await worker_is(client, None, but_not=shared)
            assert _parent(own) == client.process.pid
        async with daemon(place):
            shared = (await told(place))["worker"]
            await worker_is(client, shared)
            before = (await told(place))["requests"]
            client.change(4, {"text": TEXT + "    other = "})
            assert await client.inline(5, 12)
            assert (await told(place))["requests"] > before
            assert await client.stop() == 0
        messages = [message["message"] for message in client.received("window/showMessage")]
        assert messages == [], "the user gets no message about it"
    finally:
        await client.kill()


async def test_the_command_for_one_suggestion_asks_the_daemon(place: DaemonFolder, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(TEXT)
    command = [sys.executable, "-m", "tabspec", "complete", str(file), "--line", "6", "--column", "1"]

    async def complete() -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment()
        )

    async with daemon(place):
        there = await complete()
        assert (await told(place))["requests"] == 1
    here = await complete()
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout) == (0, here.stdout)
    assert here.stdout.strip()


def _parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid")).split()[1])
