"""A model that remembers, so that several policies replay one session without computing its answers twice."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, Usage, warms
from tabspec.text import common_prefix

# Prompts whose keys and values the simulated KV cache keeps: two places of work, and their branches.
SLOTS = 4
# As in `tabspec.models.local.slots`: a kept prompt is gone on with, and not copied, where no more than this of it gets
# lost: the characters of 8 tokens, or of 64 where the copy would take another prompt's place. Speculation takes nothing
# from what somebody waited for.
CHEAP, CHEAPER_THAN_A_PROMPT = 32, 256


@dataclass(eq=False, slots=True)
class _Kept:
    """A prompt in the KV cache, with what was generated behind it; ``foreground``: somebody waited for it, or for its
    beginning, and has not moved on."""

    text: str
    foreground: bool


class SimulatedKv:
    """Which part of a prompt a model would find in its KV cache, by text alone.

    A real KV cache serves one order of requests; a remembered answer is served in another. So the prompt's share of
    the usage is simulated: of the last `SLOTS` prompts (with what was generated behind them) the one with the
    longest common beginning gives its keys and values. It is written over where little of it gets lost by that, and
    copied otherwise, in place of the one used longest ago (chosen as in `tabspec.models.local.slots`). A token belongs
    to the part in common in proportion to its characters, and at least one is always computed. An estimate: it knows
    nothing of token borders. ``suffix_first`` is the prompt's order.
    """

    def __init__(self, *, suffix_first: bool = True, slots: int = SLOTS) -> None:
        self._suffix_first = suffix_first
        self._slots = slots
        self._kept: list[_Kept] = []  # the last used one is the last

    def prompt(self, request: GenerationRequest, tokens: int) -> Usage:
        """The prompt's usage for ``request``, whose prompt has ``tokens`` tokens; it is in the KV cache now."""
        usage = self.found(request, tokens)
        self.hold(request)
        return usage

    def found(self, request: GenerationRequest, tokens: int) -> Usage:
        """The same, without computing it: the KV cache is as it was."""
        text = self._text(request)
        longest = max((common_prefix(text, kept.text) for kept in self._kept), default=0)
        share = longest / len(text) if text else 0.0
        reused = min(int(tokens * share), max(tokens - 1, 0))
        return Usage(prefill=tokens - reused, reused=reused)

    def hold(self, request: GenerationRequest, share: float = 1.0) -> None:
        """The prompt is computed, or the first ``share`` of it."""
        text = self._text(request)
        new = _Kept(text[: round(len(text) * share)], request.foreground)
        common = [common_prefix(new.text, kept.text) for kept in self._kept]
        if request.foreground:
            for kept, length in zip(self._kept, common, strict=True):
                kept.foreground &= len(kept.text) - length > CHEAPER_THAN_A_PROMPT
        best = max(range(len(common)), key=lambda i: (common[i], i), default=None)
        if best is not None:
            there = self._kept[best]
            lost = len(there.text) - common[best]
            cheap = CHEAP if len(self._kept) < self._slots else CHEAPER_THAN_A_PROMPT
            # (With nothing in common there is nothing to go on with, however short it is.)
            own = common[best] == len(new.text)
            takes = (own or (common[best] > 0 and lost <= cheap)) and (request.foreground or not there.foreground)
            if lost == 0 or takes:
                new.foreground |= there.foreground
                self._kept.remove(there)
            elif len(self._kept) >= self._slots:
                self._kept.remove(self._to_lose(request.foreground))
        self._kept.append(new)

    def _to_lose(self, foreground: bool) -> _Kept:
        """What nobody waits for leaves all but one to the latest that somebody waited for."""
        waited_for = [] if foreground else [kept for kept in self._kept if kept.foreground][1 - self._slots :]
        return next((kept for kept in self._kept if kept not in waited_for), self._kept[0])

    def decoded(self, request: GenerationRequest, text: str) -> None:
        """``text`` was generated behind the prompt of ``request``."""
        prompt = self._text(request)
        for kept in self._kept:
            if kept.text.startswith(prompt):
                kept.text = max(kept.text, prompt + text, key=len)

    def _text(self, request: GenerationRequest) -> str:
        related = "".join(f"{each.path}\0{each.text}\0" for each in request.related)
        parts = (request.suffix, request.prefix) if self._suffix_first else (request.prefix, request.suffix)
        return related + "\0".join(parts) + (request.resume if self._suffix_first else "\0" + request.resume)


@dataclass
class _Remembered:
    """One answer from its beginning, as far as it was ever generated, and the size of its prompt in tokens."""

    chunks: list[Chunk] = field(default_factory=list)
    prompt_tokens: int = 0

    @property
    def complete(self) -> bool:
        return bool(self.chunks) and self.chunks[-1].finish is not None


@dataclass
class MemoModel:
    """Remembers the answers of ``model``, which must be deterministic: one question, one answer.

    An answer that was interrupted is remembered as far as it came, and continued when it is asked for again.
    Whether an answer is remembered or computed cannot be seen from outside: first comes an empty chunk with the
    prompt's share of the usage (that of a `SimulatedKv`), then what was decoded. Call `fresh_kv` before each
    replay, so that none profits from the one before. ``computed`` counts the generations really asked of the
    model, ``remembered`` those that it was not asked for.
    """

    model: Model
    suffix_first: bool = True
    computed: int = 0
    remembered: int = 0
    _answers: dict[GenerationRequest, _Remembered] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fresh_kv()

    def fresh_kv(self) -> None:
        """Forget the simulated KV cache, but not the answers."""
        self._kv = SimulatedKv(suffix_first=self.suffix_first)

    @property
    def info(self) -> ModelInfo:
        return self.model.info

    @property
    def warm(self) -> bool:
        return warms(self.model)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        known = self._answers.setdefault(replace(request, resume="", foreground=True), _Remembered())
        at, said = 0, ""
        while at < len(known.chunks) and len(said) < len(request.resume):
            said += known.chunks[at].text
            at += 1
        if not said.startswith(request.resume):  # interrupted elsewhere: what came before is not known here
            async with aclosing(self.model.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        first = replace(known.chunks[at - 1], text=said[len(request.resume) :]) if said != request.resume else None
        prompt_told = bool(known.prompt_tokens)
        if prompt_told:
            yield self._prompt(request, known)
        if first is not None:  # the one who asks has had a part of this chunk
            yield first
        while at < len(known.chunks):
            chunk = known.chunks[at]
            at, said = at + 1, said + chunk.text
            self._kv.decoded(request, said[len(request.resume) :])
            yield chunk
        if known.complete:
            self.remembered += 1
            return
        self.computed += 1
        size = 0  # of the prompt: models tell of it piece by piece, what they find in their KV cache first
        async with aclosing(self.model.stream(replace(request, resume=said))) as chunks:
            async for chunk in chunks:
                size += chunk.usage.prefill + chunk.usage.reused
                if chunk.text or chunk.tokens or chunk.finish or chunk.beginnings:
                    if not prompt_told:
                        prompt_told = True
                        known.prompt_tokens = max(size, 1)
                        yield self._prompt(request, known)
                    piece = replace(chunk, usage=Usage(decoded=chunk.usage.decoded))
                    if at == len(known.chunks):  # else another one who asked the same was faster
                        known.chunks.append(piece)
                    at, said = at + 1, said + chunk.text
                    self._kv.decoded(request, said[len(request.resume) :])
                    yield piece

    def _prompt(self, request: GenerationRequest, known: _Remembered) -> Chunk:
        """The prompt's share of the usage: the prompt and, behind it, what was decoded before an interruption."""
        resumed, tokens = 0, known.prompt_tokens
        for chunk in known.chunks:
            if resumed >= len(request.resume):
                break
            resumed += len(chunk.text)
            tokens += chunk.usage.decoded
        return Chunk(usage=self._kv.prompt(request, tokens))

    async def close(self) -> None:
        await self.model.close()
