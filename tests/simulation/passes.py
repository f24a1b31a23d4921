"""One processor that all streams of the simulated model share: the worker's own `DecodeBatcher`, whose passes take
time.

In the worker a pass blocks the event loop: what arrives meanwhile is heard at its end. Here the loop of the engine must
go on, so `Passes` begins no pass while the time of the last one runs, and a stream that was in it goes on at its end.
What makes up a pass, what waits and for whom, is decided by `tabspec.models.local.batching` and by nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tabspec.models.local.batching import MOST_ROWS, DecodeBatcher

# What each further sequence adds to a pass: four cost 1.7 times one (docs/benchmarks).
BESIDE = 0.24


class NoDecoder:
    """Takes several sequences into one pass, and computes nothing."""

    def forward(self, kv: Any, tokens: Sequence[int], want: int) -> Any:
        return None

    def forward_batch(self, batch: Sequence[tuple[Any, Sequence[int]]], want: int) -> list[Any]:
        return [None] * len(batch)


@dataclass(eq=False, slots=True)
class Pass:
    """One pass: who is in it, from when to when."""

    rows: tuple[Any, ...]
    begin: float
    end: float


class Passes(DecodeBatcher):
    """``seconds`` tells how long a sequence's next step takes alone; ``began`` is told of each pass, and may raise what
    makes it fail."""

    def __init__(self, seconds: Callable[[Any], float], began: Callable[[Pass, Sequence[int]], None]) -> None:
        super().__init__(NoDecoder())
        self._seconds, self._began = seconds, began
        self._loop = asyncio.get_running_loop()
        self.last: Pass | None = None
        self._busy = False
        self._ends: list[asyncio.Future[None]] = []

    @property
    def current(self) -> Pass | None:
        """The pass whose time runs."""
        return self.last if self._busy else None

    @property
    def left(self) -> float:
        """Seconds until the last pass is over."""
        return max(self.last.end - self._loop.time(), 0.0) if self.last else 0.0

    @property
    def asking(self) -> set[Any]:
        """Who waits for a pass to begin."""
        return {asked.kv for asked in self._waiting}

    def fail(self, error: Exception) -> None:
        """The process dies: whatever waits for a pass gets none."""
        for asked in self._waiting:
            if not asked.rows.done():
                asked.rows.set_exception(error)

    async def over(self) -> None:
        """Wait for the end of the pass that has begun; those that wait go on in the order in which they came."""
        if self._busy:
            self._ends.append(self._loop.create_future())
            await self._ends[-1]

    def _plan(self) -> None:
        if not self._busy:
            super()._plan()

    def _over(self) -> None:
        for end in self._ends:
            if not end.done():
                end.set_result(None)
        self._ends.clear()
        # Behind those whom the end of the pass wakes: they may be about to ask for the next one.
        self._loop.call_soon(self._open)

    def _open(self) -> None:
        self._busy = False
        self._plan()

    def _pass(self, batch: Sequence[Any]) -> Sequence[Any]:
        now = self._loop.time()
        counts = [len(asked.tokens) for asked in batch]
        alone = max(self._seconds(asked.kv) for asked in batch)
        rows = tuple(asked.kv for asked in batch)
        begun = Pass(rows, now, now + alone * (1 + BESIDE * (len(batch) - 1)))
        self._began(begun, counts)
        self.last, self._busy = begun, True
        self._loop.call_later(begun.end - begun.begin, self._over)
        return super()._pass(batch)


LONG = MOST_ROWS + 1
"""Tokens of a pass that is prefill."""
