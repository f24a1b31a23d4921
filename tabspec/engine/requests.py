"""Requests that wait for their answers."""

from __future__ import annotations

import asyncio

from tabspec.context import EditContext
from tabspec.engine.generation import Generation, State
from tabspec.engine.in_flight import InFlight
from tabspec.engine.scheduler import Scheduler
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


class Requests:
    """The latest request of each document, and the generations that they wait for. A generation is foreground while a
    request waits for it."""

    def __init__(self, scheduler: Scheduler, generations: InFlight) -> None:
        self._scheduler, self._generations = scheduler, generations
        self._latest: dict[str, Request] = {}

    def of(self, uri: str) -> Request | None:
        """The request that waits for a document's suggestion."""
        return self._latest.get(uri)

    def enter(self, request: Request) -> None:
        """Make it the request of its document, in place of an earlier one."""
        self.supersede(request.context.uri)
        self._latest[request.context.uri] = request

    def supersede(self, uri: str) -> None:
        """End the document's request because a newer one has come.

        It stays attached to its generation until its task wakes. The newer request may join that generation. If nothing
        were attached in between, the generation would count as a speculation and could lose its slot.
        """
        if request := self._latest.get(uri):
            request.superseded = True
            request.wake()

    def attach(self, request: Request, generation: Generation | None) -> None:
        """Make the request wait for this generation instead of its last one; None for no generation."""
        if left := request.generation:
            left.listeners.remove(request.wake)
            self._scheduler.set_foreground(left, left.waiters > 0)
            self._generations.review(left)
        request.generation = generation
        if generation:
            generation.listeners.append(request.wake)
            self._scheduler.set_foreground(generation, True)

    async def ended(self, request: Request, generation: Generation) -> bool:
        """Wait for the end of a generation on behalf of a request; False if the request is superseded first."""
        if generation.state is State.QUEUED and generation not in self._scheduler.generations():
            self._scheduler.submit(generation)
        self.attach(request, generation)
        while not (generation.ended or request.superseded):
            await request.change()
        self.attach(request, None)
        return not request.superseded

    def leave(self, request: Request) -> None:
        """The request has ended."""
        if self._latest.get(request.context.uri) is request:
            del self._latest[request.context.uri]
        self.attach(request, None)

    def close(self) -> None:
        """Supersede all requests."""
        for uri in self._latest:
            self.supersede(uri)


def answer_to_failure(generation: Generation) -> Answer:
    """The answer to a request whose own generation was cancelled or has failed."""
    if generation.error is None:
        return Answer(Source.NONE, reason=Reason.CANCELLED)
    gone = isinstance(generation.error, ModelUnavailable)
    reason = Reason.UNAVAILABLE if gone else Reason.FAILED
    return Answer(Source.NONE, reason=reason, detail=str(generation.error))
