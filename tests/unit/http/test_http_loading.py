"""A server that loads its model at the first request, and stops loading when the client closes the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from tabspec.errors import ModelUnavailable
from tabspec.models.http import HttpModel
from tabspec.models.http.connection import body, loading
from tabspec.models.protocol import Chunk, GenerationRequest
from tests.patience import PATIENCE
from tests.stub_server import Reply, Request, Stub, ollama, openai_events, running

QUESTION = GenerationRequest("def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python")
PATH = "/v1/completions"


class LoadingServer:
    """Loads for the first request until `loaded` is set. A client that goes meanwhile aborts the load."""

    def __init__(self, stub: Stub) -> None:
        self.loaded, self.asked, self.gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.loads = self.aborted = 0
        ollama(stub).routes[PATH] = self.answer

    async def answer(self, _: Request, reply: Reply) -> None:
        self.asked.set()
        if not self.loaded.is_set():
            self.loads += 1
            waits = [asyncio.ensure_future(event.wait()) for event in (self.loaded, reply.gone)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if reply.gone.is_set():
                self.aborted += 1
                self.gone.set()
                return
        await reply.events(*openai_events("urn x", "\n"))


@pytest.fixture
async def server() -> AsyncIterator[tuple[LoadingServer, HttpModel]]:
    async with running(Stub()) as stub:
        loading_server, model = LoadingServer(stub), HttpModel(stub.url)
        yield loading_server, model
        await model.close()


async def ask(model: HttpModel) -> str:
    model._pace._until = 0.0  # the pause after a failure is over
    async with aclosing(model.stream(QUESTION)) as chunks:
        found: list[Chunk] = [chunk async for chunk in chunks]
    return "".join(chunk.text for chunk in found)


async def test_a_slow_load_is_not_aborted(
    server: tuple[LoadingServer, HttpModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, model = server
    monkeypatch.setattr(body, "FIRST_EVENT_S", 0.05)
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="loading the model"):
            await ask(model)
    monkeypatch.undo()
    stub.loaded.set()
    assert await ask(model) == "urn x"
    assert (stub.loads, stub.aborted) == (1, 0)


async def test_a_caller_that_gives_up_does_not_abort_the_load(server: tuple[LoadingServer, HttpModel]) -> None:
    stub, model = server
    first = asyncio.create_task(ask(model))
    await stub.asked.wait()
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(ask(model))
    stub.loaded.set()
    assert await second == "urn x"
    assert (stub.loads, stub.aborted) == (1, 0)


async def test_a_model_that_was_unloaded_while_idle_is_loaded_once(
    server: tuple[LoadingServer, HttpModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, model = server
    stub.loaded.set()
    assert await ask(model) == "urn x"
    stub.loaded.clear()
    monkeypatch.setattr(loading, "IDLE_S", -1.0)  # the idle time is over
    await test_a_slow_load_is_not_aborted(server, monkeypatch)


async def test_a_model_that_was_replaced_is_loaded_at_the_second_request(
    server: tuple[LoadingServer, HttpModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model took its memory a moment ago, which the client cannot know: one load is lost, and no more."""
    stub, model = server
    stub.loaded.set()
    assert await ask(model) == "urn x"
    stub.loaded.clear()
    monkeypatch.setattr(body, "FIRST_EVENT_S", 0.05)
    with pytest.raises(ModelUnavailable, match="in time"):
        await ask(model)
    with pytest.raises(ModelUnavailable, match="loading the model"):
        await ask(model)
    monkeypatch.undo()
    stub.loaded.set()
    assert await ask(model) == "urn x"
    assert stub.loads == 2


async def test_a_running_answer_of_a_loaded_model_stops_with_its_caller(
    server: tuple[LoadingServer, HttpModel],
) -> None:
    stub, model = server
    stub.loaded.set()
    assert await ask(model) == "urn x"
    stub.loaded.clear()
    stub.asked.clear()
    task = asyncio.create_task(ask(model))
    await stub.asked.wait()
    task.cancel()
    await asyncio.wait_for(stub.gone.wait(), PATIENCE)
    assert stub.aborted == 1
