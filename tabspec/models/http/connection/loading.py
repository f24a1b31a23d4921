"""The request for which a server loads its model.

Ollama, llama-swap and their like load a model when it is asked for, and stop loading when the client closes the
connection. So that request stays open whatever becomes of its caller, until the model is loaded. Loading begins
anew if the model was unloaded meanwhile, which is after some minutes without a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from tabspec.errors import ModelUnavailable
from tabspec.models.http.connection import body
from tabspec.models.http.connection.alone import keep

# A model of 32B parameters is read from a disk of 150 MB/s in four minutes.
LOAD_S = 300.0
# Ollama unloads a model after five minutes without a request, unless it is set up otherwise.
IDLE_S = 240.0

SendRequest = Callable[[httpx.Request, float], Awaitable[httpx.Response]]
"""Sends a request, and waits for the head of its answer so many seconds. Raises `ModelError`."""


class Loading:
    """Sends requests to a server at ``base`` that loads its model on demand."""

    def __init__(self, base: str, send: SendRequest) -> None:
        self._base, self._send = base, send
        self._answered_at = float("-inf")  # when an answer began last
        self._first: asyncio.Task[httpx.Response] | None = None

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer. Raises `ModelUnavailable` after `FIRST_EVENT_S`, while the model goes on loading."""
        if self._first is not None:
            await self._head_of(self._first)
        elif asyncio.get_running_loop().time() > self._answered_at + IDLE_S:
            first = self._first = asyncio.ensure_future(self._send(request, LOAD_S))
            first.add_done_callback(self._loaded)
            try:
                return await self._head_of(first)
            except (ModelUnavailable, asyncio.CancelledError):
                first.add_done_callback(_close)
                raise
        try:
            return self._answered(await self._send(request, body.FIRST_EVENT_S))
        except ModelUnavailable:
            self._answered_at = float("-inf")  # it may have been unloaded for another model
            raise

    async def close(self) -> None:
        """Stop loading."""
        if first := self._first:
            first.cancel()
            await asyncio.wait([first])

    async def _head_of(self, first: asyncio.Task[httpx.Response]) -> httpx.Response:
        try:
            async with asyncio.timeout(body.FIRST_EVENT_S):
                return await asyncio.shield(first)
        except TimeoutError:
            raise ModelUnavailable(f"{self._base} does not answer yet: it may be loading the model") from None

    def _loaded(self, first: asyncio.Task[httpx.Response]) -> None:
        self._first = None
        if not first.cancelled() and first.exception() is None:
            self._answered(first.result())

    def _answered(self, response: httpx.Response) -> httpx.Response:
        self._answered_at = asyncio.get_running_loop().time()
        return response


def _close(first: asyncio.Task[httpx.Response]) -> None:
    """Close the answer to a request whose caller is gone."""
    if not first.cancelled() and first.exception() is None:
        keep(asyncio.ensure_future(first.result().aclose()))
