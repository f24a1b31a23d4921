"""Answers that are a function of the text alone, from a server that decodes under a grammar (llama.cpp).

The prompt ends at the canonical cut. A grammar forces the text between the cut and the cursor token by token: rule 4 of
docs/design/decoding.md. When the answer itself passes a cut (rule 5), a new request continues from there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.address import Address
from tabspec.models.http.answers.reading import CHARS_PER_TOKEN, TextEvents, drain, unsure
from tabspec.models.http.apis import Ask, StreamEvent, completions, grammar_for
from tabspec.models.http.detect import ServerInfo
from tabspec.models.http.forms import TokenPrompts, text_prompt
from tabspec.models.protocol import Chunk, GenerationRequest, Usage
from tabspec.models.tokens.writing import Event, Writing, writable
from tabspec.prompt.fim import FimFormat
from tabspec.suggestion import Finish

Prompts = TokenPrompts | FimFormat


def first_ask(server: ServerInfo, address: Address, prompts: Prompts, request: GenerationRequest) -> Ask:
    """The first HTTP request of `exact`. Sends nothing."""
    resume = writable(request.resume)
    writing = Writing.start(writable(request.head), writable(request.forced), resume, request.stop)
    return _ask(server, address, prompts, request, writing, request.stop.max_tokens - _tokens(prompts, resume))


async def exact(
    pieces: TextEvents, server: ServerInfo, address: Address, prompts: Prompts, request: GenerationRequest
) -> AsyncGenerator[Chunk, None]:
    """Answer ``request``, with at most one HTTP request for each canonical cut."""
    head, forced, resume = writable(request.head), writable(request.forced), writable(request.resume)
    writing = Writing.start(head, forced, resume, request.stop)
    spent = _tokens(prompts, resume)
    while True:
        finish = Finish.STOP if writing.stopped() else Finish.LENGTH if spent >= request.stop.max_tokens else None
        if finish:
            yield Chunk(finish=finish)
            return
        ask = _ask(server, address, prompts, request, writing, request.stop.max_tokens - spent)
        stretch = _ForcedAnswer(writing, prompts, writing.known, request.stop.max_tokens - spent)
        async with aclosing(pieces(ask)) as answer:
            async for piece in answer:
                chunk = stretch.take(piece)
                if chunk.finish and piece.finish:
                    await drain(answer)
                yield chunk
                if chunk.finish:
                    return
                if stretch.again:
                    break
            else:
                raise ModelUnavailable("the server's answer broke off")
        spent += stretch.spent
        writing.move_cut()


def _ask(
    server: ServerInfo, address: Address, prompts: Prompts, request: GenerationRequest, writing: Writing, left: int
) -> Ask:
    now = replace(request, head=writing.head)
    prompt = prompts.tokens(now, writing.head, "") if isinstance(prompts, TokenPrompts) else text_prompt(prompts, now)
    # Each forced token has at least a byte, so this is enough for all of them; the client stops at its own count.
    most = left + len(writing.known.encode())
    grammar = grammar_for(writing.known)
    return completions(server, address, prompt, max_tokens=most, foreground=request.foreground, grammar=grammar)


def _tokens(prompts: Prompts, text: str) -> int:
    """How many tokens ``text`` has; an estimate without a tokenizer."""
    if isinstance(prompts, TokenPrompts):
        return len(prompts.vocabulary.encode(text))
    return round(len(text) / CHARS_PER_TOKEN)


@dataclass
class _ForcedAnswer:
    """One HTTP request's answer: ``rest`` is the forced text that it has not repeated yet."""

    writing: Writing
    prompts: Prompts
    rest: str
    left: int
    spent: int = 0
    again: bool = False
    prompt_counted: bool = False

    def take(self, piece: StreamEvent) -> Chunk:
        """Write a piece."""
        if not (piece.text.startswith(self.rest) or self.rest.startswith(piece.text)):
            raise ModelError(
                "the server does not decode under the grammar it was given; put ?exact=off into its address"
            )
        fresh = piece.text[len(self.rest) :]
        forced = bool(piece.text) and not fresh
        self.rest = self.rest[len(piece.text) :]
        usage = self._usage(piece, forced)
        if forced:
            return Chunk(usage=usage, finish=piece.finish)
        if unsure(self.writing.stop, piece, first=not self.writing.suggestion):
            return Chunk(usage=usage, finish=Finish.doubt(self.writing.suggestion, fresh))
        self.spent += bool(piece.text)
        text, event = self.writing.write(fresh.encode()) if fresh else ("", Event.GOES_ON)
        finish = piece.finish
        if event is Event.CUT:
            self.again, finish = True, None
        elif event is not Event.GOES_ON:
            finish = Finish.STOP if event is Event.STOP else Finish.END
        elif finish is None and self.spent >= self.left:
            finish = Finish.LENGTH
        return Chunk(text, piece.tokens, piece.logprobs, usage, finish)

    def _usage(self, piece: StreamEvent, forced: bool) -> Usage:
        usage = Usage(prefill=int(forced), decoded=int(bool(piece.text) and not forced))
        if self.prompt_counted or piece.prompt is None:
            return usage
        self.prompt_counted = True
        return usage + Usage(prefill=piece.prompt, reused=piece.reused or 0)
