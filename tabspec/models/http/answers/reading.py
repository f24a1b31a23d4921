"""From the pieces of a streamed answer to chunks: applies the stop rule, and counts tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from tabspec.errors import ModelUnavailable
from tabspec.models.http.apis import Ask, StreamEvent
from tabspec.models.protocol import Chunk, GenerationRequest, StopRule, Usage
from tabspec.models.tokens.writing import writable
from tabspec.suggestion import Finish

Events = Callable[[Ask], AsyncGenerator[dict[str, Any], None]]
"""Makes a request, and reads the events of its answer."""
TextEvents = Callable[[Ask], AsyncGenerator[StreamEvent, None]]
"""The same, as pieces of text."""

# Characters a token, for models without a tokenizer here: measured on held-out code (tabspec.prompt.window).
CHARS_PER_TOKEN = 3.4


def budget(request: GenerationRequest) -> tuple[int, Sequence[str]]:
    """How many tokens are left, and the texts at which the server itself may stop.

    A line end stops a suggestion only if its last line is not blank, which a server does not check. So it is sent as a
    stop text only if that line has text already.
    """
    spent = round(len(request.resume) / CHARS_PER_TOKEN)
    rest = request.resume.split("\n")
    last = sum(bool(line.strip()) for line in rest[:-1]) == request.stop.max_lines - 1 and bool(rest[-1].strip())
    return max(request.stop.max_tokens - spent, 0), ["\n"] if last else []


@dataclass
class Counting:
    """Counts the tokens of the pieces so far: by the server's totals if it reports them, else a token a piece."""

    prompt_counted: bool = False
    decoded: int = 0

    def take(self, piece: StreamEvent) -> Usage:
        """The tokens of this piece."""
        total = piece.decoded
        if total is None:
            total = self.decoded + (len(piece.tokens) or bool(piece.text))
        decoded, self.decoded = max(total - self.decoded, 0), max(total, self.decoded)
        if self.prompt_counted or piece.prompt is None:
            return Usage(decoded=decoded)
        self.prompt_counted = True
        return Usage(max(piece.prompt, 0), piece.reused or 0, decoded)


def unsure(stop: StopRule, piece: StreamEvent, first: bool) -> bool:
    """Whether the rule stops before this piece because one of its tokens is too unlikely."""
    least = stop.min_first_logprob if first else stop.min_logprob
    return least is not None and any(logprob < least for logprob in piece.logprobs)


async def drain(answer: AsyncGenerator[StreamEvent, None], counting: Counting | None = None) -> Usage:
    """Reads the rest of an answer after its finish: the server's counts. Only a connection that was read to the end can
    be used again."""
    usage, counting = Usage(), counting or Counting()
    async for piece in answer:
        usage += counting.take(piece)
    return usage


async def read_on(
    pieces: TextEvents, ask: Callable[[], Ask], request: GenerationRequest
) -> AsyncGenerator[Chunk, None]:
    """The answer to a request whose whole answer is the suggestion. Closes the stream when the stop rule holds."""
    text, stop, counting = writable(request.resume), request.stop, Counting()
    left, stops = budget(request)
    if stop.end(text) is not None or left == 0:
        yield Chunk(finish=Finish.LENGTH if stop.end(text) is None else Finish.STOP)
        return
    async with aclosing(pieces(ask())) as answer:
        async for piece in answer:
            usage = counting.take(piece)
            if unsure(stop, piece, first=not text):
                yield Chunk(usage=usage, finish=Finish.doubt(text, piece.text))
                return
            end = stop.end(text + piece.text, len(text))
            fresh = piece.text if end is None else piece.text[: end - len(text)]
            text += fresh
            finish = Finish.STOP if end is not None or (piece.finish is Finish.END and stops) else piece.finish
            if finish is None and counting.decoded > stop.max_tokens:  # a server that knows no limit
                finish = Finish.LENGTH
            if piece.finish:
                usage += await drain(answer, counting)
            if fresh or piece.tokens or usage != Usage() or finish:
                yield Chunk(fresh, piece.tokens, piece.logprobs, usage, finish)
            if finish:
                return
    raise ModelUnavailable("the server's answer broke off")
