"""One message ends nothing but itself: the worker, the daemon and the cluster's endpoint under thousands of broken
ones. All others get their answers meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tabspec.cluster.endpoint import Endpoint
from tabspec.cluster.guard import Guard
from tabspec.cluster.request_body import ClusterRequest
from tabspec.cluster.served import ServedModel
from tabspec.errors import ModelUnavailable
from tabspec.fitting.early_stop import Around
from tabspec.models.daemon.client import Connection, ask
from tabspec.models.daemon.place import DaemonFolder, identity
from tabspec.models.daemon.server import HELLO_BYTES, Daemon
from tabspec.models.messages import LONGEST_LINE, from_line, request_fields, to_line
from tabspec.models.process.heartbeat import TICK_S
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, RelatedText, StopRule
from tabspec.models.scripted.model import ScriptedModel
from tests.mutations import messages
from tests.patience import PATIENCE

# A hundred thousand in all, with those of tests/lsp/test_mutated_messages.py.
NIGHTLY = (pytest.mark.nightly, pytest.mark.timeout(2 * 3600))
COUNTS = pytest.mark.parametrize("count", [2_000, pytest.param(25_000, marks=NIGHTLY)])
BATCH = 250

# The worker's own process and protocol, with a model that needs no torch.
WORKER = (
    sys.executable,
    "-c",
    "import tabspec.models.process.worker_main as w\n"
    "from tabspec.models.scripted.model import ScriptedModel\n"
    "w.load_model = lambda name, **options: ScriptedModel(lambda request: 'z' * 40)\n"
    "w.main()\n",
)
REQUEST = GenerationRequest(
    "def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python", (RelatedText("b.py", "text"),),
    stop=StopRule(around=Around("a", "b")), foreground=False,
)  # fmt: skip
WHOLE = "z" * 40
LINES: list[Any] = [
    {"op": "request", "id": 1, "request": request_fields(REQUEST)},
    {"op": "request", "id": 1, "request": request_fields(REQUEST)},
    {"op": "cancel", "id": 1},
    {"op": "ping"},
    {"op": "load", "model": None, "options": {}},
    {"op": "status"},
]
IDS = [1, 2, 3, -4, 1 << 40]


async def answer(model: WorkerModel | Connection) -> str:
    """What it answers. On a machine with a hundred times the load, it may have been silent for a moment."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with aclosing(model.stream(GenerationRequest("a", "", ""))) as chunks:
                    return "".join([chunk.text async for chunk in chunks])
            except ModelUnavailable as silent:
                if "does not answer" not in str(silent):
                    raise
                await asyncio.sleep(TICK_S)


@COUNTS
async def test_mutated_lines_do_not_stop_the_worker(count: int) -> None:
    model = WorkerModel(command=WORKER)
    try:
        await model.start()
        pid = model.pid
        for _ in range(1000):  # the front counts from 1: of its numbers, none is a mutant's
            next(model._streams._numbers)
        for number, line in enumerate(messages(LINES, seed=count, count=count, ids=IDS), 1):
            model._write(line.replace(b"\n", b" ") + b"\n")
            if number % BATCH == 0:
                assert await answer(model) == WHOLE
        model._write(b"x" * (LONGEST_LINE + 100) + b"\n")
        assert await answer(model) == WHOLE
        assert model.pid == pid
    finally:
        await model.close()


@contextlib.asynccontextmanager
async def daemon(place: DaemonFolder) -> AsyncIterator[Connection]:
    """A daemon in this process, and a client that behaves."""
    with place.owned() as listening:
        served = Daemon(None, command=WORKER)
        running = asyncio.create_task(served.run(listening))
        await asyncio.sleep(0)
        client = await Connection.open(place, None, lambda *_: None)
        try:
            async with asyncio.timeout(PATIENCE):
                await client.ready()
            yield client
        finally:
            await client.close()
            served.stop()
            await running


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> DaemonFolder:
    return DaemonFolder(tmp_path_factory.mktemp("d", numbered=True))


async def drain(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(1 << 16):
            pass


@contextlib.asynccontextmanager
async def hostile(place: DaemonFolder) -> AsyncIterator[Callable[[bytes], Any]]:
    """A connection that has been greeted; give it lines to send."""
    reader, writer = await asyncio.open_unix_connection(place.socket)
    writer.write(to_line("load", identity=identity(None), token=""))
    reading = asyncio.create_task(drain(reader))

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    try:
        yield send
    finally:
        writer.close()
        reading.cancel()


@COUNTS
async def test_mutated_lines_do_not_stop_the_daemon(place: DaemonFolder, count: int) -> None:
    async with daemon(place) as client, hostile(place) as send:
        for number, line in enumerate(messages(LINES, seed=count, count=count, ids=IDS), 1):
            await send(line.replace(b"\n", b" ") + b"\n")
            if number % BATCH == 0:
                assert await answer(client) == WHOLE
        status = await ask(place, "status")
        assert status and status["clients"] == 2, "the hostile one is still connected"


async def test_forty_requests_with_one_id_do_not_affect_other_clients(place: DaemonFolder) -> None:
    async with daemon(place) as client, hostile(place) as send:
        for _ in range(40):
            await send(to_line("request", id=1, request=request_fields(REQUEST)) + to_line("cancel", id=1))
        for _ in range(40):
            await send(to_line("request", id=1, request=request_fields(REQUEST)))
        for _ in range(5):
            assert await answer(client) == WHOLE


async def test_few_bytes_are_read_before_the_handshake(place: DaemonFolder) -> None:
    async with daemon(place) as client:
        reader, writer = await asyncio.open_unix_connection(place.socket)
        writer.write(b'{"op":"load","identity":"' + b"x" * HELLO_BYTES + b'"}\n')
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b"", "it is refused"
        writer.close()
        assert await answer(client) == WHOLE


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=NIGHTLY)])
async def test_mutated_handshakes_do_not_stop_the_daemon(place: DaemonFolder, count: int) -> None:
    greetings: list[Any] = [{"op": "load", "identity": identity(None), "token": ""}, {"op": "status", "token": ""}]
    async with daemon(place) as client:
        for number, line in enumerate(messages(greetings, seed=count, count=count), 1):
            reader, writer = await asyncio.open_unix_connection(place.socket)
            writer.write(line.replace(b"\n", b" ") + b"\n")
            writer.write_eof()
            await asyncio.wait_for(drain(reader), PATIENCE)
            writer.close()
            if number % 100 == 0:
                assert await answer(client) == WHOLE


# --- the cluster ------------------------------------------------------------------------------------------------------


class Here:
    """A replica in this process."""

    def __init__(self) -> None:
        self.model = ServedModel(ScriptedModel(lambda request: WHOLE))

    async def describe(self) -> tuple[ModelInfo, int]:
        return self.model.info, 2

    async def answer(self, asked: ClusterRequest) -> AsyncGenerator[Chunk, None]:
        async with aclosing(self.model.answer(asked.request)) as chunks:
            async for chunk in chunks:
                yield chunk


BODIES: list[Any] = [
    {"prompt": "def f(", "suffix": ")", "max_tokens": 24, "temperature": 0, "stream": True, "stop": ["\n"],
     "logprobs": 1, "user": "u", "priority": 0, "stream_options": {"include_usage": True}},
    {"tabspec": request_fields(REQUEST), "model": "", "stream": False, "n": 1},
]  # fmt: skip


@pytest.mark.slow
@COUNTS
async def test_mutated_requests_do_not_stop_the_cluster_endpoint(count: int) -> None:
    endpoint = Endpoint(Here(), Guard())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await endpoint(Request(scope, receive)))(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        for number, body in enumerate(messages(BODIES, seed=count, count=count), 1):
            response = await http.post("/v1/completions", content=body)
            assert response.status_code in (200, 400, 404), (body, response.text)
            if number % BATCH == 0:
                good = await http.post("/v1/completions", json={"prompt": "a", "suffix": "b", "max_tokens": 24})
                assert good.json()["choices"][0]["text"] == WHOLE


def test_many_mutated_lines_are_valid() -> None:
    """Else everything would be refused at the door, and nothing be tested behind it."""
    lines = list(messages(LINES, seed=1, count=500, ids=IDS))
    read = [line for line in lines if b"\n" not in line and _readable(line)]
    assert len(read) > 300


def _readable(line: bytes) -> bool:
    try:
        from_line(line)
    except ValueError:
        return False
    return True


def test_mutations_are_the_same_for_a_seed(tmp_path: Path) -> None:
    assert list(messages(LINES, seed=3, count=200, ids=IDS)) == list(messages(LINES, seed=3, count=200, ids=IDS))
