"""One processor that all streams of the simulated model share: the worker's own batching, whose passes take time
(`tabspec.replay.models.timed_batcher`), with a record of each pass and with failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tabspec.models.local.batching import MOST_ROWS, PendingPass
from tabspec.replay.models.timed_batcher import TimedBatcher

# What each further sequence adds to a pass: four cost 1.7 times one (docs/benchmarks).
BESIDE = 0.24

LONG = MOST_ROWS + 1
"""Tokens of a pass that is prefill."""


@dataclass(eq=False, slots=True)
class Pass:
    """One pass: who is in it, from when to when."""

    rows: tuple[Any, ...]
    begin: float
    end: float


class Passes(TimedBatcher):
    """``seconds`` returns how long a sequence's next step takes alone; ``began`` is called for each pass, and may raise
    what makes it fail."""

    def __init__(self, seconds: Callable[[Any], float], began: Callable[[Pass, Sequence[int]], None]) -> None:
        super().__init__(lambda batch: max(seconds(asked.kv) for asked in batch) * (1 + BESIDE * (len(batch) - 1)))
        self._began = began
        self.last: Pass | None = None

    @property
    def current(self) -> Pass | None:
        """The pass whose time runs."""
        return self.last if self._end else None

    @property
    def left(self) -> float:
        """Seconds until the last pass is over."""
        return max(self.last.end - asyncio.get_running_loop().time(), 0.0) if self.last else 0.0

    @property
    def asking(self) -> set[Any]:
        """Who waits for a pass to begin."""
        return {asked.kv for asked in self._waiting}

    def fail(self, error: Exception) -> None:
        """The process dies: whatever waits for a pass gets none."""
        for asked in self._waiting:
            if not asked.rows.done():
                asked.rows.set_exception(error)

    def _pass(self, batch: Sequence[PendingPass]) -> Sequence[Any]:
        now = asyncio.get_running_loop().time()
        begun = Pass(tuple(asked.kv for asked in batch), now, now + self._seconds(batch))
        self._began(begun, [len(asked.tokens) for asked in batch])
        self.last = begun
        return super()._pass(batch)
