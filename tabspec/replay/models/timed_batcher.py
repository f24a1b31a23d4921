"""The decoder's batching on a virtual clock: passes take time but compute nothing.

In the worker a pass blocks the event loop, and requests that arrive during the pass are handled at its end. Here the
same event loop also runs the engine, so a pass must not block it. Instead, `TimedBatcher` starts no pass before the
time of the previous one has passed, and each generation waits for the end of its pass.
`tabspec.models.local.batching` alone decides which generations share a pass and which wait.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tabspec.models.local.batching import DecodeBatcher, PendingPass
from tabspec.replay.clock import VirtualTimeLoop


class NoDecoder:
    """A decoder that accepts batches and computes nothing."""

    context = sys.maxsize

    def new_kv(self) -> None:
        return None

    def truncate(self, kv: Any, length: int) -> None:
        return None

    def copy(self, source: Any, target: Any, length: int) -> None:
        return None

    def forward(self, kv: Any, tokens: Sequence[int], want: int) -> Any:
        return None

    def forward_batch(self, batch: Sequence[tuple[Any, Sequence[int]]], want: int) -> list[Any]:
        return [None] * len(batch)


class TimedBatcher(DecodeBatcher):
    """Times passes on the running loop's clock. ``seconds`` returns the time of a pass with the given members."""

    def __init__(self, seconds: Callable[[Sequence[PendingPass]], float]) -> None:
        super().__init__(NoDecoder())
        self._seconds = seconds
        self._end: asyncio.Future[None] | None = None  # set at the end of the current pass

    async def step(self, kv: Any, tokens: int, want: int, foreground: bool) -> None:
        """Join a pass with ``tokens`` tokens, and return at the end of the pass."""
        await self.forward(kv, range(tokens), want, foreground)
        await self.pass_end()

    async def pass_end(self) -> None:
        """Wait for the end of the current pass, if there is one."""
        if self._end:
            await asyncio.shield(self._end)  # cancelling one member must not end the pass

    def _plan(self) -> None:
        if self._end is None:
            super()._plan()

    def _soon(self, callback: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualTimeLoop):
            # A computed answer takes more iterations of the event loop than a memoized one, at the same virtual time.
            # Planning at the end of that moment makes both join the same pass.
            loop.call_at_moment_end(callback)
        else:
            super()._soon(callback)

    def _pass(self, batch: Sequence[PendingPass]) -> Sequence[Any]:
        loop = asyncio.get_running_loop()
        took = self._seconds(batch)  # first: it may raise, and no pass runs then
        self._end = loop.create_future()
        loop.call_later(took, self._over)
        return super()._pass(batch)

    def _over(self) -> None:
        assert self._end
        self._end.set_result(None)
        self._end = None
        self._plan()
