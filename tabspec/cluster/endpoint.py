"""The HTTP endpoint: /v1/models, /v1/completions and /health. A `Backend` computes the answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Send

from tabspec.cluster.guard import Guard, Unwanted
from tabspec.cluster.request_body import BadRequest, ClusterRequest, fit_to, read_body
from tabspec.cluster.response import ResponseEvents, error, model_list
from tabspec.errors import ModelError, ModelUnavailable, PromptRefused
from tabspec.models.protocol import Chunk, ModelInfo

# Bytes of a request body. It holds two windows of a few kilobytes, the text around them (70 KB), and related text.
LONGEST_BODY = 1 << 20
# Seconds for a body to arrive. The longest one takes eight at a megabit a second.
BODY_S = 10.0
# Seconds that a client may take to read one piece of an answer before the connection is closed.
READ_S = 10.0


class Backend(Protocol):
    """The source of answers."""

    async def describe(self) -> tuple[ModelInfo, int]:
        """The model, and how many requests one client should send at a time. Raises `ModelUnavailable`."""
        ...

    def answer(self, asked: ClusterRequest) -> AsyncGenerator[Chunk, None]:
        """The model's chunks. Closing the generator stops the model. Raises `ModelError`."""
        ...


class Endpoint:
    """Answers HTTP requests from a backend."""

    def __init__(self, backend: Backend, guard: Guard) -> None:
        self._backend, self._guard = backend, guard

    async def __call__(self, request: Request) -> Response:
        path, method = request.url.path.rstrip("/"), request.method
        try:
            if not path.endswith("/health"):  # load balancers call it without a key and under names of their own
                self._guard.check(request.headers)
            if path.endswith("/v1/completions") and method == "POST":
                return await self._completions(request)
            if path.endswith("/v1/models") and method == "GET":
                return JSONResponse(model_list(*await self._backend.describe()))
            if path.endswith("/health") and method == "GET":
                await self._backend.describe()
                return Response()
        except Unwanted as unwanted:
            headers = {"WWW-Authenticate": "Bearer"} if unwanted.status == 401 else {}
            return JSONResponse(error(str(unwanted), "unwanted"), unwanted.status, headers=headers)
        except BadRequest as bad:
            return JSONResponse(error(str(bad)), bad.status)
        except ModelUnavailable as gone:
            return JSONResponse(error(str(gone), "unavailable"), 503, headers={"Retry-After": "1"})
        except PromptRefused as refused:
            return JSONResponse(error(str(refused)), 400)
        except ModelError as failed:
            return JSONResponse(error(str(failed), "model_error"), 500)
        return JSONResponse(error("there are /v1/models and /v1/completions here"), 404)

    async def _completions(self, request: Request) -> Response:
        asked = read_body(await _json(request), request.headers)
        info, _ = await self._backend.describe()
        asked = fit_to(asked, info.context_tokens)
        if asked.model not in ("", info.name):
            raise BadRequest(f"there is no model {asked.model!r} here; there is {info.name!r}", 404)
        response = ResponseEvents(asked, f"cmpl-{uuid.uuid4().hex}", int(time.time()), info.name)
        chunks = self._backend.answer(asked)
        if asked.stream:
            first = await anext(chunks, None)  # awaited before the status is sent, because it may raise an error
            return _ClosingStream(_events(response, first, chunks))
        async with aclosing(chunks):
            async for chunk in chunks:
                response.take(chunk)
                if response.over:
                    break
        return JSONResponse(response.whole())


class _ClosingStream(StreamingResponse):
    """Closes its source as soon as the client has disconnected or has stopped reading."""

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        super().__init__(source, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._source = source

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(READ_S):
                await send(message)

        with contextlib.suppress(TimeoutError):  # the HTTP server closes a connection whose response is incomplete
            async with aclosing(self._source):
                await super().stream_response(send_in_time)


async def _events(
    response: ResponseEvents, first: Chunk | None, chunks: AsyncGenerator[Chunk, None]
) -> AsyncGenerator[bytes, None]:
    """The lines of the event stream (server-sent events)."""
    async with aclosing(chunks):
        try:
            async for chunk in _chain(first, chunks):
                if events := response.take(chunk):
                    yield b"".join(map(_line, events))
                if response.over:
                    break
        except ModelError as failed:
            yield _line(error(str(failed), "model_error"))
            return
    for event in response.end():
        yield _line(event)
    yield b"data: [DONE]\n\n"


async def _chain(first: Chunk | None, rest: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    if first is not None:
        yield first
        async for chunk in rest:
            yield chunk


def _line(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n\n"


async def _json(request: Request) -> Any:
    too_long = BadRequest(f"the body is longer than {LONGEST_BODY} bytes: more than a context holds", 413)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > LONGEST_BODY:
        raise too_long
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                data += piece
                if len(data) > LONGEST_BODY:
                    raise too_long
    except TimeoutError:
        raise BadRequest("the body did not arrive in time", 408) from None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
