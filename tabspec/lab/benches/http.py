"""`tabspec bench http`: what `--model http://…` costs over the server's own time."""

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
# What is asked for next is written behind the same text, as an editor does: the server's prefix cache hits.
_HEAD = "".join(_LINES[:40])
CLOSED = 30
"""Answers that are closed in the middle."""


@click.command("http")
@click.option("--model", required=True, help="The server's address, as for --model elsewhere (llama.cpp's server).")
@click.option("--rounds", type=click.IntRange(5), default=60, show_default=True, help="Requests for each figure.")
@click.option("--tokens", type=click.IntRange(1, 64), default=8, show_default=True, help="Tokens a request.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def http_bench_command(model: str, rounds: int, tokens: int, out: Path | None) -> None:
    """Time requests, and take away what the server says it computed; beside a bare socket, in turns.

    The bare socket sends the very same bodies and reads what comes: what it takes over the server's own time is the
    server's HTTP, its queue and its tokenizer, and nobody's client can be below it. Then answers are closed in the
    middle, and the server is asked until it says that its slot is free.
    """
    result = asyncio.run(measure(model, rounds, tokens))
    rows = [[name, *(f"{found[part]:.2f}" for part in ("p50", "p90", "max"))] for name, found in result["ms"].items()]
    print_table(f"{rounds} requests of at most {tokens} tokens to {model}, ms", ["", "p50", "p90", "most"], rows)
    if out:
        head = {"format": "tabspec-bench-http", "version": 1, "git_commit": git_commit(), "machine": machine()}
        out.write_text(json.dumps(head | result, indent=1) + "\n")


class _Tap:
    """Records what goes through a model's `Wire`: the bodies, and the last computing time that the server reports."""

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
    """All figures, in milliseconds. Raises `InputError` if the server does not tell its own times."""
    model = HttpModel(url)
    tap = _Tap(model)
    ours: list[float] = []
    bare: list[float] = []
    whole: list[float] = []
    try:
        await model.connect()
        for number in range(rounds + 3):
            # The line in progress is another one each time: an identical prompt would be answered without prefill.
            # Four lines, so that the stop rule does not end it: a stream that is closed tells no last figures.
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
                raise InputError(f"{url} does not report how long it computed; llama.cpp's server does")
            over, counted = taken - tap.server_ms, number >= 3 and len(tap.bodies) == 1
            below = await _bare(model, tap.bodies[0]) if counted else None
            if counted and below is not None:  # not of answers that took a second request
                ours.append(over)
                bare.append(below)
                whole.append(taken)
        freed = [found for _ in range(CLOSED) if (found := await _freed(model)) is not None]
    finally:
        await model.close()
    if len(ours) < 2:
        raise InputError(f"{url}: no answer came in one request")
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
    """Milliseconds from closing an answer in the middle until all slots are free; None where the server does not tell
    of its slots, or was done already. Asking takes a millisecond, by which the time is too long at most."""
    # to write on through a whole file takes longer than closing it
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
    """Whether llama.cpp's server has a slot at work."""
    status, slots = await model.wire.document("/slots")
    return status == 200 and isinstance(slots, list) and any(slot.get("is_processing") for slot in slots)


async def _bare(model: HttpModel, sent: tuple[str, bytes]) -> float | None:
    """The same request by hand on a new connection, read to its end; the connection is made before the clock runs."""
    path, body = sent
    parts = urlsplit(model.address.base)
    if parts.scheme != "http":
        raise InputError("a bare socket speaks no TLS: measure a server on this machine")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    begin = time.perf_counter()
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    taken = (time.perf_counter() - begin) * 1000
    writer.close()
    if b" 200 " not in answer[:20]:
        raise ModelError(f"{model.address.base} refuses a bare request: {answer[:60]!r}")
    events = [json.loads(line[6:]) for line in answer.split(b"\n") if line.startswith(b"data: {")]
    timings = [event["timings"] for event in events if "timings" in event]
    return taken - timings[-1]["prompt_ms"] - timings[-1]["predicted_ms"] if timings else None


def _figures(times: list[float]) -> dict[str, float]:
    p90 = statistics.quantiles(times, n=10, method="inclusive")[8]
    return {"p50": statistics.median(times), "p90": p90, "max": max(times)}
