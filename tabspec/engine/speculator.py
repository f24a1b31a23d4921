"""The speculator: asks ahead, as if what is shown had been accepted.

Fired by a suggestion being shown, it goes from accept to accept as far as the policy's depth: what is known already
is stepped over, the first unknown state is queued, and when its answer is there, the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from tabspec.context import EditContext
from tabspec.engine.generation import Generation, Link
from tabspec.suggestion import Reason, Suggestion

Known = Callable[[EditContext], Suggestion | Reason | None]
Ask = Callable[[EditContext, tuple[Link, ...]], None]


class Speculator:
    """Asks ``depth`` accepts ahead (0: never).

    ``known`` tells what would be offered at a state without asking the model: a suggestion, the reason why nothing,
    or None if that is not known. ``ask`` queues a state for the model.
    """

    def __init__(self, depth: int, known: Known, ask: Ask) -> None:
        self.depth, self._known, self._ask = depth, known, ask

    def shown(self, context: EditContext, suggestion: Suggestion) -> None:
        """A suggestion is on the screen: make sure that what follows it is known, or asked for."""
        self._extend((Link(context, suggestion),))

    def ended(self, generation: Generation, suggestion: Suggestion | Reason) -> None:
        """A speculation is answered: go on from there, one accept deeper."""
        if generation.lineage and isinstance(suggestion, Suggestion):
            self._extend((*generation.lineage, Link(generation.context, suggestion)))

    def _extend(self, lineage: tuple[Link, ...]) -> None:
        while len(lineage) <= self.depth:
            future = lineage[-1].context.after_accept(lineage[-1].suggestion)
            suggestion = self._known(future)
            if suggestion is None:
                self._ask(future, lineage)
            if not isinstance(suggestion, Suggestion):
                return
            lineage = (*lineage, Link(future, suggestion))
