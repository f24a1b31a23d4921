"""A request that waits for its answer."""

from __future__ import annotations

import asyncio

from tabspec.context import EditContext
from tabspec.engine.generation import Generation
from tabspec.errors import ModelUnavailable
from tabspec.suggestion import Answer, Reason, Source


class Request:
    """Waits for at most one ``generation`` at a time; ``superseded`` by a newer request for its document."""

    __slots__ = ("_woken", "context", "generation", "superseded")

    def __init__(self, context: EditContext) -> None:
        self.context = context
        self.generation: Generation | None = None
        self.superseded = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Continue the request: its generation has changed, or it is superseded."""
        self._woken.set()

    async def change(self) -> None:
        """Wait for the next `wake`."""
        await self._woken.wait()
        self._woken.clear()


def answer_to_failure(generation: Generation) -> Answer:
    """The answer to a request whose own generation was cancelled or has failed."""
    if generation.error is None:
        return Answer(Source.NONE, reason=Reason.CANCELLED)
    gone = isinstance(generation.error, ModelUnavailable)
    reason = Reason.UNAVAILABLE if gone else Reason.FAILED
    return Answer(Source.NONE, reason=reason, detail=str(generation.error))
