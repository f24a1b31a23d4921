"""Canonical generation: greedy decoding under a constraint, so that an answer is a function of the text alone.

The rules, and why typing what a suggestion says cannot change it, are told in docs/design/decoding.md. All local
decoders share this file; it knows them as `Decoder` only.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tabspec.errors import ModelError
from tabspec.models.local.batching import CHUNK, DecodeBatcher
from tabspec.models.local.beginnings import beginnings
from tabspec.models.local.choosing import choose
from tabspec.models.local.drafts import Draft, Drafts, NoDrafts
from tabspec.models.local.logits import Logits
from tabspec.models.local.ngram_cache import LONGEST, NgramCache, NgramCaches
from tabspec.models.local.slots import Choice, Decoder, Slot, Slots
from tabspec.models.machine.devices import is_out_of_memory
from tabspec.models.protocol import CHUNK_AHEAD, Chunk, GenerationRequest, Usage
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.models.tokens.writing import Event, Writing, writable
from tabspec.suggestion import Finish

_REUSED, _PREFILLED, _DECODED = Usage(reused=1), Usage(prefill=1), Usage(decoded=1)


@dataclass
class LocalDecoding:
    """What generations on one decoder share."""

    decoder: Decoder
    vocabulary: Vocabulary
    prompter: Prompter
    slots: Slots
    drafts: Drafts = field(default_factory=NoDrafts)
    chunk: int = CHUNK
    ngram_caches: NgramCaches | None = None
    together: DecodeBatcher = field(init=False)

    def __post_init__(self) -> None:
        self.together = DecodeBatcher(self.decoder)


@dataclass
class _Segment:
    """The part of a generation between two canonical cuts: one prompt, and the tokens chosen behind it.

    ``rest`` is what is left of the known text, ``ahead`` how many of its bytes lie before the cursor, ``spent`` how
    many tokens the suggestion has taken. It is over when ``finish`` is set, or ``cut``: the token that has moved the
    cut. If ``beginnings`` is not 0, it ends where the suggestion would begin, with so many ways to begin it. ``again``
    is a token that is likely to be chosen first.
    """

    local: LocalDecoding
    writing: Writing
    rest: bytes
    ahead: int
    spent: int
    finish: Finish | None = None
    cut: int | None = None
    ngrams: NgramCache | None = None
    beginnings: int = 0
    again: int | None = None

    @classmethod
    def start(cls, local: LocalDecoding, writing: Writing, beginnings: int = 0, again: int | None = None) -> _Segment:
        """Suggestion text before the cut costs what the tokenizer's own tokens for it cost."""
        known = writing.known.encode("utf-8")
        ahead = len(writing.text[len(writing.head) : writing.cursor].encode("utf-8"))
        spent = len(local.vocabulary.encode(writing.head[writing.cursor :]))
        over = Finish.STOP if writing.stopped() else Finish.LENGTH if spent >= writing.stop.max_tokens else None
        return cls(local, writing, known, ahead, spent, over, beginnings=beginnings, again=again)

    @property
    def ngram_key(self) -> int:
        return self.ngrams.key if self.ngrams else 0

    @property
    def over(self) -> bool:
        return self.cut is not None or self.finish is not None

    def begins(self, choice: Choice, rest: bytes) -> bool:
        """Whether this token, chosen with ``rest`` left, is where the suggestion begins, and only the ways to begin are
        asked for."""
        beyond = not rest or len(self.local.vocabulary.bytes_of[choice.token]) > len(rest)
        return bool(self.beginnings) and beyond

    def holding(self, choices: Sequence[Choice | None]) -> int:
        """How many of ``choices``, made behind this prompt before, would be made again.

        A choice made while less text was forced holds if it agrees with what is forced now: it was the best of more
        tokens than are allowed now.
        """
        rest = self.rest
        for count, choice in enumerate(choices):
            if choice is None or not rest.startswith(choice.rest) or choice.ngrams != self.ngram_key:
                return count
            data = self.local.vocabulary.bytes_of[choice.token]
            if self.begins(choice, rest) or not (rest.startswith(data) or data.startswith(rest)):
                return count
            rest = rest[len(data) :]
        return len(choices)

    def begin(self, logits: Logits) -> Chunk:
        """The ways to begin, of the logits that the first choice was made of."""
        self.finish = Finish.LENGTH
        return Chunk(beginnings=beginnings(self.local.vocabulary, logits, self.rest, self.beginnings))

    def take(self, choice: Choice, reused: bool = False) -> Chunk:
        """Write a chosen token; ``reused``: it is in the KV cache already. One that only repeats known text counts as
        a part of the prompt."""
        local, stop = self.local, self.writing.stop
        data = local.vocabulary.bytes_of[choice.token] if choice.token not in local.vocabulary.control else b""
        if not data:  # any control token ends the middle
            self.finish = Finish.END
            return Chunk()
        fresh, self.rest = data[len(self.rest) :], self.rest[len(data) :]
        least = stop.min_logprob if self.writing.suggestion else stop.min_first_logprob
        if fresh and least is not None and choice.logprob < least:
            self.finish = Finish.doubt(self.writing.suggestion, fresh.decode("utf-8", "ignore"))
            return Chunk()
        self.spent += len(data) > self.ahead
        self.ahead = max(self.ahead - len(data), 0)
        text, event = self.writing.write(fresh) if fresh else ("", Event.GOES_ON)
        if event is Event.CUT:
            self.cut = choice.token
        elif event is not Event.GOES_ON:
            self.finish = Finish.STOP if event is Event.STOP else Finish.END
        elif not self.rest and self.spent >= stop.max_tokens:
            self.finish = Finish.LENGTH
        if not fresh:
            return Chunk(usage=_REUSED if reused else _PREFILLED)
        return Chunk(text, (choice.token,), (choice.logprob,), _REUSED if reused else _DECODED)


_Tokens = list[tuple[int, Choice | None]]
"""Tokens to run, each with how it was chosen (None: it is a part of the prompt, or a guess)."""


@dataclass
class _Pass:
    """One pass of the decoder: ``pending`` tokens have to be run; after them come guesses that the pass verifies, the
    ``known`` text's tokens and a ``draft``. If nothing is pending, the guesses have been run and their logits are
    known."""

    pending: _Tokens
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
    again = None
    while True:
        segment = _Segment.start(local, writing, request.beginnings, again)
        if not segment.over:
            prompt = local.prompter.prompt(writing.head, request)
            segment.ngrams = local.ngram_caches.of(request, writing.head) if local.ngram_caches else None
            with local.slots.hold(prompt, request.foreground, segment.holding) as slot:
                async for chunk in _decode(segment, slot, prompt, request.foreground):
                    yield chunk
        if segment.finish:
            yield Chunk(finish=segment.finish)
            return
        writing.move_cut()
        again = segment.cut  # of its text, what moved the cut is known by now, and chosen anew


async def _decode(segment: _Segment, slot: Slot, prompt: array[int], foreground: bool) -> AsyncGenerator[Chunk, None]:
    """Decode after ``prompt`` until the segment is over, with what is right of ``slot``."""
    local = segment.local
    size = local.chunk if foreground else min(local.chunk, CHUNK_AHEAD)
    step, chunks = _reuse(segment, slot, prompt)
    uncounted = len(step.pending)  # prompt tokens; those that are chosen below are counted when they are
    for chunk in _joined(chunks):
        yield chunk
    while not segment.over:
        while len(step.pending) > size:
            await _run(local, slot, step.pending[:size], 0, foreground)
            yield Chunk(usage=Usage(prefill=size))
            uncounted -= size
            del step.pending[:size]
        if step.pending:
            step.known, step.draft = _draft(segment, slot, step.pending)
            if len(slot.tokens) + len(step.pending) + len(step.known) > local.decoder.context:
                segment.finish = Finish.LENGTH
                return
            tokens: _Tokens = [*step.pending, *((token, None) for token in step.ahead)]
            await _run(local, slot, tokens, len(step.ahead) + 1, foreground)
        else:
            await asyncio.sleep(0)  # a cancel takes effect here, too
        if uncounted:
            yield Chunk(usage=Usage(prefill=uncounted))
            uncounted = 0
        step, chunks = _verify(segment, slot, step)
        for chunk in _joined(chunks):
            yield chunk


def _joined(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """``chunks``, those that only count something told as one: most tokens of a line that is being typed are known."""
    for counts_only, run in groupby(chunks, lambda chunk: chunk.counts_only):
        if counts_only:
            yield Chunk(usage=sum((chunk.usage for chunk in run), Usage()))
        else:
            yield from run


def _reuse(segment: _Segment, slot: Slot, prompt: array[int]) -> tuple[_Pass, list[Chunk]]:
    """Keep of ``slot`` what is right. Returns the first pass and what the kept choices wrote."""
    local = segment.local
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
    pending: _Tokens = [(token, None) for token in prompt[kept:]]
    unknown = not pending and slot.logits(length) is None
    if unknown:  # the logits behind the last token are lost: run it again
        length -= 1
        pending = [(slot.tokens[length], slot.choices[length])]
    if pending:
        slot.truncate(local.decoder, length)
    draft = Draft() if pending else Draft(tuple(slot.tokens[length:]))
    return _Pass(pending, draft=draft), [Chunk(usage=Usage(reused=kept - unknown)), *chunks]


def _draft(segment: _Segment, slot: Slot, pending: _Tokens) -> tuple[list[int], Draft]:
    """What to run after ``pending``: the tokenizer's own tokens for the known text, and guesses at what follows."""
    known = _known(segment)
    if known is None:
        return [], Draft()
    if segment.beginnings:
        return known, Draft()
    written = slot.tokens + array("I", [*(token for token, _ in pending), *known])
    room = min(segment.writing.stop.max_tokens - segment.spent - 1, segment.local.decoder.context - len(written))
    return known, segment.local.drafts.propose(written, max(room, 0), segment.ngrams)


def _known(segment: _Segment) -> list[int] | None:
    """Tokens of the text that is known; None if it begins within a character."""
    vocabulary, again = segment.local.vocabulary, segment.again
    if not segment.rest:
        return []
    if again is not None and vocabulary.bytes_of[again].startswith(segment.rest):
        return [again]  # a line's end and the next one's indentation, of which only the line's end is known
    try:
        return vocabulary.encode(segment.rest.decode("utf-8"))
    except UnicodeDecodeError:
        return None


async def _run(
    local: LocalDecoding, slot: Slot, tokens: Sequence[tuple[int, Choice | None]], want: int, foreground: bool
) -> None:
    """Run tokens in a slot, and keep the logits behind the last ``want`` of them, the first of which is no guess.

    A cancel takes effect here, before the pass; one that comes during the pass takes effect behind it, and what was
    computed stays in the slot: whoever goes on with this prompt, as a request does that comes for it, finds it there.
    """

    def took(rows: Logits) -> None:
        slot.tokens.extend(token for token, _ in tokens)
        slot.choices += [choice for _, choice in tokens]
        slot.rows, slot.ahead = rows if want else None, max(want - 1, 0)

    try:
        await local.together.forward(slot.kv, [token for token, _ in tokens], want, foreground, took)
    except RuntimeError as error:  # out of memory, a lost device; the slot may hold half of the tokens
        slot.truncate(local.decoder, 0)
        if is_out_of_memory(error):
            local.slots.free()  # what other prompts keep, so that the next request has room
            raise ModelError(
                "the model's device is out of memory; end what else uses it, or run it on the CPU"
            ) from error
        raise ModelError(f"the model failed: {str(error).splitlines()[0]}") from error


def _verify(segment: _Segment, slot: Slot, step: _Pass) -> tuple[_Pass, list[Chunk]]:
    """Choose after each guess of a pass as long as the guesses are what is chosen; drop the others from the slot.

    Returns the next pass, in which the last choice is pending, and what the choices wrote. At the end of a segment,
    tokens that agree with its last choice stay in the slot, for the request that continues there: a line's end is where
    suggestions end, and what the next one begins with.
    """
    vocabulary, ahead = segment.local.vocabulary, step.ahead
    base = len(slot.tokens) - len(ahead)
    rows = slot.logits(base)
    assert rows is not None
    chunks: list[Chunk] = []
    chosen: list[int] = []
    for i in range(len(ahead) + 1):
        ngram_match = (
            segment.ngrams.after(slot.tokens[max(base + i - LONGEST, 0) : base + i]) if segment.ngrams else None
        )
        logits = rows[i][: vocabulary.size]
        choice = choose(vocabulary, logits, segment.rest, ngram_match, segment.ngram_key)
        chosen.append(choice.token)
        if segment.begins(choice, segment.rest):
            chunks.append(segment.begin(ngram_match.mixed(logits) if ngram_match else logits))
        else:
            chunks.append(segment.take(choice))
        if segment.over or i == len(ahead) or ahead[i] != choice.token:
            if i >= len(step.known):
                segment.local.drafts.verified(step.draft, chosen[len(step.known) :])
            if i < len(ahead) and ahead[i] != choice.token:
                slot.truncate(segment.local.decoder, base + i)
            slot.rows, slot.ahead = slot.logits(base + i), len(slot.tokens) - base - i
            return _Pass([] if segment.over else [(choice.token, choice)]), chunks
        slot.choices[base + i] = choice
    raise AssertionError("the loop returns at its last turn")
