"""The generations in flight: which one a request can join, and which are still useful."""

from __future__ import annotations

from tabspec.context import EditContext
from tabspec.engine.generation import Generation
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.scheduler import Scheduler


class InFlight:
    """Looks through the scheduler's generations. Without ``caching``, each request gets a generation of its own."""

    def __init__(self, scheduler: Scheduler, caching: bool) -> None:
        self._scheduler, self._caching = scheduler, caching
        self.current: dict[str, EditContext] = {}  # the latest known state of each document

    def of(self, uri: str) -> list[Generation]:
        """The generations of one document."""
        return [generation for generation in self._scheduler.generations() if generation.context.uri == uri]

    def agreeing(self, question: PromptState) -> Generation | None:
        """The generation that a request for this state can join. Of several, the one with the most text after what was
        typed."""
        if not self._caching:
            return None
        best, best_left = None, 0
        for generation in self.of(question.context.uri):
            typed = question.context.typed_since(generation.context)
            other = generation.wanted or generation.question.scope != question.scope
            if other or typed is None or not generation.agrees(typed):
                continue
            if generation.ended and generation.entry is None:  # it was stopped, and its stream is still being closed
                continue
            left = len(generation.text) - len(typed)
            if best is None or left > best_left:
                best, best_left = generation, left
        return best

    def same(self, question: PromptState) -> Generation | None:
        """The generation of exactly this state."""
        if not self._caching:
            return None
        running = (each for each in self.of(question.context.uri) if not each.wanted)
        return next((each for each in running if each.context.same_place(question.context)), None)

    def review(self, generation: Generation) -> None:
        """Cancel a generation that no request waits for and whose state can no longer be reached."""
        if not generation.waiters and not generation.ended and not self.reachable(generation):
            self._scheduler.cancel(generation)

    def reachable(self, generation: Generation) -> bool:
        """Whether a later request may still be answered with it."""
        current = self.current.get(generation.context.uri)
        if current is None or not self._caching:
            return False
        if generation.wanted:
            return generation.warm and generation.context.same_place(current)
        return generation.reachable(current)
