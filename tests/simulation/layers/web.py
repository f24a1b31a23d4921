"""A model server without sockets: an httpx transport that answers in virtual time, with all kinds of faults.

A question holds its number (``request 17``). The answer is the numbers from 0 on, from where the question resumes; so
what arrives is checked against nothing but itself.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

import httpx

NUMBER = re.compile(rb"request (\d+)")
LENGTH = 20
"""Tokens of an ordinary answer."""


class Manner(Enum):
    """How one streamed answer goes."""

    WELL = "well"
    SLOW = "slowly"
    BUSY = "503, with or without Retry-After"
    FAILS = "500"
    REFUSES = "400"
    NO_KEY = "401"
    GONE = "no connection"
    MUTE = "no head of the answer"
    HANGS = "nothing after some tokens"
    TORN = "the connection breaks after some tokens"
    CUT = "it ends without its finish"
    ENDLESS = "tokens without end"
    KEPT_ALIVE = "comments without end"
    EMPTY = "events without text, without end"
    LONG_LINE = "a line without end"
    GARBAGE = "events that are no JSON"
    SAYS_ERROR = "an event that is an error"
    PAGE = "a web page"
    ELSEWHERE = "a redirect to another host"


RETRY_AFTER = ("", "0.5", "20", "20", "20", "1e12", "-3", "soon", "nan")


@dataclass(eq=False)
class Kind:
    """What the server is: the documents by which it is known, and how it writes an event."""

    name: str
    documents: dict[str, Any]
    event: Callable[[str, int], dict[str, Any]]
    last: dict[str, Any]


def _openai(text: str, number: int) -> dict[str, Any]:
    logprobs = {"tokens": [f"token_id:{number}"], "token_logprobs": [-0.1]}
    return {"choices": [{"text": text, "logprobs": logprobs, "finish_reason": None}]}


_OPENAI_LAST = {"choices": [{"text": "", "finish_reason": "stop"}]}
_INFO = {"name": "m", "fingerprint": "f", "context_tokens": 4096}


def _ours(text: str, number: int) -> dict[str, Any]:
    return {"tabspec": {"text": text, "usage": [0, 0, 1], "tokens": [number], "logprobs": [-0.1]}}


KINDS = (
    Kind(
        "vLLM",
        {"/v1/models": {"data": [{"id": "Qwen2.5-Coder-7B", "owned_by": "vllm", "max_model_len": 4096}]}},
        _openai,
        _OPENAI_LAST,
    ),
    Kind("of no known kind", {"/v1/models": {"data": [{"id": "mystery", "owned_by": "x"}]}}, _openai, _OPENAI_LAST),
    Kind(
        "tabspec",
        {"/v1/models": {"data": [{"id": "m", "owned_by": "tabspec", "tabspec": {"info": _INFO, "slots": 2}}]}},
        _ours,
        {"tabspec": {"text": "", "usage": [0, 0, 0], "finish": "end"}},
    ),
)


class Torn(httpx.ReadError):
    """The connection broke."""


@dataclass(eq=False)
class Reached:
    """A request that has reached the network."""

    at: float
    method: str
    url: str
    content: bytes
    number: int  # of the question; -1: it holds none


@dataclass
class WebServer(httpx.AsyncBaseTransport):
    """Answers as ``manner`` draws it for each question; GONE while ``down``. ``reached`` is told of all requests."""

    random: Random
    kind: Kind
    step: float
    weights: dict[Manner, float]
    reached: Callable[[Reached], None]
    down: bool = False
    open: list[int] = field(default_factory=list)  # questions whose answer is under way
    silent: dict[int, float] = field(default_factory=dict)  # those for which no byte comes any more, and since when
    asked_patience: Callable[[float], None] = lambda _seconds: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        found = NUMBER.search(content)
        number = int(found[1]) if found else -1
        now = asyncio.get_running_loop().time()
        self.reached(Reached(now, request.method, str(request.url), content, number))
        if self.down:
            raise httpx.ConnectError("connection refused", request=request)
        if request.method == "GET":
            document = self.kind.documents.get(request.url.path)
            return _answered(200 if document else 404, document or {})
        if number < 0:
            return _answered(404, {})
        return await self._answer(request, content, number)

    async def silence(self, number: int) -> None:
        """No byte comes for this question, until it is given up."""
        loop = asyncio.get_running_loop()
        self.silent[number] = loop.time()
        try:
            await loop.create_future()
        finally:
            self.silent.pop(number, None)

    async def _answer(self, request: httpx.Request, content: bytes, number: int) -> httpx.Response:
        manner = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        await asyncio.sleep(self.step)
        match manner:
            case Manner.BUSY:
                after = self.random.choice(RETRY_AFTER)
                if after in ("0.5", "20", "1e12"):
                    self.asked_patience(float(after))
                return _answered(503, {}, {"Retry-After": after} if after else {})
            case Manner.FAILS | Manner.REFUSES | Manner.NO_KEY:
                status = {Manner.FAILS: 500, Manner.REFUSES: 400, Manner.NO_KEY: 401}[manner]
                return _answered(status, {"error": {"message": "no"}})
            case Manner.GONE:
                raise httpx.ConnectError("connection refused", request=request)
            case Manner.MUTE:
                await self.silence(number)
            case Manner.PAGE:
                return _answered(200, {}, {"Content-Type": "text/html"})
            case Manner.ELSEWHERE:
                return _answered(307, {}, {"Location": "http://elsewhere.example/v1/completions"})
        body = _Body(self, manner, number, _resumed(content))
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=body)


class _Whole(httpx.AsyncByteStream):
    """The bytes of an answer that comes as one."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


def _answered(status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=_Whole(json.dumps(value).encode()))


class _Body(httpx.AsyncByteStream):
    """The bytes of one answer."""

    def __init__(self, server: WebServer, manner: Manner, number: int, first: int) -> None:
        self._server, self._manner, self._number, self._first = server, manner, number, first
        self._breaks = server.random.randrange(LENGTH)
        self._kind = server.kind  # which another one may take the place of meanwhile
        server.open.append(number)

    async def aclose(self) -> None:
        if self._number in self._server.open:
            self._server.open.remove(self._number)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        server, manner = self._server, self._manner
        step = server.step * (40 if manner is Manner.SLOW else 1)
        at = self._first
        while manner is Manner.ENDLESS or at < LENGTH:
            await asyncio.sleep(step)
            if at - self._first == self._breaks and manner not in (Manner.WELL, Manner.SLOW, Manner.ENDLESS):
                async for data in self._trouble():
                    yield data
                return
            data = _event(self._kind.event(f"{at};", at))
            half = server.random.randrange(len(data))  # as packets are cut, which is anywhere
            yield data[:half]
            yield data[half:]
            at += 1
        yield _event(self._kind.last) + b"data: [DONE]\n\n"

    async def _trouble(self) -> AsyncIterator[bytes]:
        """What comes in place of the rest."""
        match self._manner:
            case Manner.TORN:
                raise Torn("torn")
            case Manner.HANGS:
                await self._server.silence(self._number)
            case Manner.GARBAGE:
                yield b"data: {{{\n\n"
            case Manner.SAYS_ERROR:
                yield _event({"error": {"message": "out of memory"}})
            case Manner.KEPT_ALIVE | Manner.EMPTY | Manner.LONG_LINE:
                ours = "tabspec" in self._kind.last
                data = {
                    Manner.KEPT_ALIVE: b": still here\n\n",
                    Manner.EMPTY: _event(_EMPTY_CHUNK if ours else {"choices": [{"text": ""}]}),
                    Manner.LONG_LINE: b"x" * (1 << 16),
                }[self._manner]
                while True:
                    await asyncio.sleep(1.0)
                    yield data


_EMPTY_CHUNK = {"tabspec": {"text": "", "usage": [0, 0, 0]}}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _resumed(content: bytes) -> int:
    """At which number the answer goes on."""
    question = json.loads(content).get("tabspec") or {}
    return str(question.get("resume", "")).count(";")
