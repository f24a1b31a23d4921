"""Decode steps of several generations as one pass: a step reads all weights, for one token or for four.

Generations run as tasks of one event loop. Each asks here for its next pass and waits; at the end of the loop's turn,
all that asked are run together. While a foreground generation is open, speculative ones wait: so it never waits for
more than the one pass that had begun, and is not slowed by work beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabspec.models.local.slots import Decoder, sequences_of

if TYPE_CHECKING:
    from tabspec.models.local.logits import Logits

Took = Callable[["Logits"], None]
"""Is given the logits of a pass at its end, before anything else can happen."""

# Rows of a pass that are still cheap (the weights are read once, and reading them is what takes the time): four
# generations with three draft tokens each. A longer pass is prefill, and gains nothing by company.
MOST_ROWS = 16


@dataclass(eq=False, slots=True)
class _PendingPass:
    """A pass that a generation waits for."""

    kv: Any
    tokens: Sequence[int]
    want: int
    foreground: bool
    took: Took
    rows: asyncio.Future[Logits]


class DecodeBatcher:
    """Runs passes on ``decoder``: those that can be run as one, as one (`tabspec.models.local.slots.sequences_of`).

    ``aside`` calls a function and returns what it does: passes that nobody waits for are run through it.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.aside: Callable[[Callable[[], Sequence[Logits]]], Sequence[Logits]] | None = None
        self._decoder: Any = decoder
        self._batches = sequences_of(decoder) > 1
        self._waiting: list[_PendingPass] = []
        self._foreground = 0
        self._planned = False

    @contextmanager
    def generation(self, foreground: bool) -> Iterator[None]:
        """While the block runs, a generation is open; if it is a foreground one, the others wait."""
        self._foreground += foreground
        try:
            yield
        finally:
            self._foreground -= foreground
            self._plan()

    async def forward(
        self, kv: Any, tokens: Sequence[int], want: int, foreground: bool, took: Took = lambda _rows: None
    ) -> Logits:
        """`Decoder.forward`, when its turn comes. A caller that is cancelled behind the pass gets no logits, but ``kv``
        holds the tokens: ``took`` has been called then, and else the pass was not run."""
        asked = _PendingPass(kv, tokens, want, foreground, took, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._plan()
        try:
            return await asked.rows
        finally:
            if asked in self._waiting:  # cancelled before its turn
                self._waiting.remove(asked)

    def _plan(self) -> None:
        if self._planned or not any(self._may_run(asked) for asked in self._waiting):
            return
        self._planned = True
        # Behind everything that is ready now: others may be about to ask, or to cancel.
        asyncio.get_running_loop().call_soon(self._run)

    def _may_run(self, asked: _PendingPass) -> bool:
        return not asked.rows.done() and (asked.foreground or not self._foreground)

    def _run(self) -> None:
        """One pass; what does not fit into it waits for the next."""
        self._planned = False
        ready = [asked for asked in self._waiting if self._may_run(asked)]
        if not ready:
            return
        batch = self._fitting(ready)
        for asked in batch:
            self._waiting.remove(asked)
        try:
            if self.aside and not batch[0].foreground:
                found = self.aside(lambda: self._pass(batch))
            else:
                found = self._pass(batch)
        except Exception as error:
            for asked in batch:
                asked.rows.set_exception(error)
        else:
            for asked, rows in zip(batch, found, strict=True):
                asked.took(rows)
                asked.rows.set_result(rows)
        self._plan()

    def _fitting(self, ready: Sequence[_PendingPass]) -> list[_PendingPass]:
        """The first that asked, and others of the same kind; all logits of a pass are of the same number of rows."""
        first = ready[0]
        if not self._batches or len(first.tokens) > MOST_ROWS:
            return [first]
        batch, rows = [], 0
        for asked in ready:
            if asked.want == first.want and rows + len(asked.tokens) <= MOST_ROWS:
                batch.append(asked)
                rows += len(asked.tokens)
        return batch

    def _pass(self, batch: Sequence[_PendingPass]) -> Sequence[Logits]:
        if len(batch) == 1:
            return [self._decoder.forward(batch[0].kv, batch[0].tokens, batch[0].want)]
        found: Sequence[Logits] = self._decoder.forward_batch(
            [(asked.kv, asked.tokens) for asked in batch], batch[0].want
        )
        return found
