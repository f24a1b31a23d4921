"""Measures whole suggestions: several models answer the requests of a session in turns.

The time from the request to the end of the suggestion is measured. It includes the prompt, drafts, the constraint,
early stop and the event loop. Requests follow the session's order, after an edit and after the next one, so each model
can reuse its last prompt.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from statistics import median

from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.lab.measuring.trimmed import Cut, cut_away
from tabspec.models.protocol import GenerationRequest, Model, StopRule
from tabspec.prompt.window import WindowSize
from tabspec.suggestion import Finish, GeneratedText


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """One answer: its time in seconds, the number of decoded tokens, and the text."""

    seconds: float
    decoded: int
    written: GeneratedText


@dataclass(frozen=True, slots=True)
class SuggestionsMeasured:
    """A model's times over all requests. The time of a request is its median over the rounds. ``same`` counts the texts
    that equal those of the reference model."""

    name: str
    total_ms: float
    median_ms: float
    p90_ms: float
    decoded: int
    chars: int
    same: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The number of tokens ``decoded``, and how many of them each cut removed."""

    decoded: int
    cut: Counter[Cut]


async def answer(model: Model, request: GenerationRequest) -> TimedAnswer:
    """Send ``request`` once, and read the answer to its end."""
    start = time.perf_counter()
    decoded, text, finish = 0, "", Finish.CANCELLED
    ends, logprobs = list[int](), list[float]()
    async with aclosing(model.stream(request)) as chunks:
        async for chunk in chunks:
            decoded += chunk.usage.decoded
            text += chunk.text
            ends += [len(text)] * len(chunk.tokens)
            logprobs += chunk.logprobs
            finish = chunk.finish or finish
    return TimedAnswer(time.perf_counter() - start, decoded, GeneratedText(text, finish, tuple(ends), tuple(logprobs)))


def question(context: EditContext, fingerprint: str, stop: StopRule) -> GenerationRequest:
    """The request that an engine makes at ``context``."""
    return PromptState.of(context, WindowSize(), fingerprint).request(stop)


def measure_suggestions(
    models: Mapping[str, Model], requests: Sequence[GenerationRequest], rounds: int, like: str
) -> list[SuggestionsMeasured]:
    """Send all ``requests`` to each of ``models``. For each request, the models take turns. ``rounds`` rounds follow a
    round of warm-up. ``like`` names the reference model for the comparison of texts."""
    times: dict[str, list[list[TimedAnswer]]] = {name: [[] for _ in requests] for name in models}

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
    return [_summary(name, asked, times[like]) for name, asked in times.items()]


async def measure_trimmed(model: Model, places: Sequence[EditContext], stop: StopRule, early: bool) -> Trimmed:
    """Count the tokens removed from the model's answers at ``places``. ``early``: the model stops at the cut point."""
    decoded, cut = 0, Counter[Cut]()
    for context in places:
        asked = question(context, model.info.fingerprint, stop)
        timed = await answer(model, asked if early else replace(asked, stop=stop))
        decoded += timed.decoded
        cut += cut_away(context, timed.written)
    return Trimmed(decoded, cut)


def _summary(name: str, asked: list[list[TimedAnswer]], like: list[list[TimedAnswer]]) -> SuggestionsMeasured:
    ms = sorted(1000 * median(timed.seconds for timed in each) for each in asked)
    last = [each[-1] for each in asked]
    return SuggestionsMeasured(
        name,
        sum(ms),
        median(ms),
        ms[min(int(0.9 * len(ms)), len(ms) - 1)],
        sum(timed.decoded for timed in last),
        sum(len(timed.written.text) for timed in last),
        sum(timed.written.text == other[-1].written.text for timed, other in zip(last, like, strict=True)),
    )
