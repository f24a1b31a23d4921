"""A model that memoizes answers, so that several policies replay one session without computing any answer twice."""

from __future__ import annotations

import sys
from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from tabspec.models.local.slots import Slots
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, Usage, warms
from tabspec.replay.models.timed_batcher import NoDecoder

# Characters in a token of code, rounded: `tabspec.models.http.answers.reading.CHARS_PER_TOKEN` is 3.4.
PER_TOKEN = 4


class SimulatedKv:
    """Estimates, from texts alone, which part of a prompt a model would find in its KV cache.

    The contents of a real KV cache depend on the order of requests. Memoized answers are served in another order than
    they were computed in, so the usage of prompts is simulated: by the model's own `Slots`, with characters in place of
    tokens. The number of reused tokens is estimated as the reused share of the characters, because token boundaries
    are unknown. At least one token is always computed. Prompts have the suffix first. ``slots`` is the number of
    prompts that are kept.
    """

    def __init__(self, *, slots: int = 4) -> None:
        self._decoder = NoDecoder()
        self._slots = Slots(self._decoder, slots, per_token=PER_TOKEN)

    def prompt(self, request: GenerationRequest, tokens: int) -> Usage:
        """Put the prompt of ``request``, which has ``tokens`` tokens, into the KV cache. Returns its usage."""
        usage = self.found(request, tokens)
        self.hold(request)
        return usage

    def found(self, request: GenerationRequest, tokens: int) -> Usage:
        """The usage that `prompt` would return. The KV cache is not changed."""
        text = self._text(request)
        longest = max((slot.shared(text) for slot in self._slots.all()), default=0)
        share = longest / len(text) if text else 0.0
        reused = min(int(tokens * share), max(tokens - 1, 0))
        return Usage(prefill=tokens - reused, reused=reused)

    def hold(self, request: GenerationRequest, share: float = 1.0) -> None:
        """Put the prompt of ``request`` into the KV cache, or the first ``share`` of it."""
        text = self._text(request)
        text = text[: round(len(text) * share)]
        with self._slots.hold(text, request.foreground) as slot:
            slot.truncate(self._decoder, slot.shared(text))
            slot.tokens += text[len(slot.tokens) :]

    def decoded(self, request: GenerationRequest, text: str) -> None:
        """Append generated ``text`` to the prompt of ``request`` in the KV cache."""
        prompt = self._text(request)
        whole = prompt + _characters(text)
        for slot in self._slots.all():
            if slot.shared(prompt) == len(prompt):
                slot.tokens = max(slot.tokens, whole, key=len)

    def _text(self, request: GenerationRequest) -> array[int]:
        related = "".join(f"{each.path}\0{each.text}\0" for each in request.related)
        return _characters(f"{related}{request.suffix}\0{request.prefix}{request.resume}")


def _characters(text: str) -> array[int]:
    """The code points of a text."""
    return array("I", text.encode(f"utf-32-{sys.byteorder[0]}e", "surrogatepass"))


@dataclass
class _Remembered:
    """One answer from its start, as far as it has been generated, and the size of its prompt in tokens."""

    chunks: list[Chunk] = field(default_factory=list)
    prompt_tokens: int = 0

    @property
    def complete(self) -> bool:
        return bool(self.chunks) and self.chunks[-1].finish is not None


@dataclass
class MemoModel:
    """Memoizes the answers of ``model``, which must be deterministic.

    An interrupted answer is kept up to the interruption, and continued at the next request for it. Callers cannot
    distinguish memoized answers from computed ones: both begin with an empty chunk that has the usage of the prompt
    (from a `SimulatedKv`), followed by the decoded chunks. Call `fresh_kv` before each replay, so that no replay
    depends on the previous one.
    """

    model: Model
    _answers: dict[GenerationRequest, _Remembered] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fresh_kv()

    def fresh_kv(self) -> None:
        """Empty the simulated KV cache. The answers are kept."""
        self._kv = SimulatedKv()

    @property
    def info(self) -> ModelInfo:
        return self.model.info

    @property
    def warm(self) -> bool:
        return warms(self.model)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        known = self._answers.setdefault(replace(request, resume="", foreground=True), _Remembered())
        at, text = 0, ""
        while at < len(known.chunks) and len(text) < len(request.resume):
            text += known.chunks[at].text
            at += 1
        if not text.startswith(request.resume):  # the caller resumes from a text that is not memoized
            async with aclosing(self.model.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        first = replace(known.chunks[at - 1], text=text[len(request.resume) :]) if text != request.resume else None
        prompt_sent = bool(known.prompt_tokens)
        if prompt_sent:
            yield self._prompt(request, known)
        if first is not None:  # the caller already has a part of this chunk
            yield first
        while at < len(known.chunks):
            chunk = known.chunks[at]
            at, text = at + 1, text + chunk.text
            self._kv.decoded(request, text[len(request.resume) :])
            yield chunk
        if known.complete:
            return
        size = 0  # of the prompt, which models report in several chunks: the reused part first
        async with aclosing(self.model.stream(replace(request, resume=text))) as chunks:
            async for chunk in chunks:
                size += chunk.usage.prefill + chunk.usage.reused
                if chunk.text or chunk.tokens or chunk.finish or chunk.beginnings:
                    if not prompt_sent:
                        prompt_sent = True
                        known.prompt_tokens = max(size, 1)
                        yield self._prompt(request, known)
                    piece = replace(chunk, usage=Usage(decoded=chunk.usage.decoded))
                    if at == len(known.chunks):  # else a concurrent request has already stored this chunk
                        known.chunks.append(piece)
                    at, text = at + 1, text + chunk.text
                    self._kv.decoded(request, text[len(request.resume) :])
                    yield piece

    def _prompt(self, request: GenerationRequest, known: _Remembered) -> Chunk:
        """A chunk with the usage of the prompt, which includes the text that was decoded before an interruption."""
        resumed, tokens = 0, known.prompt_tokens
        for chunk in known.chunks:
            if resumed >= len(request.resume):
                break
            resumed += len(chunk.text)
            tokens += chunk.usage.decoded
        return Chunk(usage=self._kv.prompt(request, tokens))

    async def close(self) -> None:
        await self.model.close()
