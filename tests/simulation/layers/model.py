"""The model of these simulations: its answer is in the prompt, and its process may freeze.

A question's ``head`` ends with the number of tokens of its answer; with none, the answer never ends, whatever the stop
rule says. Tokens are the numbers from 0 on, so that an answer that was taken up again is checked by its text alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import count

from tabspec.errors import ModelError
from tabspec.models.local.batching import PendingPass
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, StopRule, Usage
from tabspec.replay.models.timed_batcher import TimedBatcher
from tabspec.suggestion import Finish

_LENGTH = re.compile(r"(\d+|endless|fails)$")


def question(name: str, length: int | str, foreground: bool = True) -> GenerationRequest:
    """A question for an answer of ``length`` tokens: a number, "endless", or "fails" (after two tokens)."""
    return GenerationRequest(f"{name} {length}", "", "", foreground=foreground, stop=StopRule(max_tokens=1000))


def whole_answer(length: int) -> str:
    """The text of an answer of so many tokens."""
    return "".join(f"{number};" for number in range(length))


@dataclass(eq=False)
class Open:
    """A stream that the model has open; ``steps`` that it has begun."""

    request: GenerationRequest
    steps: int = 0


class SteppingModel:
    """Writes a token a ``step`` (seconds). ``frozen`` holds every step until `thaw`."""

    warm = True

    def __init__(self, step: float) -> None:
        self.step = step
        self.info = ModelInfo("stepping", "stepping", 1 << 20)
        self.open: list[Open] = []
        self.begins = lambda _stream: None  # called for each step that begins
        self._thawed = asyncio.Event()
        self._thawed.set()
        # Each takes part in passes of the worker's own batching, which decides who waits.
        self._passes = TimedBatcher(self._begin)

    def _begin(self, batch: Sequence[PendingPass]) -> float:
        """A pass begins."""
        for member in batch:
            member.kv.steps += 1
            self.begins(member.kv)
        return self.step

    @property
    def frozen(self) -> bool:
        return not self._thawed.is_set()

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        found = _LENGTH.search(request.head)
        length = found[1] if found else "0"
        stream = Open(request)
        self.open.append(stream)
        try:
            with self._passes.generation(request.foreground):
                await self._take(stream)
                yield Chunk(usage=Usage(prefill=1))
                for number in count(request.resume.count(";")):
                    if length.isdecimal() and number >= int(length):
                        break
                    if length == "fails" and number == 2:
                        raise ModelError("out of memory")
                    await self._take(stream)
                    yield Chunk(f"{number};", (number,), (-0.1,), Usage(decoded=1))
                yield Chunk(finish=Finish.END)
        finally:
            self.open.remove(stream)

    async def _take(self, stream: Open) -> None:
        """One step."""
        await self._passes.step(stream, 1, 1, stream.request.foreground)
        await self._thawed.wait()

    async def close(self) -> None:
        return None
