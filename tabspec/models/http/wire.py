"""One server on the wire: a JSON document, or a streamed answer as a sequence of JSON events.

Whatever goes wrong comes out as `ModelError` or `ModelUnavailable` with one line that names the server. The times
below are waited on the running loop's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import httpx

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.http.loopback import Loopback, direct
from tabspec.models.http.pace import retry_after

# Longer than a TCP handshake over a bad line with one packet lost and sent again (1 s).
CONNECT_S = 2.0
# A cold prefill of a full window by a large model on a CPU takes several seconds; nobody waits longer for a suggestion.
FIRST_EVENT_S = 10.0
# A token takes a few hundred milliseconds on the slowest set-up that is still of use; a busy batch holds it up.
BETWEEN_EVENTS_S = 5.0
# The end of a stream follows at once; whoever keeps it open loses the connection.
END_S = 0.1
# What a server says of itself comes from memory.
DOCUMENT_S = 3.0
# An event holds a token and its probabilities: some hundred bytes. One of a MiB is no event.
LONGEST_LINE = 1 << 20

Json = dict[str, Any]


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
    """Requests to the server at ``base``. Connections are kept alive; TLS is verified; proxies are those of the
    environment (httpx's defaults)."""

    def __init__(self, base: str, key: str = "", transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.base, self.has_key = base, bool(key)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        self._headers = httpx.Headers({**_JSON, **headers, "Accept-Encoding": "identity", "Connection": "keep-alive"})
        self.sending: Callable[[str, bytes], None] = lambda _path, _body: None
        """Told of the path and body of each streamed request before it is sent."""
        transport = transport or (Loopback() if direct(base) else None)
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout, transport=transport)

    async def document(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a GET; None for a body that is no JSON. Raises `ModelUnavailable` if nobody answers."""
        return await self._whole_answer(httpx.Request("GET", self.base + path, headers=self._headers))

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """The same of a POST."""
        request = httpx.Request("POST", self.base + path, content=_bytes(body), headers=self._headers)
        return await self._whole_answer(request)

    async def _whole_answer(self, request: httpx.Request) -> tuple[int, Any]:
        for again in (True, False):
            try:
                async with asyncio.timeout(DOCUMENT_S):
                    response = await self._client.send(request)
                return response.status_code, _json(response.content)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                # Behind a request that failed uvicorn closes the connection, which looks good still: transformers serve
                # fails at /v1/models. A document can be asked for again without harm.
                if not again:
                    raise self._gone(error) from None
            except (httpx.HTTPError, TimeoutError) as error:
                raise self._gone(error) from None
        raise AssertionError("the loop returns or raises at its last turn")

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Json, None]:
        """The events of a streamed answer. Closing the generator closes the connection, which stops the server."""
        data = _bytes(body)
        self.sending(path, data)
        # Not by `build_request`, which merges headers, cookies and addresses anew each time (0.2 ms).
        request = httpx.Request("POST", self.base + path, content=data, headers=self._headers)
        response = await self._send(request)
        try:
            if response.status_code != 200:
                raise await self._refused(response)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/html":
                raise ModelError(f"{self.base} answers with a web page: is a model server running there?")
            lines = _lines(_chunks(response)) if kind == "text/event-stream" else _whole(response)
            async with aclosing(lines):
                async for event in self._read(lines):
                    yield event
        except httpx.HTTPError as error:
            raise self._gone(error) from None
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Send, and wait for the head of the answer. A connection that the server has closed meanwhile is replaced."""
        for again in (True, False):
            try:
                async with asyncio.timeout(FIRST_EVENT_S):
                    return await self._client.send(request, stream=True)
            except httpx.RemoteProtocolError as error:
                if not again:
                    raise self._gone(error) from None
            except (httpx.HTTPError, TimeoutError) as error:
                raise self._gone(error) from None
        raise AssertionError("the loop returns or raises at its last turn")

    async def _read(self, lines: AsyncGenerator[bytes, None]) -> AsyncGenerator[Json, None]:
        patience = FIRST_EVENT_S
        while True:
            try:
                async with asyncio.timeout(patience):
                    line = await anext(lines, None)
            except TimeoutError as error:
                raise self._gone(error) from None
            if line is None:
                return
            field, _, value = line.partition(b":")
            value = value.strip()
            if field not in (b"data", b"error") or not value:
                continue  # comments (keep-alives), names of events, empty lines
            patience = BETWEEN_EVENTS_S
            if value == b"[DONE]":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(END_S):
                        await anext(lines, None)  # the end of the stream, with which the connection can be used again
                        await anext(lines, None)
                return
            event = _json(value)
            if not isinstance(event, dict):
                raise ModelError(f"{self.base} sent an event that is no JSON: {_shown(value)}")
            if field == b"error" or event.get("error"):
                raise self._failed(event)
            yield event

    def _failed(self, event: Json) -> ModelError:
        said = _said(event)
        return ModelError(f"{self.base} failed while it was answering: {said or 'it does not say why'}")

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
            return ModelUnavailable(f"{base}: the proxy lets nobody through ({error})")
        return ModelUnavailable(f"{base}: the connection broke off")

    async def _refused(self, response: httpx.Response) -> ModelError:
        """What a status other than 200 means to the user."""
        status, base = response.status_code, self.base
        said = await _body(response)
        told = f": {said}" if said else ""
        if status in (401, 403):
            return ModelError(f"{base} refuses the key (status {status}): set TABSPEC_API_KEY")
        if status in (429, 502, 503, 504):
            after = retry_after(response.headers)
            words = "is starting or busy" if status == 503 else "is busy" if status == 429 else "is not to be reached"
            return Busy(f"{base} {words} (status {status}){told}", after)
        if status in (400, 413, 422) and _speaks_of_length(said):
            return TooLong(f"{base}: the prompt is too long for the model{told}")
        if status < 500 or status == 501:
            return Refused(f"{base} refuses the request (status {status}){told}", status, said)
        return ModelError(f"{base} failed (status {status}){told}")


_JSON = {"Content-Type": "application/json", "Accept": "text/event-stream"}


def _bytes(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The bytes of a stream as they come: without httpx's decoders, where nothing is packed."""
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx.AsyncByteStream):
        return response.aiter_bytes()
    return aiter(response.stream)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Lines of a stream of bytes, ended by LF or CRLF alone.

    httpx's own line reader also breaks lines at U+2028 and its like, which JSON strings may hold as they are. What
    stands behind the last line end is half a line, and dropped.
    """
    held = b""
    async for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(held) > LONGEST_LINE:
            raise ModelError("the server's answer is no stream of events: a line of more than a MiB")


async def _whole(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The only event of a server that does not stream."""
    yield b"data: " + b"".join((await response.aread()).splitlines())


async def _body(response: httpx.Response) -> str:
    """What a refusal says, shortened; "" for a page or nothing."""
    try:
        async with asyncio.timeout(DOCUMENT_S):
            data = await response.aread()
    except (httpx.HTTPError, TimeoutError):
        return ""
    found = _json(data)
    return _said(found) if isinstance(found, dict) else ""


def _said(event: Json) -> str:
    """The message in an error object: OpenAI's, llama.cpp's, vLLM's, TGI's and FastAPI's ways to write one."""
    error = event.get("error", event)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return _shown(str(error).encode("utf-8", "replace")) if isinstance(error, str | list) else ""


def _shown(data: bytes) -> str:
    """At most a line of it."""
    text = " ".join(data.decode("utf-8", "replace").split())
    return text if len(text) <= 160 else text[:157] + "..."


def _speaks_of_length(said: str) -> bool:
    # llama.cpp "exceeds the available context size", vLLM "maximum context length is", TGI "`inputs` must have less
    # than", "inputs tokens + max_new_tokens must be <="
    said = said.lower()
    return "context" in said or "must have less than" in said or "max_new_tokens must be" in said
