"""`tabspec bench http`: the time that tabspec's HTTP client adds to the computing time of a model server."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from tabspec.errors import InputError, ModelError
from tabspec.machine import git_commit, machine
from tabspec.models.http import HttpModel
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.system.tables import print_table

_LINES = [f"def function_{i}(value):\n    total = value + {i}\n    return total * {i}\n\n\n" for i in range(60)]
# All requests begin with the same text, as those of an editor do, so that they hit the server's prefix cache.
_HEAD = "".join(_LINES[:40])
CLOSED = 30
"""How many answers are closed before their end."""


@click.command("http")
@click.option("--model", required=True, help="Address of a llama.cpp server, as in other commands.")
@click.option("--rounds", type=click.IntRange(5), default=60, show_default=True, help="Requests for each figure.")
@click.option("--tokens", type=click.IntRange(1, 64), default=8, show_default=True, help="Most tokens of an answer.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def http_bench_command(model: str, rounds: int, tokens: int, out: Path | None) -> None:
    """Time the overhead of HTTP: the time of a request, less the computing time that the server reports.

    Each request is sent twice, by tabspec's client and over a bare socket. The overhead of the bare socket is the time
    of the server's HTTP, queue and tokenizer. The difference between the two is the time of tabspec's client.

    Then answers are closed before their end. For these, the time until the server's slot is free is measured.
    """
    result = asyncio.run(measure(model, rounds, tokens))
    rows = [[name, *(f"{found[part]:.2f}" for part in ("p50", "p90", "max"))] for name, found in result["ms"].items()]
    print_table(f"{rounds} requests of at most {tokens} tokens to {model}, ms", ["", "p50", "p90", "most"], rows)
    if out:
        head = {"format": "tabspec-bench-http", "version": 1, "git_commit": git_commit(), "machine": machine()}
        out.write_text(json.dumps(head | result, indent=1) + "\n")


class _Tap:
    """Records the requests that pass through a model's `Wire`, and the last computing time that the server reports."""

    def __init__(self, model: HttpModel) -> None:
        self._events = model.wire.events
        model.wire.events = self.events  # type: ignore[method-assign]
        self.clear()

    def clear(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.server_ms: float | None = None

    async def events(self, path: str, data: bytes) -> AsyncGenerator[dict[str, Any], None]:
        self.bodies.append((path, data))
        async with aclosing(self._events(path, data)) as events:
            async for event in events:
                if timings := event.get("timings"):
                    self.server_ms = timings["prompt_ms"] + timings["predicted_ms"]
                yield event


async def measure(url: str, rounds: int, tokens: int) -> dict[str, Any]:
    """Return all figures, in milliseconds. Raises `InputError` if the server does not report its computing time."""
    model = HttpModel(url)
    tap = _Tap(model)
    ours: list[float] = []
    bare: list[float] = []
    whole: list[float] = []
    try:
        await model.connect()
        for number in range(rounds + 3):
            # The last line of the prompt changes from request to request, because an identical prompt needs no prefill.
            # The stop rule allows four lines, so that it does not end the answer. Otherwise the client would close the
            # stream before the event with the server's figures.
            asked = GenerationRequest(
                _HEAD, f"\n{_LINES[40 + number % 20][:16]}", "\n", "a.py", "python", stop=StopRule(4, tokens)
            )
            tap.clear()
            begin = time.perf_counter()
            async with aclosing(model.stream(asked)) as chunks:
                async for _ in chunks:
                    pass
            taken = (time.perf_counter() - begin) * 1000
            if tap.server_ms is None:
                raise InputError(f"{url} does not report its computing time: use llama.cpp's server")
            over, counted = taken - tap.server_ms, number >= 3 and len(tap.bodies) == 1
            below = await _bare(model, tap.bodies[0]) if counted else None
            if counted and below is not None:  # an answer that needed a second request is not counted
                ours.append(over)
                bare.append(below)
                whole.append(taken)
        freed = [found for _ in range(CLOSED) if (found := await _freed(model)) is not None]
    finally:
        await model.close()
    if len(ours) < 2:
        raise InputError(f"{url}: fewer than two answers needed only one request, so there is nothing to compare")
    extra = [one - other for one, other in zip(ours, bare, strict=True)]
    named: dict[str, list[float]] = {
        "a request": whole,
        "over the server's own time": ours,
        "a bare socket, over the same": bare,
    }
    named["ours over a bare socket"] = extra
    if len(freed) > 1:
        named["from a closed answer to a free slot"] = freed
    return {
        "model": url,
        "tokens": tokens,
        "counted": len(ours),
        "closed": len(freed),
        "ms": {name: _figures(times) for name, times in named.items()},
    }


async def _freed(model: HttpModel) -> float | None:
    """Return the milliseconds from closing an unfinished answer until all slots of the server are free.

    None if the server does not report its slots, or had finished the answer already. The slots are polled; a poll takes
    about a millisecond, so the result is at most that much too long.
    """
    # 500 tokens take much longer than closing the answer
    asked = GenerationRequest(_HEAD, "\n", "", "a.py", "python", stop=StopRule(200, 500))
    stream = model.stream(asked)
    await anext(stream)
    busy = await _busy(model)
    begin = time.perf_counter()
    await stream.aclose()
    while await _busy(model):
        pass
    return (time.perf_counter() - begin) * 1000 if busy else None


async def _busy(model: HttpModel) -> bool:
    """Whether a slot of llama.cpp's server is generating."""
    status, slots = await model.wire.document("/slots")
    return status == 200 and isinstance(slots, list) and any(slot.get("is_processing") for slot in slots)


async def _bare(model: HttpModel, sent: tuple[str, bytes]) -> float | None:
    """Send the same request over a bare socket, and return the time that exceeds the server's computing time.

    The result is in milliseconds; None if the server reports no computing time. The connection is opened before the
    clock starts.
    """
    path, body = sent
    parts = urlsplit(model.address.base)
    if parts.scheme != "http":
        raise InputError("the bare socket cannot use TLS: measure a server with an http:// address")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    begin = time.perf_counter()
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    taken = (time.perf_counter() - begin) * 1000
    writer.close()
    if b" 200 " not in answer[:20]:
        raise ModelError(f"{model.address.base} refuses a request over a bare socket: {answer[:60]!r}")
    events = [json.loads(line[6:]) for line in answer.split(b"\n") if line.startswith(b"data: {")]
    timings = [event["timings"] for event in events if "timings" in event]
    return taken - timings[-1]["prompt_ms"] - timings[-1]["predicted_ms"] if timings else None


def _figures(times: list[float]) -> dict[str, float]:
    p90 = statistics.quantiles(times, n=10, method="inclusive")[8]
    return {"p50": statistics.median(times), "p90": p90, "max": max(times)}
