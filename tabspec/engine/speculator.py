"""The speculator: asks ahead, as if what is shown had been accepted.

Fired by a suggestion being shown, it looks at the tree of what the user may do next, most likely first. What is known
already is stepped over; unknown states that the policy wants are queued. Each answer, and each suggestion shown, makes
it look again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.acceptance import Acceptance
from tabspec.engine.futures import Future, Kind, futures
from tabspec.engine.generation import Link
from tabspec.engine.price import Price
from tabspec.suggestion import Reason, Suggestion


@dataclass(frozen=True, slots=True)
class Speculation:
    """A state to ask for: the accepts that lead there, what the last step is, and the probability of all of them."""

    context: EditContext
    lineage: tuple[Link, ...]
    kind: Kind
    probability: float


# How many futures of a screen are looked at, the likeliest first. A person takes one of them; while nobody does
# anything, the tree would grow by a power of its depth, and with it the queue, the work at rest, and each look.
FUTURES = 64

Known = Callable[[EditContext], Suggestion | Reason | None]
Ask = Callable[[Speculation], bool]


@dataclass(frozen=True, slots=True)
class _Screen:
    """A shown suggestion, and which states behind it were asked for: once, whatever became of the answer. A completion
    cache too small for all of them would have them asked again and again.

    A state is told from others behind the same suggestion by the text before its cursor and the document's length.
    What was found out of a state is kept: the tree is gone through at each answer, and to make a state copies the
    document, to look it up digests it.
    """

    root: Link
    since: float
    asked: set[tuple[str, int]] = field(default_factory=set)
    _states: dict[tuple[int, Suggestion], EditContext] = field(default_factory=dict)
    _known: dict[int, Suggestion | Reason] = field(default_factory=dict)

    def mark(self, state: EditContext) -> tuple[str, int]:
        text = state.document.text
        return text[self.root.context.offset : state.offset], len(text)

    def after(self, context: EditContext, step: Suggestion) -> EditContext:
        """Where a step leads to from ``context``, which is the root's or one that this has given."""
        state = self._states.get((id(context), step))
        if state is None:
            state = self._states[id(context), step] = context.after_accept(step)
        return state

    def known(self, state: EditContext, known: Known) -> Suggestion | Reason | None:
        """What ``known`` says of a state that `after` has given; once it says something, it is not asked again."""
        found = self._known.get(id(state))
        if found is None and (found := known(state)) is not None:
            self._known[id(state)] = found
        return found


class Speculator:
    """Asks ahead of what is shown, by document.

    ``known`` tells what would be offered at a state without asking the model: a suggestion, the reason why nothing,
    or None if that is not known. ``ask`` queues a state for the model, unless it is queued already or out of reach, and
    tells whether it did.
    """

    def __init__(self, config: EngineConfig, price: Price, now: Callable[[], float], known: Known, ask: Ask) -> None:
        self.config, self.price, self.acceptance = config, price, Acceptance()
        self._now, self._known, self._ask = now, known, ask
        self._screens: dict[str, _Screen] = {}

    def shown(self, context: EditContext, suggestion: Suggestion) -> None:
        """A suggestion is on the screen: make sure that what follows it is known, or asked for."""
        if self.config.speculation_depth:
            self._screens[context.uri] = _Screen(Link(context, suggestion), self._now())
            self.look(context.uri)

    def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user took it."""
        self.acceptance.observe(suggestion, True)
        if screen := self._screens.get(context.uri):
            self.price.paced(self._now() - screen.since)

    def gone(self, uri: str, refused: bool = False) -> None:
        """The suggestion of this document is on the screen no more."""
        screen = self._screens.pop(uri, None)
        if screen and refused:
            self.acceptance.observe(screen.root.suggestion, False)

    def root(self, uri: str) -> Link | None:
        """What is on the screen for this document."""
        screen = self._screens.get(uri)
        return screen.root if screen else None

    def look(self, uri: str) -> None:
        """Go through the futures of what is shown, and ask for those that are wanted and not known."""
        screen = self._screens.get(uri)
        if screen is None:
            return
        root = screen.root
        order = count()  # equal probabilities: first come, first served
        # Of the tree below the screen's suggestion: (-probability, order, accepts so far, the future's last step)
        heap: list[tuple[float, int, tuple[Link, ...], EditContext, Future]] = [
            (-future.probability, next(order), (), root.context, future) for future in self._futures(root, 1.0, 1)
        ]
        heapq.heapify(heap)
        for _ in range(FUTURES):
            if not heap:
                return
            negative, _, before, context, future = heapq.heappop(heap)
            lineage = (*before, Link(context, future.step))
            state = screen.after(context, future.step)
            suggestion = screen.known(state, self._known)
            if suggestion is None:
                mark = screen.mark(state)
                if mark not in screen.asked and self._ask(Speculation(state, lineage, future.kind, -negative)):
                    screen.asked.add(mark)
            elif isinstance(suggestion, Suggestion) and len(lineage) < self.config.speculation_depth:
                for child in self._futures(Link(state, suggestion), -negative, len(lineage) + 1):
                    heapq.heappush(heap, (-child.probability, next(order), lineage, state, child))

    def _futures(self, link: Link, reached: float, ahead: int) -> list[Future]:
        """The futures behind a suggestion that the policy wants, given the probability that it comes to be shown; they
        lie ``ahead`` accepts from the screen."""
        accept = self.acceptance.probability(link.suggestion)
        found = futures(link.context, link.suggestion, accept, lambda kind, p: self.wanted(kind, reached * p, ahead))
        return [Future(future.kind, future.step, reached * future.probability) for future in found]

    def wanted(self, kind: Kind, probability: float, ahead: int = 1) -> bool:
        """Whether the policy asks for a future of this kind, so many accepts ahead of the screen."""
        if self.config.policy is Policy.ADAPTIVE:
            return self.price.worth(probability, ahead)
        return self.config.policy is Policy.TREE or kind is Kind.ACCEPT
