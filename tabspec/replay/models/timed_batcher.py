"""The decoder's own batching on a virtual clock: passes take time and compute nothing.

In the worker a pass blocks the event loop, and what arrives meanwhile is handled at its end. Here the event loop also
runs the engine and must go on. So `TimedBatcher` starts no pass while the time of the last one runs, and a generation
continues when the time of its pass is over. Which generations share a pass, and which wait, is decided by
`tabspec.models.local.batching` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tabspec.models.local.batching import DecodeBatcher, PendingPass
from tabspec.replay.clock import VirtualTimeLoop


class _NoDecoder:
    """Accepts several sequences in one pass, and computes nothing."""

    def forward(self, kv: Any, tokens: Sequence[int], want: int) -> Any:
        return None

    def forward_batch(self, batch: Sequence[tuple[Any, Sequence[int]]], want: int) -> list[Any]:
        return [None] * len(batch)


class TimedBatcher(DecodeBatcher):
    """Passes on the running loop's clock. ``seconds`` returns how long a pass of these members takes."""

    def __init__(self, seconds: Callable[[Sequence[PendingPass]], float]) -> None:
        super().__init__(_NoDecoder())  # type: ignore[arg-type]
        self._seconds = seconds
        self._end: asyncio.Future[None] | None = None  # of the pass whose time runs

    async def step(self, kv: Any, tokens: int, want: int, foreground: bool) -> None:
        """Take part in a pass with so many tokens, and return at its end."""
        await self.forward(kv, range(tokens), want, foreground)
        await self.pass_end()

    async def pass_end(self) -> None:
        """Wait for the end of the pass that runs, if one does."""
        if self._end:
            await asyncio.shield(self._end)  # a member that is cancelled does not end the pass

    def _plan(self) -> None:
        if self._end is None:
            super()._plan()

    def _soon(self, callback: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualTimeLoop):
            # Whether an answer is computed or remembered changes the turns of the loop that a generation needs to ask
            # for its next pass, but not the moment.
            loop.call_at_moment_end(callback)
        else:
            super()._soon(callback)

    def _pass(self, batch: Sequence[PendingPass]) -> Sequence[Any]:
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        loop.call_later(self._seconds(batch), self._over)
        return super()._pass(batch)

    def _over(self) -> None:
        assert self._end
        self._end.set_result(None)
        self._end = None
        self._plan()
