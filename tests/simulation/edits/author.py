"""A model in a worker that writes completions and next edits, each a function of its whole request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from random import Random
from zlib import crc32

from tabspec.models.edit_protocol import EditAnswer, EditRequest, chunk_of
from tabspec.models.local.batching import PendingPass
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.replay.models.timed_batcher import TimedBatcher
from tabspec.text import difference

from ..faults import Faults
from ..model import SimulatedModel

# Of a hundred characters of a completion, after so many it ends: more than half of all completions are empty.
END_PERCENT = 60
# Passes in which an edit is written.
EDIT_STEPS = 4


def edited(request: EditRequest) -> EditAnswer:
    """The edit of a request: from the cursor's line on, the first ``a`` becomes an ``A`` with a number that depends on
    all of the request. One of five requests has none."""
    shown = request.language, request.path, request.before, request.region, request.after, request.cursor, request.line
    number = crc32(repr((*shown, request.history)).encode("utf-8", "surrogatepass"))
    region = request.region
    start = region.rfind("\n", 0, request.cursor) + 1
    at = region.find("a", start)
    at = region.find("a") if at < 0 else at
    new = region if at < 0 or number % 5 == 0 else f"{region[:at]}A{number % 100}{region[at + 1 :]}"
    return EditAnswer(difference(region, new), (-0.1,), Usage(prefill=1, decoded=EDIT_STEPS), 0.9)


@dataclass(eq=False)
class Open:
    """A stream that the model has open."""

    request: GenerationRequest | EditRequest


class WritingModel:
    """Each of its passes takes ``step`` seconds. ``begins`` is called for each stream that takes part in one."""

    warm = True

    def __init__(self, step: float) -> None:
        self.info = ModelInfo("simulated", "simulated", 1 << 20, edits="simulated edits")
        self.open: list[Open] = []
        self.begins: Callable[[Open], None] = lambda _stream: None
        self._step = step
        self.author = SimulatedModel(Faults(Random(0), 0.0), END_PERCENT, False)
        self._passes = TimedBatcher(self._begin)

    def _begin(self, batch: Sequence[PendingPass]) -> float:
        for member in batch:
            self.begins(member.kv)
        return self._step

    async def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]:
        stream = Open(request)
        self.open.append(stream)
        try:
            with self._passes.generation(request.foreground):
                if isinstance(request, EditRequest):
                    for _ in range(EDIT_STEPS):
                        await self._take(stream)
                    yield chunk_of(edited(request), request.region)
                    return
                await self._take(stream)
                yield Chunk(usage=Usage(prefill=1))
                tokens, finish = self.author.write(request)
                for number, token in enumerate(self.author._behind(tokens, request)):
                    await self._take(stream)
                    yield Chunk(token.text, (number,), (token.logprob,), Usage(decoded=1))
                yield Chunk(finish=finish)
        finally:
            self.open.remove(stream)

    async def _take(self, stream: Open) -> None:
        await self._passes.step(stream, 1, 1, stream.request.foreground)

    async def close(self) -> None:
        return None
