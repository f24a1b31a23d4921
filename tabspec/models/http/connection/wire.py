"""Requests to one server: a JSON document, or a streamed answer as a sequence of JSON events.

Whatever goes wrong is raised as `ModelError` or `ModelUnavailable`, with one line that names the server. Times are
measured with the running loop's clock.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import httpx

from tabspec.errors import ModelError
from tabspec.models.http.connection import body
from tabspec.models.http.connection.alone import alone, close
from tabspec.models.http.connection.failures import NoApi, connection_failed, parsed, reason_in, rejected
from tabspec.models.http.connection.key import NO_KEY, ApiKey
from tabspec.models.http.connection.loading import Loading
from tabspec.models.http.connection.route import Route, route_to, transport_for
from tabspec.models.tokens.writing import writable

# Longer than a TCP handshake over a bad line with one packet lost and sent again (1 s).
CONNECT_S = 2.0
# What a server reports about itself comes from memory.
DOCUMENT_S = 3.0
# Bytes of the reason why a request is refused: one line of it is shown.
LONGEST_REASON = 1 << 16

T = TypeVar("T")

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
}
# How a connection that the server has closed meanwhile fails.
_CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


def as_bytes(value: Mapping[str, Any]) -> bytes:
    """The body of a request as it is checked, shown and sent. Lone surrogates become U+FFFD."""
    return writable(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode("utf-8")


class Wire:
    """Requests to the server at ``base``. Connections are kept alive; TLS is verified."""

    def __init__(
        self,
        base: str,
        key: ApiKey = NO_KEY,
        route: Route | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base, self.key, self.route = base, key, route or route_to(base)
        authorization = {"Authorization": f"Bearer {key.value}"} if key.value else {}
        self._headers = httpx.Headers({**_HEADERS, **authorization})
        self.loads = False
        """Whether the server loads its model when it is asked for."""
        self._loading = Loading(base, self._send)
        # A transport of our own: httpx would read proxies from the environment by itself otherwise.
        self._client = httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            transport=transport or transport_for(self.route),
        )

    async def document(self, path: str, base: str = "") -> tuple[int, Any]:
        """Status and JSON of a GET; None for a body that is no JSON. Raises `ModelUnavailable` if nothing answers.
        ``base`` is another address of the same server."""
        return await self._whole_answer(httpx.Request("GET", (base or self.base) + path, headers=self._headers))

    async def post(self, path: str, data: Mapping[str, Any]) -> tuple[int, Any]:
        """The same of a POST."""
        request = httpx.Request("POST", self.base + path, content=as_bytes(data), headers=self._headers)
        return await self._whole_answer(request)

    async def events(self, path: str, data: bytes) -> AsyncGenerator[body.Json, None]:
        """The events of the streamed answer to this body. Closing the generator closes the connection, which stops the
        server."""
        # Not by `build_request`, which merges headers, cookies and addresses anew each time (0.2 ms).
        request = httpx.Request("POST", self.base + path, content=data, headers=self._headers)
        response = await (self._loading.send(request) if self.loads else self._send(request))
        try:
            if response.status_code != 200:
                reason = await self._reason(response)
                raise rejected(self.base, self.key, response.status_code, response.headers, reason)
            if body.is_page(response):
                raise NoApi(f"{self.base} answers with a web page: is a model server running there?", 200, "")
            async with aclosing(body.data_lines(response, self.base)) as lines:
                async for event in body.events(lines, self.base):
                    yield event
        except (httpx.HTTPError, TimeoutError) as error:
            raise connection_failed(self.base, self.route.proxy_host, error) from None
        finally:
            await close(response)

    async def close(self) -> None:
        """Close all connections."""
        await self._loading.close()
        await self._client.aclose()

    async def _send(self, request: httpx.Request, patience: float | None = None) -> httpx.Response:
        """Send, and wait for the head of the answer: ``patience`` seconds, by default `FIRST_EVENT_S`."""
        patience = body.FIRST_EVENT_S if patience is None else patience

        async def head() -> httpx.Response:
            async with asyncio.timeout(patience):
                return await alone(self._client.send(request, stream=True))

        return await self._again_if_closed(head)

    async def _whole_answer(self, request: httpx.Request) -> tuple[int, Any]:
        async def whole() -> tuple[int, Any]:
            async with asyncio.timeout(DOCUMENT_S):
                response = await alone(self._client.send(request, stream=True))
                try:
                    return response.status_code, parsed(await body.read_all(response, self.base, body.LONGEST_DOCUMENT))
                finally:
                    await close(response)

        return await self._again_if_closed(whole)

    async def _again_if_closed(self, step: Callable[[], Awaitable[T]]) -> T:
        """What ``step`` returns. It runs once more if the server has closed the connection: servers close kept
        connections at any time, and some of them after each request that failed."""
        try:
            try:
                return await step()
            except _CLOSED:
                return await step()
        except (httpx.HTTPError, TimeoutError) as error:
            raise connection_failed(self.base, self.route.proxy_host, error) from None

    async def _reason(self, response: httpx.Response) -> str:
        """Why a request is refused; "" for a page or nothing."""
        try:
            async with asyncio.timeout(DOCUMENT_S):
                return reason_in(parsed(await body.read_all(response, self.base, LONGEST_REASON)))
        except (httpx.HTTPError, TimeoutError, ModelError):
            return ""
