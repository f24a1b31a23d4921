"""Real suggestions end to end: the requests that a session makes, answered by several models in turns.

What an editor waits for is measured: from the request to the end of the suggestion, with prompt, drafts, the
constraint, early stop and the event loop in it. Places are asked in the session's order, each after an edit and again
after the next one, so that every model keeps of its last prompt what it can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from statistics import median

from tabspec.models.protocol import GenerationRequest, Model


@dataclass(frozen=True, slots=True)
class Timed:
    """One answer: seconds it took, tokens it decoded, its characters."""

    seconds: float
    decoded: int
    chars: int


@dataclass(frozen=True, slots=True)
class SuggestionsMeasured:
    """A model's answers to all requests: medians over the rounds, summed and per request."""

    name: str
    total_ms: float
    median_ms: float
    p90_ms: float
    decoded: int
    chars: int


async def answer(model: Model, request: GenerationRequest) -> Timed:
    """Ask once, to the end."""
    start = time.perf_counter()
    decoded = chars = 0
    async with aclosing(model.stream(request)) as chunks:
        async for chunk in chunks:
            decoded += chunk.usage.decoded
            chars += len(chunk.text)
    return Timed(time.perf_counter() - start, decoded, chars)


def measure_suggestions(
    models: Mapping[str, Model], requests: Sequence[GenerationRequest], rounds: int
) -> list[SuggestionsMeasured]:
    """All ``requests`` to each of ``models``, request by request in turns; in ``rounds`` rounds behind one that warms
    up."""
    times: dict[str, list[list[Timed]]] = {name: [[] for _ in requests] for name in models}

    async def play() -> None:
        for turn in range(rounds + 1):
            for i, request in enumerate(requests):
                for name, model in models.items():
                    timed = await answer(model, request)
                    if turn:
                        times[name][i].append(timed)
        for model in models.values():
            await model.close()

    asyncio.run(play())
    return [_summary(name, asked) for name, asked in times.items()]


def _summary(name: str, asked: list[list[Timed]]) -> SuggestionsMeasured:
    ms = sorted(1000 * median(timed.seconds for timed in each) for each in asked)
    last = [each[-1] for each in asked]
    return SuggestionsMeasured(
        name,
        sum(ms),
        median(ms),
        ms[min(int(0.9 * len(ms)), len(ms) - 1)],
        sum(timed.decoded for timed in last),
        sum(timed.chars for timed in last),
    )
