"""Local models whose passes take time on the virtual clock, and share one processor.

The answers are computed for real, in this process. A pass takes as long as a `PassTime` says, so that the result is the
same on a busy machine. What runs first is decided by the worker's own batching (`tabspec.models.local.batching`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tabspec.models.edit_protocol import EditAnswer, EditRequest
from tabspec.models.local.batching import DecodeBatcher, OnLogits, PendingPass
from tabspec.models.local.slots import Decoder
from tabspec.models.process_edits import ProcessEdits

if TYPE_CHECKING:
    from typing import Any

    from tabspec.models.local.edits.writer import LocalEdits
    from tabspec.models.local.logits import Logits
    from tabspec.models.local.model import LocalModel

# Seconds that a request for an edit computes beside its passes: patterns, scenes and tokens. 10 to 20 ms on one core of
# an AMD EPYC where the lines are read anew, a third of that along a chain.
BESIDE_S = 0.015


@dataclass(frozen=True, slots=True)
class PassTime:
    """Milliseconds of a pass: ``fixed`` and ``token`` for each of its tokens."""

    fixed: float
    token: float

    def seconds(self, batch: Sequence[PendingPass]) -> float:
        return (self.fixed + self.token * sum(len(each.tokens) for each in batch)) / 1e3


EPYC = PassTime(0.35, 0.113)
"""Two cores of an AMD EPYC: a decode step takes 0.45 ms (docs/benchmarks), and a token of a prompt 0.113 ms
(`tabspec/models/bundled/latency.json`)."""


@dataclass(eq=False)
class Processor:
    """Runs one pass at a time. ``busy_s``: seconds of passes so far."""

    pace: PassTime
    busy_s: float = 0.0
    _end: asyncio.Future[None] | None = None
    _batchers: list[TimedDecodeBatcher] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        return self._end is not None

    def join(self, batcher: TimedDecodeBatcher) -> None:
        """``batcher`` computes here, too."""
        self._batchers.append(batcher)

    def take(self, batch: Sequence[PendingPass]) -> None:
        """A pass with these members begins."""
        loop = asyncio.get_running_loop()
        seconds = self.pace.seconds(batch)
        self.busy_s += seconds
        self._end = loop.create_future()
        loop.call_later(seconds, self._over)

    async def end(self) -> None:
        """Wait for the end of the current pass, if there is one."""
        if self._end is not None:
            await asyncio.shield(self._end)  # cancelling one member must not end the pass

    def _over(self) -> None:
        assert self._end is not None
        self._end.set_result(None)
        self._end = None
        for batcher in self._batchers:
            batcher.plan()


class TimedDecodeBatcher(DecodeBatcher):
    """A `DecodeBatcher` on ``decoder`` whose passes take time on ``processor``."""

    def __init__(self, decoder: Decoder, processor: Processor, first: DecodeBatcher | None = None) -> None:
        super().__init__(decoder, first)
        self._processor = processor
        processor.join(self)

    async def forward(
        self, kv: Any, tokens: Sequence[int], want: int, foreground: bool, on_logits: OnLogits = lambda _rows: None
    ) -> Logits:
        rows = await super().forward(kv, tokens, want, foreground, on_logits)
        await self._processor.end()
        return rows

    def plan(self) -> None:
        """Schedule the next pass, if one can run."""
        self._plan()

    def _plan(self) -> None:
        if not self._processor.busy:
            super()._plan()

    def _run(self) -> None:
        if self._processor.busy:  # the other model was planned at the same moment, and came first
            self._planned = False
        else:
            super()._run()

    def _pass(self, batch: Sequence[PendingPass]) -> Sequence[Logits]:
        found = super()._pass(batch)
        self._processor.take(batch)
        return found


class TimedEditRequests(ProcessEdits):
    """The edit model in ``model``, with `BESIDE_S` for each request."""

    async def edit(self, request: EditRequest) -> EditAnswer:
        await asyncio.sleep(BESIDE_S)
        return await super().edit(request)


def on_processor(model: LocalModel, edits: LocalEdits, processor: Processor) -> None:
    """Let ``model`` compute on ``processor``, with ``edits`` as its edit model."""
    model.local.batcher = TimedDecodeBatcher(model.local.decoder, processor)
    edits.local.batcher = TimedDecodeBatcher(edits.local.decoder, processor, model.local.batcher)
    model.write_edits(model.info.edits, lambda: edits)
