"""One server on the wire: a JSON document, or a streamed answer as a sequence of JSON events.

Whatever goes wrong comes out as `ModelError` or `ModelUnavailable` with one line that names the server. The times
below are waited on the running loop's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import httpx

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.http.connection.alone import alone, close, keep
from tabspec.models.http.connection.key import HOST_VARIABLE, NO_KEY, VARIABLE, Key
from tabspec.models.http.connection.pace import retry_after
from tabspec.models.http.connection.route import Route, route_to, transport_for
from tabspec.quoted import quoted

# Longer than a TCP handshake over a bad line with one packet lost and sent again (1 s).
CONNECT_S = 2.0
# A cold prefill of a full window by a large model on a CPU takes several seconds; nobody waits longer for a suggestion.
FIRST_EVENT_S = 10.0
# A token takes a few hundred milliseconds on the slowest set-up that is still of use; a busy batch holds it up.
BETWEEN_EVENTS_S = 5.0
# A model of 32B parameters is read from a disk of 150 MB/s in four minutes.
LOAD_S = 300.0
# The end of a stream follows at once; whoever keeps it open loses the connection.
END_S = 0.1
# What a server says of itself comes from memory.
DOCUMENT_S = 3.0
# The most tokens that a suggestion may have (1,024) come within it where one takes 100 ms.
ANSWER_S = 120.0
# Bytes. An event holds a token and its probabilities: some hundred; the last one of llama.cpp's repeats the prompt.
LONGEST_LINE = 1 << 20
# 4,096 events of 4 KB.
LONGEST_ANSWER = 1 << 24
# 1,024 tokens, and as many of the line in progress where that is decoded again, and something for keep-alives.
MOST_EVENTS = 1 << 12
# A list of several hundred models with their descriptions has some hundred KB.
LONGEST_DOCUMENT = 1 << 22
# Why a request is refused: one line of it is shown.
LONGEST_REASON = 1 << 16

Json = dict[str, Any]

DONE: Json = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
"""Emitted where a stream says that it is over: not every server gives a reason for the end before that."""


class TooLong(ModelError):
    """The prompt does not fit into the server's context."""


class Refused(ModelError):
    """The server takes the request for wrong (400, 404, 405, 422, 501): asking it again is of no use."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


class Busy(ModelUnavailable):
    """The server asks for patience; ``after`` seconds, where it says how many."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.after = after


class Wire:
    """Requests to the server at ``base``. Connections are kept alive; TLS is verified. The way is that of ``route``.

    No more is read than the limits above: a server may be hostile.
    """

    def __init__(
        self,
        base: str,
        key: Key = NO_KEY,
        route: Route | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base, self.key, self.route = base, key, route or route_to(base)
        authorization = {"Authorization": f"Bearer {key.value}"} if key.value else {}
        self._headers = httpx.Headers({**_HEADERS, **authorization})
        self.loads = False
        """Whether the server loads its model for the first request (`_first`)."""
        self._answered = False  # the server has begun an answer: its model is loaded
        self._loading: asyncio.Task[httpx.Response] | None = None
        self._abandoned = False  # the caller of the request that loads the model is gone
        self.sending: Callable[[str, bytes], None] = lambda _path, _body: None
        """Called with the path and body of each streamed request before it is sent."""
        # A transport of our own: httpx would read proxies from the environment by itself otherwise.
        self._client = httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            transport=transport or transport_for(self.route),
        )

    async def document(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a GET; None for a body that is no JSON. Raises `ModelUnavailable` if nothing answers."""
        return await self._whole_answer(httpx.Request("GET", self.base + path, headers=self._headers))

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """The same of a POST."""
        request = httpx.Request("POST", self.base + path, content=as_bytes(body), headers=self._headers)
        return await self._whole_answer(request)

    async def _whole_answer(self, request: httpx.Request) -> tuple[int, Any]:
        for again in (True, False):
            try:
                async with asyncio.timeout(DOCUMENT_S):
                    response = await alone(self._client.send(request, stream=True))
                    try:
                        return response.status_code, _json(await self._read_all(response, LONGEST_DOCUMENT))
                    finally:
                        await close(response)
            except _CLOSED as error:
                # After a request that failed uvicorn closes the connection, which looks good still: transformers serve
                # fails at /v1/models. A document can be asked for again without harm.
                if not again:
                    raise self._gone(error) from None
            except (httpx.HTTPError, TimeoutError) as error:
                raise self._gone(error) from None
        raise AssertionError("the loop returns or raises at its last turn")

    async def events(self, path: str, data: bytes) -> AsyncGenerator[Json, None]:
        """The events of the streamed answer to this body. Closing the generator closes the connection, which stops the
        server."""
        self.sending(path, data)
        # Not by `build_request`, which merges headers, cookies and addresses anew each time (0.2 ms).
        request = httpx.Request("POST", self.base + path, content=data, headers=self._headers)
        response = await (self._first(request) if self.loads and not self._answered else self._send(request))
        try:
            if response.status_code != 200:
                raise await self._refused(response)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/html":
                raise ModelError(f"{self.base} answers with a web page: is a model server running there?")
            lines = self._lines(response) if kind == "text/event-stream" else self._whole(response)
            async with aclosing(lines):
                async for event in self._read(lines):
                    yield event
        except httpx.HTTPError as error:
            raise self._gone(error) from None
        finally:
            await close(response)

    async def close(self) -> None:
        """Close all connections."""
        if self._loading:
            self._loading.cancel()
            with contextlib.suppress(asyncio.CancelledError, ModelError):
                await self._loading
        await self._client.aclose()

    async def _first(self, request: httpx.Request) -> httpx.Response:
        """The first request: servers that load a model for it stop loading when the client closes the connection. So
        the connection stays open, whatever becomes of the caller, until the model is loaded or `LOAD_S` are over."""
        if self._loading and self._loading.done():
            self._loading = None
        own = self._loading is None
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._send(request, LOAD_S))
            self._loading.add_done_callback(self._loaded)
        try:
            async with asyncio.timeout(FIRST_EVENT_S):
                response = await asyncio.shield(self._loading)
        except (TimeoutError, asyncio.CancelledError) as error:
            self._abandoned = self._abandoned or own
            if isinstance(error, asyncio.CancelledError):
                raise
            raise ModelUnavailable(f"{self.base} does not answer yet: it may be loading the model") from None
        return response if own else await self._send(request)

    def _loaded(self, task: asyncio.Task[httpx.Response]) -> None:
        if task.cancelled() or task.exception() is not None:
            return
        self._answered = True
        if self._abandoned:
            keep(asyncio.ensure_future(task.result().aclose()))

    async def _send(self, request: httpx.Request, patience: float = FIRST_EVENT_S) -> httpx.Response:
        """Send, and wait for the head of the answer. A connection that the server has closed meanwhile is replaced."""
        for again in (True, False):
            try:
                async with asyncio.timeout(patience):
                    return await alone(self._client.send(request, stream=True))
            except _CLOSED as error:
                if not again:
                    raise self._gone(error) from None
            except (httpx.HTTPError, TimeoutError) as error:
                raise self._gone(error) from None
        raise AssertionError("the loop returns or raises at its last turn")

    # --- reading, within limits ---------------------------------------------------------------------------------------

    def _pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The bytes of a body as they come, at most 64 KiB each. Nothing is unpacked: no compression is asked for, and
        a few KiB of it can hold gigabytes."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise ModelError(f"{self.base} sends a compressed answer, which was not asked for: turn compression off")
        return response.aiter_raw()

    async def _read_all(self, response: httpx.Response, most: int) -> bytes:
        """A body of at most ``most`` bytes."""
        data = bytearray()
        pieces = self._pieces(response)
        while (piece := await alone(anext(pieces, None))) is not None:
            data += piece
            if len(data) > most:
                raise ModelError(f"{self.base} sends an answer of more than {most >> 10} KiB: is it a model server?")
        return bytes(data)

    async def _lines(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Lines of a stream that hold data, ended by LF or CRLF alone. What follows the last line end is half a line,
        and dropped.

        httpx's own line reader also breaks lines at U+2028 and its like, which JSON strings may hold as they are.
        """
        held, total = bytearray(), 0
        pieces = self._pieces(response)
        while (piece := await alone(anext(pieces, None))) is not None:
            total += len(piece)
            held += piece
            if b"\n" in piece:
                end = held.rfind(b"\n") + 1
                complete, held = bytes(held[:end]), held[end:]
                for line in _DATA.finditer(complete):
                    yield line[0].removesuffix(b"\r")
            if len(held) > LONGEST_LINE or total > LONGEST_ANSWER:
                raise ModelError(f"{self.base} sends no stream of events: a line or an answer is too long")

    async def _whole(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The only event of a server that does not stream."""
        yield b"data: " + b"".join((await self._read_all(response, LONGEST_DOCUMENT)).splitlines())

    async def _read(self, lines: AsyncGenerator[bytes, None]) -> AsyncGenerator[Json, None]:
        loop = asyncio.get_running_loop()
        end = loop.time() + ANSWER_S
        until = min(loop.time() + FIRST_EVENT_S, end)
        for _ in range(MOST_EVENTS):
            try:
                async with asyncio.timeout_at(until):
                    line = await anext(lines, None)
            except TimeoutError as error:
                raise self._gone(error) from None
            if line is None:
                return
            name, _, value = line.partition(b":")
            value = value.strip()
            if not value:
                continue
            if value == b"[DONE]":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(END_S):
                        await anext(lines, None)  # the end of the stream, with which the connection can be used again
                yield DONE
                return
            event = _json(value)
            if not isinstance(event, dict):
                raise ModelError(f"{self.base} sent an event that is no JSON: {quoted(_text(value))}")
            if name == b"error" or event.get("error"):
                raise self._failed(event)
            yield event
            until = min(loop.time() + BETWEEN_EVENTS_S, end)
        raise ModelError(f"{self.base} sends no answer that ends: more than {MOST_EVENTS} events")

    def _failed(self, event: Json) -> ModelError:
        said = _said(event)
        return ModelError(
            f"{self.base} failed while it was answering: {quoted(said) if said else 'it gives no reason'}"
        )

    def _gone(self, error: Exception) -> ModelUnavailable:
        """What a failure of the connection means to the user."""
        base = self.base
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return ModelUnavailable(f"{base} does not answer in time: it hangs, or has too much to do")
        if isinstance(error, httpx.ConnectError):
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, ssl.SSLError):
                    reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS failed"
                    return ModelUnavailable(f"{base}: its certificate is not trusted ({reason}); see SSL_CERT_FILE")
                cause = cause.__cause__ or cause.__context__
            return ModelUnavailable(f"{base}: no server answers there; start it, or name another with --model")
        if isinstance(error, httpx.ProxyError):
            return ModelUnavailable(f"{base}: the proxy {self.route.proxy_host} refuses the connection")
        return ModelUnavailable(f"{base}: the connection broke off")

    async def _refused(self, response: httpx.Response) -> ModelError:
        """What a status other than 200 means to the user."""
        status, base = response.status_code, self.base
        said = await self._reason(response)
        told = f": {quoted(said)}" if said else ""
        if status in (401, 403):
            return self.key_refused(status)
        if status in (429, 502, 503, 504):
            after = retry_after(response.headers)
            words = "is starting or busy" if status == 503 else "is busy" if status == 429 else "is not to be reached"
            return Busy(f"{base} {words} (status {status}){told}", after)
        if status in (400, 413, 422) and _speaks_of_length(said):
            return TooLong(f"{base}: the prompt is too long for the model{told}")
        if status < 500 or status == 501:
            return Refused(f"{base} refuses the request (status {status}){told}", status, said)
        return ModelError(f"{base} failed (status {status}){told}")

    async def _reason(self, response: httpx.Response) -> str:
        """What a refusal says; "" for a page or nothing."""
        try:
            async with asyncio.timeout(DOCUMENT_S):
                data = await self._read_all(response, LONGEST_REASON)
        except (httpx.HTTPError, TimeoutError, ModelError):
            return ""
        found = _json(data)
        return _said(found) if isinstance(found, dict) else ""

    def key_refused(self, status: int) -> ModelError:
        """What status 401 or 403 means to the user."""
        if self.key.withheld:
            return ModelError(f"{self.base} wants a key (status {status}), and {self.key.withheld}")
        return ModelError(
            f"{self.base} refuses the key (status {status}): set {VARIABLE}, and {HOST_VARIABLE} to its host"
        )


_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
}
# A line of a stream that holds an event or an error. Others are comments, names of events, and empty lines.
_DATA = re.compile(rb"^(?:data|error):[^\n]*", re.MULTILINE)
# How a connection that the server has closed meanwhile fails.
_CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


def as_bytes(body: Mapping[str, Any]) -> bytes:
    """The body of a request as it is checked, shown and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # the latter for brackets in brackets in brackets
        return None


def _said(event: Json) -> str:
    """The message in an error object: OpenAI's, llama.cpp's, vLLM's and FastAPI's ways to write one."""
    error = event.get("error", event)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return _text(str(error).encode("utf-8", "replace")) if isinstance(error, str | list) else ""


def _text(data: bytes) -> str:
    return " ".join(data.decode("utf-8", "replace").split())


def _speaks_of_length(said: str) -> bool:
    # llama.cpp "exceeds the available context size", vLLM "maximum context length is"
    return "context" in said.lower()
