"""Batching of forward passes: which generations take part in the next pass of the decoder.

This is one of the two places that put foreground requests before speculation (the other is the engine's scheduler).
While a foreground generation is open, speculative ones get no pass. So a request waits for at most the one pass that
was running when it came, and no speculation slows it down.

A pass reads all weights, whether it computes one token or four, so generations that are ready at the same time share
passes. Each generation is a task on one event loop. It asks for its next pass and waits; at the end of the loop's turn
all that have asked run together.
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

OnLogits = Callable[["Logits"], None]
"""Called with the logits as soon as a pass ends, before any other task runs."""

# Rows (tokens) up to which a shared pass is cheap, because reading the weights takes most of its time: four
# generations with three draft tokens each. A longer pass is prefill, and sharing it saves nothing.
MOST_ROWS = 16

# Prompt tokens that a foreground generation computes in one pass. A cancel takes effect between two passes: 256 tokens
# take 20 to 40 ms with a model of 25M parameters on two cores, and cost no more per token than longer passes.
CHUNK = 256


@dataclass(eq=False, slots=True)
class PendingPass:
    """A pass that a generation waits for; the arguments are those of `DecodeBatcher.forward`."""

    kv: Any
    tokens: Sequence[int]
    want: int
    foreground: bool
    on_logits: OnLogits
    rows: asyncio.Future[Logits]


def may_run(foreground: bool, foreground_open: int) -> bool:
    """Whether a generation may take part in the next pass while so many foreground generations are open. Capacity
    planning uses this rule, too (`tabspec.lab.capacity.batch`)."""
    return foreground or not foreground_open


class DecodeBatcher:
    """Runs forward passes on ``decoder``, several sequences in one pass where it can
    (`tabspec.models.local.slots.sequences_of`).

    ``run_low_priority``, if set, calls a function at low priority and returns its result. Speculative passes run
    through it.

    ``first`` is the batcher of another model in this process that comes first: while one of its foreground generations
    is open, no pass runs here. Its speculation in turn pauses for a foreground generation here.
    """

    def __init__(self, decoder: Decoder, first: DecodeBatcher | None = None) -> None:
        self.run_low_priority: Callable[[Callable[[], Sequence[Logits]]], Sequence[Logits]] | None = None
        self._first, self._others = first, list[DecodeBatcher]()
        if first is not None:
            self._others.append(first)
            first._others.append(self)
        self._decoder: Any = decoder
        self._batches = sequences_of(decoder) > 1
        self._waiting: list[PendingPass] = []
        self._foreground = 0
        self._planned = False

    @contextmanager
    def generation(self, foreground: bool) -> Iterator[None]:
        """A generation is open while the block runs. Speculative generations pause while a foreground one is open."""
        self._foreground += foreground
        try:
            yield
        finally:
            self._foreground -= foreground
            for batcher in (self, *self._others):
                batcher._plan()

    async def forward(
        self, kv: Any, tokens: Sequence[int], want: int, foreground: bool, on_logits: OnLogits = lambda _rows: None
    ) -> Logits:
        """`Decoder.forward`, run when it is this generation's turn.

        A caller that is cancelled during its pass gets no logits, but ``kv`` then holds the tokens. ``on_logits`` is
        called for every pass that has run, and never for one that has not.
        """
        asked = PendingPass(kv, tokens, want, foreground, on_logits, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._plan()
        try:
            return await asked.rows
        finally:
            if asked in self._waiting:  # cancelled before its turn
                self._waiting.remove(asked)

    def _plan(self) -> None:
        """Schedule the next pass, if one can run."""
        if self._planned or not any(self._may_run(asked) for asked in self._waiting):
            return
        self._planned = True
        self._soon(self._run)

    def _soon(self, callback: Callable[[], None]) -> None:
        """Call back after all tasks that are ready now: some may ask for a pass, or cancel theirs."""
        asyncio.get_running_loop().call_soon(callback)

    def _may_run(self, asked: PendingPass) -> bool:
        return not asked.rows.done() and may_run(asked.foreground, self._foreground) and self._turn(asked.foreground)

    def _turn(self, foreground: bool) -> bool:
        """Whether no foreground generation of another model comes before one here of this priority."""
        before = ([] if self._first is None else [self._first]) if foreground else self._others
        return not any(other._foreground for other in before)

    def _run(self) -> None:
        """Run one pass. Generations that do not fit into it wait for the next."""
        self._planned = False
        ready = [asked for asked in self._waiting if self._may_run(asked)]
        if not ready:
            return
        batch = self._fitting(ready)
        for asked in batch:
            self._waiting.remove(asked)
        try:
            if self.run_low_priority and not batch[0].foreground:
                found = self.run_low_priority(lambda: self._pass(batch))
            else:
                found = self._pass(batch)
        except Exception as error:
            for asked in batch:
                asked.rows.set_exception(error)
        else:
            for asked, rows in zip(batch, found, strict=True):
                asked.on_logits(rows)
                asked.rows.set_result(rows)
        self._plan()

    def _fitting(self, ready: Sequence[PendingPass]) -> list[PendingPass]:
        """The generation that asked first, and those that can share its pass: a pass returns equally many rows of
        logits for each of its sequences."""
        first = ready[0]
        if not self._batches or len(first.tokens) > MOST_ROWS:
            return [first]
        batch, rows = [], 0
        for asked in ready:
            if asked.want == first.want and rows + len(asked.tokens) <= MOST_ROWS:
                batch.append(asked)
                rows += len(asked.tokens)
        return batch

    def _pass(self, batch: Sequence[PendingPass]) -> Sequence[Logits]:
        if len(batch) == 1:
            return [self._decoder.forward(batch[0].kv, batch[0].tokens, batch[0].want)]
        found: Sequence[Logits] = self._decoder.forward_batch(
            [(asked.kv, asked.tokens) for asked in batch], batch[0].want
        )
        return found
