"""A server in this process with given answers: the formats and faults of real servers, without waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.patience import PATIENCE


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int
    data: bytes = b""


@dataclass
class Reply:
    """What goes out, to one request."""

    writer: asyncio.StreamWriter
    gone: asyncio.Event  # the client has closed the connection

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def json(self, value: Any, status: int = 200, headers: str = "") -> None:
        await self.whole(json.dumps(value).encode(), "application/json", status, headers)

    async def whole(self, body: bytes, kind: str, status: int = 200, headers: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.raw(head.encode() + body)

    async def start(self, kind: str = "text/event-stream") -> None:
        await self.raw(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, value: Any) -> None:
        data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        await self.chunk(b"data: " + data.encode() + b"\n\n")

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def events(self, *values: Any) -> None:
        """A whole stream."""
        await self.start()
        for value in values:
            await self.event(value)
        await self.event("[DONE]")
        await self.end()

    def drop(self) -> None:
        """Break off the connection."""
        self.writer.close()


Handler = Callable[[Request, Reply], Awaitable[None]]


@dataclass
class Stub:
    """Routes to handlers; what has no route is not found. ``seen`` are all requests."""

    routes: dict[str, Handler] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    port: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.seen if request.path == path]

    def document(self, path: str, value: Any, status: int = 200) -> None:
        async def answer(_: Request, reply: Reply) -> None:
            await reply.json(value, status)

        self.routes[path] = answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.open.add(writer)
        self.idle.clear()
        try:
            while request := await _read(reader, number):
                self.seen.append(request)
                reply = Reply(writer, asyncio.Event())
                handler = self.routes.get(request.path)
                if handler is None:
                    await reply.json({"error": {"message": "Not Found"}}, 404)
                    continue
                # While the handler writes, the reader tells when the client goes.
                watch = asyncio.ensure_future(_watch(reader, reply.gone))
                try:
                    await handler(request, reply)
                finally:
                    watch.cancel()
                    await asyncio.wait([watch])
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.discard(writer)
            if not self.open:
                self.idle.set()
            writer.close()


async def _read(reader: asyncio.StreamReader, number: int) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(data) if data else None, number, data)


async def _watch(reader: asyncio.StreamReader, gone: asyncio.Event) -> None:
    while not reader.at_eof():
        # peeks: a client sends nothing more before it has its answer
        await reader._wait_for_data("watch")  # type: ignore[attr-defined]
        if reader._buffer:  # type: ignore[attr-defined]
            return
    gone.set()


@asynccontextmanager
async def running(stub: Stub, port: int = 0) -> AsyncIterator[Stub]:
    """The stub on a free port of loopback (or on ``port``)."""
    server = await asyncio.start_server(stub.handle, "127.0.0.1", port)
    stub.port = server.sockets[0].getsockname()[1]
    stub.url = f"http://127.0.0.1:{stub.port}"
    try:
        yield stub
    finally:
        server.close()
        for writer in list(stub.open):
            writer.transport.abort()
        await asyncio.wait_for(stub.idle.wait(), PATIENCE)


def llama_cpp(stub: Stub, model: str = "qwen2.5-coder-1.5b-q8_0.gguf", slots: int = 1) -> Stub:
    """What llama.cpp's server says of itself (tools/server/README.md: GET /props, /v1/models)."""
    stub.document(
        "/props",
        {
            "default_generation_settings": {"id": 0, "n_ctx": 4096, "params": {}},
            "total_slots": slots,
            "model_path": f"/models/{model}",
            "build_info": "b1-test",
        },
    )
    entry = {"id": model, "object": "model", "owned_by": "llamacpp", "meta": {"n_vocab": 420, "n_ctx_train": 4096}}
    stub.document("/v1/models", {"object": "list", "data": [entry]})
    return stub


def vllm(stub: Stub, model: str = "Qwen/Qwen2.5-Coder-7B") -> Stub:
    """vLLM (its OpenAI-compatible server)."""
    entry = {"id": model, "object": "model", "owned_by": "vllm", "root": model, "max_model_len": 32768}
    stub.document("/v1/models", {"object": "list", "data": [entry]})
    stub.document("/version", {"version": "0.11.0"})
    return stub


def ollama(stub: Stub, model: str = "qwen2.5-coder:1.5b-base") -> Stub:
    """Ollama (openai.md in its own documentation)."""
    entry = {"id": model, "object": "model", "created": 1, "owned_by": "library"}
    stub.document("/v1/models", {"object": "list", "data": [entry]})
    stub.document("/api/version", {"version": "0.12.0"})
    return stub


def openai_events(*texts: str, finish: str | None = "stop", **more: Any) -> list[dict[str, Any]]:
    """A completion as OpenAI streams it: a text an event; the finish reason comes with the last one."""
    events = []
    for i, text in enumerate(texts):
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish if i == len(texts) - 1 else None}
        events.append({"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice], **more})
    return events


def infill_events(*texts: str, stop_type: str = "eos", cached: int = 0) -> list[dict[str, Any]]:
    """The same as llama.cpp's /completion and /infill stream it."""
    events: list[dict[str, Any]] = []
    for i, text in enumerate(texts):
        timings = {"cache_n": cached, "prompt_n": 20, "predicted_n": i + 1, "predicted_ms": 1.0}
        chosen = {"id": 100 + i, "token": text, "bytes": [], "logprob": -0.25, "top_logprobs": []}
        events.append(
            {
                "index": 0, "content": text, "tokens": [100 + i], "stop": False, "id_slot": 0,
                "tokens_predicted": i + 1, "tokens_evaluated": 20 + cached,
                "completion_probabilities": [chosen], "timings": timings,
            }
        )  # fmt: skip
    events.append({"index": 0, "content": "", "tokens": [], "stop": True, "stop_type": stop_type})
    return events
