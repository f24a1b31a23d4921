"""From the pieces of a streamed answer to chunks: the stop rule, and what was used."""

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
Pieces = Callable[[Ask], AsyncGenerator[StreamEvent, None]]
"""The same, as pieces of text."""

# Characters a token, for text whose tokens are not known: measured on held-out code (tabspec.prompt.window).
CHARS_PER_TOKEN = 3.4


def budget(request: GenerationRequest) -> tuple[int, Sequence[str]]:
    """Tokens that are left, and the texts at which the server itself may stop.

    A line end stops a suggestion only where its last line has something on it, which a server cannot tell: so it is
    named only where that is decided by what is already written.
    """
    spent = round(len(request.resume) / CHARS_PER_TOKEN)
    rest = request.resume.split("\n")
    last = sum(bool(line.strip()) for line in rest[:-1]) == request.stop.max_lines - 1 and bool(rest[-1].strip())
    return max(request.stop.max_tokens - spent, 0), ["\n"] if last else []


@dataclass
class Counting:
    """What the pieces so far have cost. Where a server tells totals they count, else each piece is a token."""

    prompt_told: bool = False
    decoded: int = 0

    def take(self, piece: StreamEvent) -> Usage:
        """What is new with this piece."""
        total = piece.decoded
        if total is None:
            total = self.decoded + (len(piece.tokens) or bool(piece.text))
        decoded, self.decoded = max(total - self.decoded, 0), max(total, self.decoded)
        if self.prompt_told or piece.prompt is None:
            return Usage(decoded=decoded)
        self.prompt_told = True
        return Usage(max(piece.prompt, 0), piece.reused or 0, decoded)


def unsure(stop: StopRule, piece: StreamEvent, first: bool) -> bool:
    """Whether the rule stops before this piece, because a token of it is too unlikely."""
    least = stop.min_first_logprob if first else stop.min_logprob
    return least is not None and any(logprob < least for logprob in piece.logprobs)


async def drain(answer: AsyncGenerator[StreamEvent, None], counting: Counting | None = None) -> Usage:
    """What a server sends behind the finish: its counts. Read to the end, a connection can be used again."""
    usage, counting = Usage(), counting or Counting()
    async for piece in answer:
        usage += counting.take(piece)
    return usage


async def read_on(pieces: Pieces, ask: Callable[[], Ask], request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
    """The answer to one request whose whole text is the suggestion. The stream is closed when the stop rule holds."""
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
