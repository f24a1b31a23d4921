"""The server with the bundled model in its own process: loading, dying, and which processes remain."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from lsp_client import INLINE, PATIENCE, Client

pytestmark = pytest.mark.slow

PROGRESS = {**INLINE, "window": {"workDoneProgress": True}}
TEXT = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n"


@pytest.fixture
async def client() -> Any:
    client = await Client.start()
    yield client
    await client.kill()


async def ready(client: Client, **options: Any) -> dict[str, Any]:
    """Initialize, and wait until the model is there; the status. Unlikely suggestions are shown too."""
    always = {"patience": 60, "status_notifications": True, "min_probability": 0.0}
    await client.initialize(PROGRESS, options=always | options)
    return await until_model(client, "ready")


async def until_model(client: Client, state: str, but_not: int | None = None) -> dict[str, Any]:
    """The status once the model is in this state, in a process other than ``but_not``."""

    def found(message: dict[str, Any]) -> bool:
        if message.get("method") != "tabspec/statusChanged":
            return False
        model = message["params"]["model"]
        return bool(model["state"] == state and (but_not is None or model["pid"] != but_not))

    async with asyncio.timeout(PATIENCE):
        while not any(map(found, client.log)):
            await client.until(lambda _: any(map(found, client.log)))
    return await client.status()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    fd = os.pidfd_open(pid) if alive(pid) else None
    if fd is None:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(fd, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), PATIENCE)
    finally:
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)


async def test_loading_is_reported_and_then_a_suggestion_is_offered(client: Client) -> None:
    begun = asyncio.get_running_loop().time()
    await client.initialize(PROGRESS, options={"patience": 60})
    client.open(TEXT)
    _, waiting = client.begin_inline(5, 0)
    status = await client.status()  # answered while the model loads
    assert status["model"]["state"] == "loading"
    result = await asyncio.wait_for(waiting, PATIENCE)
    assert result["items"], f"after {asyncio.get_running_loop().time() - begun} s"
    kinds = [params["value"]["kind"] for params in client.received("$/progress")]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    status = await client.status()
    assert status["model"]["state"] == "ready"
    assert status["tokens"]["decoded"] > 0
    worker = status["model"]["pid"]
    assert alive(worker)
    assert await client.stop() == 0
    await gone(worker)


async def test_a_worker_killed_during_a_suggestion_is_started_again(client: Client) -> None:
    status = await ready(client)
    worker = status["model"]["pid"]
    client.open(TEXT)
    first = await client.inline(5, 0)
    assert first
    os.kill(worker, signal.SIGSTOP)  # so that it is in the middle for sure
    client.change(2, {"text": TEXT + "    unheard_of = "})
    _, waiting = client.begin_inline(5, 17)
    await client.status()
    assert not waiting.done()
    os.kill(worker, signal.SIGKILL)
    result = await asyncio.wait_for(waiting, PATIENCE)
    assert result["items"] == []  # no error

    status = await until_model(client, "ready", but_not=worker)
    assert status["model"]["pid"] != worker
    client.change(3, {"text": TEXT})
    hits = (await client.status())["sources"]["exact"]
    again = await client.inline(5, 0)  # the completion cache has outlived the worker
    assert [item["insertText"] for item in again] == [item["insertText"] for item in first]
    assert (await client.status())["sources"]["exact"] == hits + 1
    client.change(4, {"text": TEXT + "    x = "})
    assert await client.inline(5, 8)  # and the new worker answers
    assert await client.stop() == 0


async def test_cached_suggestions_are_served_while_the_worker_is_gone(client: Client) -> None:
    worker = (await ready(client, patience=0.05))["model"]["pid"]
    client.open(TEXT)
    async with asyncio.timeout(PATIENCE):
        while not (first := await client.inline(5, 0)):
            pass
    os.kill(worker, signal.SIGKILL)
    await gone(worker)
    again = await client.inline(5, 0)
    assert [item["insertText"] for item in again] == [item["insertText"] for item in first]
    assert await client.stop() == 0


async def test_the_worker_ends_when_the_server_is_killed(client: Client) -> None:
    worker = (await ready(client))["model"]["pid"]
    client.process.kill()
    await client.process.wait()
    await gone(worker)


@pytest.mark.parametrize("model", ["/nowhere/there", "no-such-owner/no-such-model"])
async def test_a_missing_model_is_reported(model: str) -> None:
    client = await Client.start("--model", model)
    try:
        await client.initialize(PROGRESS, options={"patience": 60})
        message = await client.notified("window/showMessage")
        assert model in message["message"]
        assert "\n" not in message["message"]
        client.open(TEXT)
        assert await client.inline(5, 0) == []
        assert (await client.status())["model"]["state"] == "unusable"
        assert [params["value"]["kind"] for params in client.received("$/progress")][-1] == "end"
        assert await client.stop() == 0
    finally:
        await client.kill()


async def test_the_server_takes_little_memory(client: Client) -> None:
    await ready(client)
    client.open(TEXT)
    assert await client.inline(5, 0)
    assert client.memory() < 100 << 20
    assert not client.maps("libtorch")
