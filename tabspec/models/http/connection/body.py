"""Reading the body of a response within limits: a server may be hostile."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx

from tabspec.errors import ModelError
from tabspec.models.http.connection.alone import alone
from tabspec.models.http.connection.failures import failed_meanwhile, one_line, parsed
from tabspec.system.quoted import quoted

# A cold prefill of a full window by a large model on a CPU takes several seconds; no user waits longer for a
# suggestion.
FIRST_EVENT_S = 10.0
# A token takes a few hundred milliseconds on the slowest set-up that is still of use; a busy batch holds it up.
BETWEEN_EVENTS_S = 5.0
# The end of a stream follows its last event at once. A connection that stays open longer is closed.
END_S = 0.1
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

Json = dict[str, Any]

DONE: Json = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
"""Emitted for the line ``data: [DONE]``: not every server gives a reason for the end before that."""

# A line of a stream that holds an event or an error. Others are comments, names of events, and empty lines.
_DATA = re.compile(rb"^(?:data|error):[^\n]*", re.MULTILINE)


async def read_all(response: httpx.Response, base: str, most: int) -> bytes:
    """A body of at most ``most`` bytes."""
    data = bytearray()
    pieces = _pieces(response, base)
    while (piece := await alone(anext(pieces, None))) is not None:
        data += piece
        if len(data) > most:
            raise ModelError(f"{base} sends an answer of more than {most >> 10} KiB: is it a model server?")
    return bytes(data)


async def data_lines(response: httpx.Response, base: str) -> AsyncGenerator[bytes, None]:
    """Lines that hold data: of a stream, or the only one of a server that does not stream."""
    if _content_type(response) != "text/event-stream":
        yield b"data: " + b"".join((await read_all(response, base, LONGEST_DOCUMENT)).splitlines())
        return
    # httpx's own line reader also breaks lines at U+2028 and its like, which JSON strings may hold. Lines end with LF
    # or CRLF; what follows the last line end is half a line, and dropped.
    held, total = bytearray(), 0
    pieces = _pieces(response, base)
    while (piece := await alone(anext(pieces, None))) is not None:
        total += len(piece)
        held += piece
        if b"\n" in piece:
            end = held.rfind(b"\n") + 1
            complete, held = bytes(held[:end]), held[end:]
            for line in _DATA.finditer(complete):
                yield line[0].removesuffix(b"\r")
        if len(held) > LONGEST_LINE or total > LONGEST_ANSWER:
            raise ModelError(f"{base} sends no stream of events: a line or an answer is too long")


async def events(lines: AsyncGenerator[bytes, None], base: str) -> AsyncGenerator[Json, None]:
    """The events in ``lines``. Raises `TimeoutError` if one takes too long, `ModelError` if it is none."""
    loop = asyncio.get_running_loop()
    end = loop.time() + ANSWER_S
    until = min(loop.time() + FIRST_EVENT_S, end)
    for _ in range(MOST_EVENTS):
        async with asyncio.timeout_at(until):
            line = await anext(lines, None)
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
        event = parsed(value)
        if not isinstance(event, dict):
            raise ModelError(f"{base} sent an event that is no JSON: {quoted(one_line(value))}")
        if name == b"error" or event.get("error"):
            raise failed_meanwhile(base, event)
        yield event
        until = min(loop.time() + BETWEEN_EVENTS_S, end)
    raise ModelError(f"{base} sends no answer that ends: more than {MOST_EVENTS} events")


def is_page(response: httpx.Response) -> bool:
    """Whether a web page came."""
    return _content_type(response) == "text/html"


def _content_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _pieces(response: httpx.Response, base: str) -> AsyncIterator[bytes]:
    """The bytes of a body as they come, at most 64 KiB each. Nothing is unpacked: no compression is asked for, and
    a few KiB of it can hold gigabytes."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ModelError(f"{base} sends a compressed answer, which was not asked for: turn compression off")
    return response.aiter_raw()
