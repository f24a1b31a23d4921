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
    """Waits for at most one ``generation`` at a time; ``superseded`` by a newer one of its kind for its document.
    ``alone``: it asks for a next edit with which no completion competes."""

    __slots__ = ("_woken", "alone", "context", "generation", "superseded")

    def __init__(self, context: EditContext, alone: bool = False) -> None:
        self.context, self.alone = context, alone
        self.generation: Generation | None = None
        self.superseded = False
        self._woken = asyncio.Event()

    @property
    def key(self) -> tuple[str, bool]:
        """At most one request with this key is waited for."""
        return self.context.uri, self.alone

    def supersede(self) -> None:
        """End it, because a newer request has come or the document has changed.

        It stays attached to its generation until its task wakes. The newer request may join that generation. If nothing
        were attached in between, the generation would count as a speculation and could lose its slot.
        """
        self.superseded = True
        self.wake()

    def wake(self) -> None:
        """Continue the request: its generation has changed, or it is superseded."""
        self._woken.set()

    async def change(self) -> None:
        """Wait for the next `wake`."""
        await self._woken.wait()
        self._woken.clear()


class Requests:
    """The latest requests of each document, one of each kind, and the generations that they wait for. A generation is
    foreground while a request waits for it."""

    def __init__(self, scheduler: Scheduler, generations: InFlight) -> None:
        self._scheduler, self._generations = scheduler, generations
        self._latest: dict[tuple[str, bool], Request] = {}

    def enter(self, request: Request) -> None:
        """Make it the request of its document, in place of an earlier one of its kind."""
        if earlier := self._latest.get(request.key):
            earlier.supersede()
        self._latest[request.key] = request

    def supersede(self, uri: str, but: EditContext | None = None) -> None:
        """End the document's requests of all kinds, except those at the place of ``but``."""
        for request in self._latest.values():
            if request.context.uri == uri and (but is None or not request.context.same_place(but)):
                request.supersede()

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
        if self._latest.get(request.key) is request:
            del self._latest[request.key]
        self.attach(request, None)

    def close(self) -> None:
        """Supersede all requests."""
        for request in self._latest.values():
            request.supersede()


def answer_to_failure(generation: Generation) -> Answer:
    """The answer to a request whose own generation was cancelled or has failed."""
    if generation.error is None:
        return Answer(Source.NONE, reason=Reason.CANCELLED)
    gone = isinstance(generation.error, ModelUnavailable)
    reason = Reason.UNAVAILABLE if gone else Reason.FAILED
    return Answer(Source.NONE, reason=reason, detail=str(generation.error))
