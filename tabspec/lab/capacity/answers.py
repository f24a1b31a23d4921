"""The complete answer to each request, computed once for all users and policies.

Decoding is greedy, so equal requests have equal answers.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace

from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, Usage
from tabspec.replay.clock import outside_work


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer: the size of its prompt in tokens, and its chunks, without empty ones."""

    prompt_tokens: int
    chunks: tuple[Chunk, ...]

    def rest_after(self, resume: str) -> tuple[int, tuple[Chunk, ...]]:
        """Return the number of tokens in ``resume``, a prefix of the answer's text, and the chunks after it.

        If ``resume`` ends within a chunk, the chunks begin with the rest of that chunk. All tokens of that chunk then
        count as tokens after ``resume``, because they must be decoded again.
        """
        emitted, tokens = "", 0
        for number, chunk in enumerate(self.chunks):
            if len(emitted) >= len(resume):
                return tokens, self.chunks[number:]
            emitted += chunk.text
            if len(emitted) > len(resume):
                rest = replace(chunk, text=emitted[len(resume) :])
                return tokens, (rest, *self.chunks[number + 1 :])
            tokens += chunk.usage.decoded
        return tokens, self.chunks[-1:]


class Answers:
    """Keeps the answers of ``model``, which must be deterministic. ``computed`` counts the requests sent to it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[GenerationRequest, Whole] = {}
        self._asking = (
            asyncio.Lock()
        )  # one request at a time, so that concurrent callers do not compute the same answer
        self.computed = 0

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def of(self, request: GenerationRequest) -> Whole:
        """Return the complete answer to ``request``, from its first token even if the request resumes a text.

        A virtual clock stands still during the computation.
        """
        question = replace(request, resume="", foreground=True)
        if (known := self._known.get(question)) is not None:
            return known
        with outside_work():
            async with self._asking:
                if (known := self._known.get(question)) is None:
                    known = self._known[question] = await self._compute(question)
        return known

    async def _compute(self, question: GenerationRequest) -> Whole:
        self.computed += 1
        prompt, chunks = Usage(), []
        async with aclosing(self._model.stream(question)) as stream:
            async for chunk in stream:
                prompt += replace(chunk.usage, decoded=0)
                if chunk.text or chunk.tokens or chunk.finish:
                    chunks.append(replace(chunk, usage=Usage(decoded=chunk.usage.decoded)))
        return Whole(max(prompt.prefill + prompt.reused, 1), tuple(chunks))
