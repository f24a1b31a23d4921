"""Fills holes with a model, by the engine's requests, and compares the results with the author's text."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tabspec.lab.evaluation.infilling.similarity import edit_similarity, same
from tabspec.lab.evaluation.infilling.snippets import HoleKind, Snippet
from tabspec.lab.evaluation.infilling.surroundings import Surroundings
from tabspec.lab.evaluation.infilling.syntax import parses_in_place
from tabspec.models.protocol import GenerationRequest, Model, StopRule
from tabspec.prompt.window import WindowSize, window

# A block of ten lines has up to 200 tokens; a line of 120 columns has 36.
STOPS = {
    HoleKind.REST: StopRule(max_lines=1, max_tokens=48),
    HoleKind.LINE: StopRule(max_lines=1, max_tokens=48),
    HoleKind.BLOCK: StopRule(max_lines=12, max_tokens=160),
}


@dataclass(frozen=True, slots=True)
class Infill:
    """The suggestion for a hole: its text, the natural log-probabilities of its tokens, and the seconds it took."""

    text: str
    logprobs: tuple[float, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A guess compared with the author's text. ``parses`` is None if the language has no grammar."""

    kind: HoleKind
    language: str
    exact: bool
    similarity: float
    parses: bool | None
    logprob: float
    seconds: float
    suggested: str
    written: str


Guesser = Callable[[Snippet], Awaitable[Infill]]


def with_model(model: Model, surroundings: Surroundings | None = None) -> Guesser:
    """A guesser that sends the engine's requests to ``model``: the same window and the same cut, decoded greedily. With
    ``surroundings``, requests include related code."""

    async def guess(snippet: Snippet) -> Infill:
        seen = window(snippet.context, WindowSize())
        request = GenerationRequest(
            head=seen.head,
            forced=seen.forced,
            suffix=seen.suffix,
            path=snippet.name,
            language=snippet.language,
            related=surroundings.related(snippet, seen) if surroundings else (),
            before=seen.before,
            after=seen.after,
            stop=STOPS[snippet.kind],
        )
        begun = time.perf_counter()
        text, logprobs = "", list[float]()
        async with aclosing(model.stream(request)) as chunks:
            async for chunk in chunks:
                text += chunk.text
                logprobs += chunk.logprobs
        end = STOPS[snippet.kind].end(text)
        return Infill(text[:end], tuple(logprobs), time.perf_counter() - begun)

    return guess


def mark(snippet: Snippet, guess: Infill) -> Mark:
    """Compare a guess with the author's text."""
    parses = parses_in_place(snippet.prefix, guess.text, snippet.suffix, snippet.middle, snippet.language)
    return Mark(
        kind=snippet.kind,
        language=snippet.language,
        exact=same(guess.text, snippet.middle),
        similarity=edit_similarity(guess.text.strip(), snippet.middle.strip()),
        parses=parses,
        logprob=sum(guess.logprobs),
        seconds=guess.seconds,
        suggested=guess.text,
        written=snippet.middle,
    )


async def fill(
    snippets: Sequence[Snippet], guesser: Guesser, progress: Callable[[int], None] = lambda done: None
) -> list[Mark]:
    """The marks of all snippets, one after the other. ``progress`` gets the number that are done."""
    marks = []
    for done, snippet in enumerate(snippets, 1):
        marks.append(mark(snippet, await guesser(snippet)))
        progress(done)
    return marks


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of a set of marks, and the median time. NaN where nothing was measured."""

    count: int
    exact: float
    similarity: float
    parses: float
    silent: float
    median_ms: float


def score(marks: Sequence[Mark]) -> Score:
    """The score of some marks."""
    if not marks:
        return Score(0, math.nan, math.nan, math.nan, math.nan, math.nan)
    known = [m.parses for m in marks if m.parses is not None]
    times = sorted(m.seconds for m in marks)
    return Score(
        count=len(marks),
        exact=sum(m.exact for m in marks) / len(marks),
        similarity=sum(m.similarity for m in marks) / len(marks),
        parses=sum(known) / len(known) if known else math.nan,
        silent=sum(not m.suggested.strip() for m in marks) / len(marks),
        median_ms=1000 * times[len(times) // 2],
    )
