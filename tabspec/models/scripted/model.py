"""A model that answers from a script: for tests of tabspec, of plugins and of programs that use it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.suggestion import Finish

Script = Callable[[GenerationRequest], str]


def continuing(target: str) -> Script:
    """A script that answers with the next part of ``target``, the text that the user is writing."""

    def answer(request: GenerationRequest) -> str:
        whole = request.prefix
        at = len(whole) if target.startswith(whole) else target.rfind(whole[-40:]) + len(whole[-40:])
        return target[at:] if target.startswith(whole) or whole[-40:] in target else ""

    return answer


@dataclass
class WithOthers:
    """A script with alternatives: ``others`` maps a text before the cursor to other answers there.

    It is consistent: after the beginning of one of them (``token_chars`` characters or more), the answer is its rest.
    If two have the same beginning, the first counts.
    """

    script: Script
    others: Mapping[str, Sequence[str]]
    token_chars: int = 4

    def __call__(self, request: GenerationRequest) -> str:
        for before, texts in self.others.items():
            typed = request.prefix.removeprefix(before) if request.prefix.startswith(before) else ""
            for text in texts:
                if self.token_chars <= len(typed) < len(text) and text.startswith(typed):
                    return text[len(typed) :]
        return self.script(request)

    def beginnings(self, request: GenerationRequest) -> Sequence[str]:
        return [text[: self.token_chars] for text in self.others.get(request.prefix, ())]


def letters(alphabet: str = "ab(\n") -> Callable[[GenerationRequest], Sequence[str]]:
    """Beginnings for `pseudo_random`: any answer may begin with any letter."""
    return lambda request: list(dict.fromkeys(alphabet))


def pseudo_random(alphabet: str = "ab(\n", longest: int = 12) -> Script:
    """A script that answers any request: the same request always with the same text.

    It is consistent, as greedy decoding is: after the beginning of an answer is typed, the answer is the rest. Each
    character, and the end, depends on a digest of the text so far and of the suffix.
    """

    def answer(request: GenerationRequest) -> str:
        text = ""
        while len(text) < longest:
            # 16 characters of context suffice to tell states apart, and keep long documents cheap
            seen = f"{len(request.prefix) + len(text)}|{(request.prefix + text)[-16:]}|{request.suffix[:16]}"
            digest = hashlib.blake2b(seen.encode("utf-8", "surrogatepass"), digest_size=2).digest()
            if digest[0] < 40:  # ends with a chance of 40/256 per character: a mean length of about 6
                break
            text += alphabet[digest[1] % len(alphabet)]
        return text

    return answer


@dataclass
class ScriptedModel:
    """Answers with the text of ``script`` (a function, or a mapping from prefix to answer), a token at a time.

    A token is ``token_chars`` characters. ``prefill_s`` and ``token_s`` are seconds on the running loop's clock, which
    may be virtual. ``logprob`` is that of each token. ``fail`` is raised, if set, after ``fail_after`` tokens.
    ``beginnings`` are the ways in which its answers may begin, each of them ``logprob`` less likely than the one
    before. The counters are for tests.
    """

    script: Script | Mapping[str, str]
    prefill_s: float = 0.0
    token_s: float = 0.0
    token_chars: int = 4
    logprob: float = -1 / 128  # near certainty; a power of two, so that sums do not depend on their order
    fail: Exception | None = None
    fail_after: int = 0
    name: str = "scripted"
    beginnings: Callable[[GenerationRequest], Sequence[str]] | None = None
    requests: list[GenerationRequest] = field(default_factory=list)
    decoded: int = 0
    running: int = 0
    cancelled: int = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, self.name, context_tokens=1 << 20)

    def answer(self, request: GenerationRequest) -> tuple[str, Finish]:
        """The whole answer to ``request``, cut by its stop rule, and how it ends."""
        text = self.script.get(request.prefix, "") if isinstance(self.script, Mapping) else self.script(request)
        end = request.stop.end(text)
        limit = request.stop.max_tokens * self.token_chars
        if end is not None and end <= limit:
            return text[:end], Finish.STOP
        return (text, Finish.END) if len(text) <= limit else (text[:limit], Finish.LENGTH)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        text, finish = self.answer(request)
        text = text.removeprefix(request.resume)
        pieces = [text[i : i + self.token_chars] for i in range(0, len(text), self.token_chars)]
        prompt = len(request.prefix) // self.token_chars + 1
        self.running += 1
        done = False
        try:
            await asyncio.sleep(self.prefill_s)
            yield Chunk(usage=Usage(prefill=prompt))
            if request.beginnings:
                yield Chunk(beginnings=self._begin(request))
                pieces = []
            for i, piece in enumerate(pieces):
                if self.fail is not None and i >= self.fail_after:
                    raise self.fail
                await asyncio.sleep(self.token_s)
                self.decoded += 1
                yield Chunk(piece, (i,), (self.logprob,), Usage(decoded=1))
            if self.fail is not None:
                raise self.fail
            done = True
            yield Chunk(finish=finish)
        finally:
            self.running -= 1
            self.cancelled += not done

    def _begin(self, request: GenerationRequest) -> tuple[Beginning, ...]:
        texts = self.beginnings(request) if self.beginnings else ()
        ranked = enumerate(dict.fromkeys(texts), 1)
        return tuple(Beginning(text, rank * self.logprob) for rank, text in ranked)[: request.beginnings]

    async def close(self) -> None:
        return None
