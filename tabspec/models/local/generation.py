"""Canonical generation: greedy decoding under a constraint, so that an answer is a function of the text alone.

docs/design/decoding.md has the rules, and why typing the beginning of a suggestion does not change the rest. All local
decoders share this file; each is a `Decoder` to it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tabspec.errors import ModelError
from tabspec.models.local.batching import CHUNK, DecodeBatcher
from tabspec.models.local.drafts import Draft, NgramDrafts
from tabspec.models.local.logits import Logits
from tabspec.models.local.ngram_cache import LONGEST, NgramCaches
from tabspec.models.local.segment import Choosing, Segment
from tabspec.models.local.slots import Choice, Decoder, Slot, Slots
from tabspec.models.machine.devices import is_out_of_memory
from tabspec.models.protocol import CHUNK_AHEAD, Chunk, GenerationRequest, Usage
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.models.tokens.writing import Writing, writable
from tabspec.suggestion import Finish


@dataclass
class LocalDecoding:
    """What generations on one decoder share."""

    decoder: Decoder
    vocabulary: Vocabulary
    prompter: Prompter
    slots: Slots
    drafts: NgramDrafts
    chunk: int = CHUNK
    ngram_caches: NgramCaches | None = None
    first: DecodeBatcher | None = None  # of another model in this process, which comes first
    batcher: DecodeBatcher = field(init=False)

    def __post_init__(self) -> None:
        self.batcher = DecodeBatcher(self.decoder, self.first)


_ChosenTokens = list[tuple[int, Choice | None]]
"""Tokens to run, each with how it was chosen (None: it is a part of the prompt, or a guess)."""


@dataclass
class _Pass:
    """One pass of the decoder: ``pending`` tokens have to be run; after them come guesses that the pass verifies, the
    ``known`` text's tokens and a ``draft``. If nothing is pending, the guesses have been run and their logits are
    known."""

    pending: _ChosenTokens
    known: list[int] = field(default_factory=list)
    draft: Draft = field(default_factory=Draft)

    @property
    def ahead(self) -> list[int]:
        """All guesses."""
        return [*self.known, *self.draft.tokens]


async def generate(local: LocalDecoding, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
    """Answer ``request``. Raises `ModelError` where the model gives no numbers, or its context is too short."""
    head, forced, resume = writable(request.head), writable(request.forced), writable(request.resume)
    writing = Writing.start(head, forced, resume, request.stop)
    likely = None
    while True:
        segment = Segment.start(local.vocabulary, writing, request.beginnings, likely)
        if not segment.over:
            prompt = local.prompter.prompt(writing.head, request)
            segment.ngrams = local.ngram_caches.of(request, writing.head) if local.ngram_caches else None
            with local.slots.hold(prompt, request.foreground, segment.holding) as slot:
                async for chunk in decode(local, segment, slot, prompt, request.foreground):
                    yield chunk
        if segment.finish:
            yield Chunk(finish=segment.finish)
            return
        writing.move_cut()
        likely = segment.cut  # the text of this token is known now, up to where the cut was; it is chosen anew


async def decode(
    local: LocalDecoding, segment: Choosing, slot: Slot, prompt: array[int], foreground: bool
) -> AsyncGenerator[Chunk, None]:
    """Decode after ``prompt`` until the segment is over. ``slot`` may hold a part of that from another request."""
    size = local.chunk if foreground else min(local.chunk, CHUNK_AHEAD)
    if len(prompt) >= local.decoder.context:
        segment.finish = Finish.LENGTH
        return
    step, chunks = _reuse(local, segment, slot, prompt)
    uncounted = len(step.pending)  # prompt tokens; chosen tokens are counted when they are chosen
    for chunk in _joined(chunks):
        yield chunk
    while not segment.over:
        while len(step.pending) > size:
            await run(local, slot, step.pending[:size], 0, foreground)
            yield Chunk(usage=Usage(prefill=size))
            uncounted -= size
            del step.pending[:size]
        if step.pending:
            step.known, step.draft = _draft(local, segment, slot, step.pending)
            if len(step.pending) + len(step.known) > size:  # no pass is longer, since others wait for its end
                step.known, step.draft = step.known[: size - len(step.pending)], Draft()
            if len(slot.tokens) + len(step.pending) + len(step.known) > local.decoder.context:
                segment.finish = Finish.LENGTH
                return
            tokens: _ChosenTokens = [*step.pending, *((token, None) for token in step.ahead)]
            await run(local, slot, tokens, len(step.ahead) + 1, foreground)
        else:
            await asyncio.sleep(0)  # a cancel takes effect here, too
        if uncounted:
            yield Chunk(usage=Usage(prefill=uncounted))
            uncounted = 0
        step, chunks = _verify(local, segment, slot, step)
        for chunk in _joined(chunks):
            yield chunk


def _joined(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """``chunks``, with neighbours that have nothing but counts joined: most tokens of a half-typed line are known."""
    for counts_only, run in groupby(chunks, lambda chunk: chunk.counts_only):
        if counts_only:
            yield Chunk(usage=sum((chunk.usage for chunk in run), Usage()))
        else:
            yield from run


def _reuse(local: LocalDecoding, segment: Choosing, slot: Slot, prompt: array[int]) -> tuple[_Pass, list[Chunk]]:
    """Keep what ``slot`` has of this prompt, and of the choices after it. Returns the first pass, and what the kept
    choices write."""
    kept = slot.shared(prompt)
    again = slot.choices[kept:] if kept == len(prompt) else []
    chunks = []
    length = kept
    for choice in again[: segment.holding(again)]:
        assert choice is not None
        chunks.append(segment.take(choice, reused=True))
        length += 1
        if segment.over:
            slot.ahead = min(slot.ahead, len(slot.tokens) - length)
            return _Pass([]), [Chunk(usage=Usage(reused=kept)), *chunks]
    pending: _ChosenTokens = [(token, None) for token in prompt[kept:]]
    unknown = not pending and slot.logits(length) is None
    if unknown:  # the logits after the last token are lost: run it again
        length -= 1
        pending = [(slot.tokens[length], slot.choices[length])]
    if pending:
        slot.truncate(local.decoder, length)
    draft = Draft() if pending else Draft(tuple(slot.tokens[length:]))
    return _Pass(pending, draft=draft), [Chunk(usage=Usage(reused=kept - unknown)), *chunks]


def _draft(local: LocalDecoding, segment: Choosing, slot: Slot, pending: _ChosenTokens) -> tuple[list[int], Draft]:
    """What to run after ``pending``: the tokenizer's own tokens for the known text, and guesses at what follows."""
    known = segment.known_tokens()
    if known is None:
        return [], Draft()
    if segment.room <= 0:
        return known, Draft()
    written = slot.tokens + array("I", [*(token for token, _ in pending), *known])
    room = min(segment.room, local.decoder.context - len(written))
    return known, local.drafts.propose(written, max(room, 0), segment.ngrams)


async def run(
    local: LocalDecoding,
    slot: Slot,
    tokens: Sequence[tuple[int, Choice | None]],
    want: int,
    foreground: bool,
    *,
    guessed: bool = True,
) -> None:
    """Run tokens in a slot, and keep the logits after the last ``want`` of them. ``guessed``: all of these but the
    first are guesses.

    A cancel takes effect before the pass. One that comes during the pass takes effect after it, and what was computed
    stays in the slot for the next request with this prompt.
    """

    def took(rows: Logits) -> None:
        slot.tokens.extend(token for token, _ in tokens)
        slot.choices += [choice for _, choice in tokens]
        slot.rows, slot.ahead = rows if want else None, max(want - 1, 0) if guessed else 0

    try:
        await local.batcher.forward(slot.kv, [token for token, _ in tokens], want, foreground, took)
    except RuntimeError as error:  # out of memory, a lost device; the slot may hold half of the tokens
        slot.truncate(local.decoder, 0)
        local.decoder.truncate(slot.kv, 0)  # also of a slot that had no tokens, of which `Slot.truncate` drops none
        if is_out_of_memory(error):
            local.slots.free()  # what other prompts keep, so that the next request has room
            raise ModelError(
                "the model's device is out of memory; end what else uses it, or run it on the CPU"
            ) from error
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"the model failed: {reason}") from error


def _verify(local: LocalDecoding, segment: Choosing, slot: Slot, step: _Pass) -> tuple[_Pass, list[Chunk]]:
    """Choose a token after each guess of a pass, as long as the guesses are what is chosen; drop the others from the
    slot.

    Returns the next pass, in which the last choice is pending, and what the choices write. At the end of a segment,
    guesses that agree with its last choice stay in the slot, for the request that continues there: suggestions end at a
    line end, and the next suggestion begins with it.
    """
    ahead = step.ahead
    base = len(slot.tokens) - len(ahead)
    rows = slot.logits(base)
    assert rows is not None
    chunks: list[Chunk] = []
    chosen: list[int] = []
    for i in range(len(ahead) + 1):
        logits = rows[i][: local.vocabulary.size]
        choice, chunk = segment.choose(logits, slot.tokens[max(base + i - LONGEST, 0) : base + i])
        chunks.append(chunk)
        chosen.append(choice.token)
        if segment.over or i == len(ahead) or ahead[i] != choice.token:
            if i >= len(step.known):
                local.drafts.verified(step.draft, chosen[len(step.known) :])
            if i < len(ahead) and ahead[i] != choice.token:
                slot.truncate(local.decoder, base + i)
            slot.rows, slot.ahead = slot.logits(base + i), len(slot.tokens) - base - i
            return _Pass([] if segment.over else [(choice.token, choice)]), chunks
        slot.choices[base + i] = choice
    raise AssertionError("the loop returns at its last turn")
