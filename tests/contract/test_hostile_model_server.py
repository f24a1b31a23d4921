"""A model server that attacks its client: endless answers, compression bombs, false descriptions. Loopback only."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tabspec_lsp.main import _log_to

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.http import HttpModel
from tabspec.models.http.connection import body, wire
from tabspec.models.protocol import Chunk, GenerationRequest, StopRule
from tests.patience import PATIENCE
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running

QUESTION = GenerationRequest("def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python")
PATH = "/v1/completions"
PIECE = b"x" * (1 << 16)
# What the kernel's socket buffers may hold beside what was read.
BUFFERS = 16 << 20


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running(llama_cpp(Stub())) as started:
        yield started


async def ask(model: HttpModel, question: GenerationRequest = QUESTION) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


async def failing(url: str) -> ModelError:
    model = HttpModel(url)
    with pytest.raises(ModelError) as caught:
        await ask(model)
    await model.close()
    assert "\n" not in str(caught.value)
    return caught.value


class Endless:
    """Writes until the client goes, or far beyond every limit. ``sent`` counts bytes."""

    def __init__(self, kind: str, status: int, piece: bytes, pause: float = 0.0) -> None:
        self.kind, self.status, self.piece, self.pause, self.sent = kind, status, piece, pause, 0
        self.most = 4 * body.LONGEST_ANSWER

    async def __call__(self, _: Request, reply: Reply) -> None:
        await reply.raw(f"HTTP/1.1 {self.status} X\r\nContent-Type: {self.kind}\r\n\r\n".encode())
        while not reply.gone.is_set() and self.sent < self.most:
            await reply.raw(self.piece)
            self.sent += len(self.piece)
            await asyncio.sleep(self.pause)
        reply.drop()


@pytest.mark.parametrize("path", ["/props", "/v1/models", "/tokenize"])
async def test_the_description_of_a_server_is_read_up_to_a_limit(stub: Stub, path: str) -> None:
    if path == "/tokenize":
        llama_cpp(stub, "mystery.gguf")
    stub.routes[path] = endless = Endless("application/json", 200, PIECE)
    assert "more than 4096 KiB" in str(await failing(stub.url))
    assert endless.sent < body.LONGEST_DOCUMENT + BUFFERS


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_the_reason_of_an_error_is_read_up_to_a_limit(stub: Stub, status: int) -> None:
    stub.routes[PATH] = endless = Endless("application/json", status, PIECE)
    assert str(status) in str(await failing(stub.url))
    assert endless.sent < wire.LONGEST_REASON + BUFFERS


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        ("text/event-stream", PIECE),  # a line that does not end
        ("text/event-stream", b": still here\n" * 5_000),  # comments
        ("text/event-stream", b"\n" * (1 << 16)),
        ("application/json", PIECE),
        ("text/event-stream", b'data: {"choices":[{"text":""}]}\n' * 2_000),  # events that say nothing
    ],
)
async def test_an_answer_is_read_up_to_a_limit(stub: Stub, kind: str, piece: bytes) -> None:
    stub.routes[PATH] = endless = Endless(kind, 200, piece)
    await failing(stub.url + "?exact=off")
    assert endless.sent < body.LONGEST_ANSWER + BUFFERS


@pytest.mark.parametrize("piece", [b": still here\n\n", b'data: {"choices":[{"text":""}]}\n\n'])
async def test_a_stream_of_keep_alives_without_text_ends(
    stub: Stub, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments are no events, and events that never come to an end have a common deadline."""
    monkeypatch.setattr(body, "FIRST_EVENT_S", 0.2)
    monkeypatch.setattr(body, "ANSWER_S", 0.3)
    stub.routes[PATH] = Endless("text/event-stream", 200, piece, pause=0.01)
    error = await failing(stub.url + "?exact=off")
    assert isinstance(error, ModelUnavailable) and "in time" in str(error)


@pytest.mark.parametrize("path", ["/props", PATH])
@pytest.mark.parametrize("status", [200, 500])
async def test_a_compressed_answer_is_not_unpacked(stub: Stub, path: str, status: int) -> None:
    bomb = gzip.compress(bytes(64 << 20), 1)
    assert len(bomb) < 1 << 20

    async def send(request: Request, reply: Reply) -> None:
        assert request.headers["accept-encoding"] == "identity"
        kind = "text/event-stream" if path == PATH else "application/json"
        await reply.whole(bomb, kind, status, "Content-Encoding: gzip\r\n")

    stub.routes[path] = send
    error = await failing(stub.url)
    assert "compressed" in str(error) or "status 500" in str(error)


DEEP = b"[" * 100_000


async def test_deeply_nested_json_is_refused(stub: Stub) -> None:
    async def document(_: Request, reply: Reply) -> None:
        await reply.whole(DEEP, "application/json")

    async def events(_: Request, reply: Reply) -> None:
        await reply.start()
        await reply.event(DEEP.decode())
        await reply.end()

    stub.routes[PATH] = events
    assert "no JSON" in str(await failing(stub.url))
    stub.routes["/props"] = stub.routes["/v1/models"] = document
    assert "does not name its model" in str(await failing(stub.url))


@pytest.mark.parametrize(
    "told",
    [
        None,
        {"info": {"name": "x", "fingerprint": 7, "context_tokens": 1}, "slots": 1},
        {"info": {"name": "x", "fingerprint": "f", "context_tokens": "many"}, "slots": 1},
        {"info": {"name": "x", "fingerprint": "f", "context_tokens": 1, "together": "x"}, "slots": 1},
        {"info": {"name": "x", "fingerprint": "f", "context_tokens": 1}, "slots": 1e400},
        {"info": [], "slots": []},
    ],
)
async def test_a_server_that_wrongly_claims_to_be_tabspecs_is_refused(told: Any) -> None:
    stub = Stub()
    entry = {"id": "x", "owned_by": "tabspec", "tabspec": told}
    stub.document("/v1/models", {"data": [entry]})
    async with running(stub):
        assert "tabspec" in str(await failing(stub.url))


async def test_a_server_with_a_million_slots_gets_no_million_requests(stub: Stub) -> None:
    llama_cpp(stub, slots=10**9)
    model = HttpModel(stub.url)
    await model.connect()
    assert model.slots == 1024
    await model.close()


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07", "a\u202eb", "x" * 100_000, 7, ["x"], "two\nlines"])
async def test_an_unprintable_model_name_is_not_used(name: Any) -> None:
    stub = Stub()
    stub.document("/v1/models", {"data": [{"id": name, "owned_by": "x"}]})
    async with running(stub):
        assert "does not name its model" in str(await failing(stub.url))
    llama_cpp(stub, str(name))
    async with running(stub):
        model = HttpModel(stub.url)
        await model.connect()
        assert model.info.name.isprintable() and len(model.info.name + model.info.detail) < 2_000
        await model.close()


# --- logs -------------------------------------------------------------------------------------------------------------

ECHO = "def my_secret_function(): pass \x1b[31m\u202e”"


async def _refuses(_: Request, reply: Reply) -> None:
    await reply.json({"error": {"message": f"cannot parse: {ECHO}"}}, 422)


async def _fails_midway(_: Request, reply: Reply) -> None:
    await reply.start()
    await reply.event(openai_events("\n    ret", finish=None)[0])
    await reply.event({"error": {"message": ECHO}})
    await reply.end()


async def _sends_nonsense(_: Request, reply: Reply) -> None:
    await reply.start()
    await reply.event(ECHO)
    await reply.end()


@pytest.mark.parametrize("answer", [_refuses, _fails_midway, _sends_nonsense])
async def test_messages_of_a_server_are_shown_and_not_logged(
    stub: Stub, answer: Callable[[Request, Reply], Awaitable[None]], tmp_path: Path
) -> None:
    import logging

    stub.routes[PATH] = answer
    error = await failing(stub.url)
    assert "my_secret_function" in str(error) and str(error).isprintable()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        _log_to(tmp_path / "log", "debug")
        logging.getLogger("tabspec").warning("%s", error)
        logging.getLogger("tabspec").error("failed", exc_info=error)
        await failing(stub.url)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before
        root.setLevel(level)
    logged = (tmp_path / "log").read_text("utf-8")
    assert stub.url in logged and "my_secret_function" not in logged


# --- slots ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_hurry")  # a request that the client gives up would never reach the stub
async def test_cancelling_frees_the_server_within_its_next_token(stub: Stub) -> None:
    """Cancelled while it waits for the head, for the first event and between events, once or several times: the
    connection is closed each time, which is how a server learns that its slot is free; and 63 in turn leave none open,
    of a pool of a hundred."""
    reached: asyncio.Event
    gone = asyncio.Event()

    async def hold(request: Request, reply: Reply) -> None:
        where = json.loads(request.data)["max_tokens"] % 3
        if where:
            await reply.start()
        if where == 2:
            await reply.event(openai_events("u", finish=None)[0])
        reached.set()
        await reply.gone.wait()
        gone.set()

    stub.routes[PATH] = hold
    model = HttpModel(stub.url + "?exact=off")
    for number in range(63):
        reached = asyncio.Event()
        gone.clear()
        question = GenerationRequest("def f(x):", "\n    ret", "\n", "a.py", stop=StopRule(1, 30 + number))
        task = asyncio.create_task(ask(model, question))
        await asyncio.wait_for(reached.wait(), PATIENCE)
        for _ in range(1 + number // 3 % 7):
            task.cancel()  # a second time, it interrupts what closes the connection
            await asyncio.sleep(0)
        await asyncio.wait_for(gone.wait(), PATIENCE)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(stub.open) <= 1, "at most the one over which the server was asked what it is"
    await model.close()
    await asyncio.wait_for(stub.idle.wait(), PATIENCE)
