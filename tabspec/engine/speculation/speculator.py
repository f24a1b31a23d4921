"""The speculator: asks ahead, as if what is shown had been accepted.

Fired by a suggestion being shown, it looks at the tree of what the user may do next, most likely first. What is known
already is stepped over; unknown states that the policy wants are queued, once the time has come that pays best. Each
answer, and each suggestion shown, makes it look again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.generation import Link
from tabspec.engine.speculation.acceptance import Acceptance, Predictor
from tabspec.engine.speculation.futures import Future, FutureKind, futures
from tabspec.engine.speculation.price import Price, Shown
from tabspec.suggestion import Reason, Suggestion


@dataclass(frozen=True, slots=True)
class Speculation:
    """A state to ask for: the accepts that lead there, what the last step is, and the probability of all of them."""

    context: EditContext
    lineage: tuple[Link, ...]
    kind: FutureKind
    probability: float


# How many futures of a screen are looked at, the likeliest first. A person takes one of them; while nobody does
# anything, the tree would grow by a power of its depth, and with it the queue, the work at rest, and each look.
FUTURES = 64

Known = Callable[[EditContext], Suggestion | Reason | None]
Ask = Callable[[Speculation], bool]


class TimerHandle(Protocol):
    """What a clock gives for a call to come."""

    def cancel(self) -> object: ...


class Clock(Protocol):
    """Time in seconds, and calls at a time: an event loop."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[[], None], /) -> TimerHandle: ...


@dataclass(slots=True)
class _Screen:
    """A suggestion that is shown ``since`` a time, and which states behind it were asked for: once, whatever became of
    the answer. A completion cache too small for all of them would have them asked again and again.

    ``follows_accept``: it stands where an accept has led. A state is told from others behind the same suggestion by the
    text before its cursor and the document's length. What was found out of a state is kept: the tree is gone through at
    each answer, and to make a state copies the document, to look it up digests it.
    """

    root: Link
    since: float
    follows_accept: bool
    taken: bool = False
    timer: TimerHandle | None = None
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

    def wake(self, timer: TimerHandle | None) -> None:
        """Keep this timer, and no other."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer

    def goes_on(self, context: EditContext, suggestion: Suggestion) -> bool:
        """Whether that is what this shows, or the rest of it once some was typed: the user sees the same text."""
        typed = context.typed_since(self.root.context)
        rest = None if typed is None else self.root.suggestion.after_typing(typed)
        return rest is not None and rest.text == suggestion.text


class Speculator:
    """Asks ahead of what is shown, by document.

    ``known`` tells what would be offered at a state without asking the model: a suggestion, the reason why nothing,
    or None if that is not known. ``ask`` queues a state for the model, unless it is queued already or out of reach, and
    tells whether it did. ``acceptance`` says how likely accepts are, if somebody knows better than by experience.
    """

    def __init__(
        self,
        config: EngineConfig,
        price: Price,
        clock: Clock,
        known: Known,
        ask: Ask,
        acceptance: Predictor | None = None,
    ) -> None:
        self.config, self.price, self.acceptance = config, price, acceptance or Acceptance()
        self._clock, self._known, self._ask = clock, known, ask
        self._screens: dict[str, _Screen] = {}
        self._landed: dict[str, EditContext] = {}  # where the last accept has led to

    def shown(self, context: EditContext, suggestion: Suggestion) -> None:
        """A suggestion is on the screen: see to it that what follows is known in time."""
        if not self.config.speculation_depth:
            return
        uri, since = context.uri, self._clock.time()
        landed = self._landed.get(uri)
        follows_accept = landed is not None and landed.same_place(context)
        if before := self._screens.get(uri):
            before.wake(None)
            if before.goes_on(context, suggestion):
                since, follows_accept = before.since, before.follows_accept
        self._screens[uri] = _Screen(Link(context, suggestion), since, follows_accept)
        self.look(uri)

    def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user took it, or a part of it."""
        if screen := self._screens.get(context.uri):
            self.acceptance.observe(Link(context, suggestion), True, screen.follows_accept)
            self.price.pace.taken(self._clock.time() - screen.since, screen.follows_accept)
            screen.taken = screen.taken or suggestion.text == screen.root.suggestion.text
            self._landed[context.uri] = context.after_accept(suggestion)

    def gone(self, uri: str, refused: bool = False) -> None:
        """The suggestion of this document is on the screen no more."""
        self._landed.pop(uri, None)
        if screen := self._screens.pop(uri, None):
            screen.wake(None)
            if refused and not screen.taken:
                self.acceptance.observe(screen.root, False, screen.follows_accept)
                self.price.pace.refused(self._clock.time() - screen.since)

    def close(self) -> None:
        """Ask no more."""
        for uri in list(self._screens):
            self.gone(uri)

    def root(self, uri: str) -> Link | None:
        """What is on the screen for this document."""
        screen = self._screens.get(uri)
        return screen.root if screen else None

    def look(self, uri: str) -> None:
        """Ask for the futures of what is shown that are wanted and not known; look again when the next one is due."""
        screen = self._screens.get(uri)
        if screen is None:
            return
        shown = Shown(
            self.acceptance.probability(screen.root, screen.follows_accept),
            self.acceptance.again(),
            screen.follows_accept,
            self._clock.time() - screen.since + 1e-6,  # what a sum of times loses: a timer must find its own time come
        )
        postponed: list[float] = []
        for speculation in self._unknown(screen, shown, postponed):
            mark = screen.mark(speculation.context)
            if mark not in screen.asked and self._ask(speculation):
                screen.asked.add(mark)
        again = min(postponed, default=None)
        screen.wake(None if again is None else self._clock.call_at(screen.since + again, lambda: self.look(uri)))

    def _unknown(self, screen: _Screen, shown: Shown, postponed: list[float]) -> Iterator[Speculation]:
        """States after the suggestion that are wanted by now and not known, the likeliest first. For those that are
        wanted later, ``postponed`` gets the time: seconds since the suggestion was shown.

        A best-first search of the tree of futures: a known suggestion has its own futures as branches, an unknown state
        is a leaf until it is known.
        """
        order = count()  # equal probabilities: first come, first served
        # (-probability, order, accepts so far, the state before the future's last step, the future)
        heap: list[tuple[float, int, tuple[Link, ...], EditContext, Future]] = []

        def branch(before: tuple[Link, ...], link: Link, reached: float) -> None:
            """Add the futures of ``link`` that are wanted by now; it is ``reached`` with this probability."""

            def due(kind: FutureKind, probability: float) -> bool:
                start = self.start(kind, reached * probability, shown, deeper=bool(before))
                if start is not None and start > shown.age:
                    postponed.append(start)
                return start is not None and start <= shown.age

            accept = self.acceptance.probability(link, screen.follows_accept or bool(before))
            for future in futures(link.context, link.suggestion, accept, due):
                heapq.heappush(heap, (-reached * future.probability, next(order), before, link.context, future))

        branch((), screen.root, 1.0)
        for _ in range(FUTURES):
            if not heap:
                break
            negative, _, before, context, future = heapq.heappop(heap)
            lineage = (*before, Link(context, future.step))
            state = screen.after(context, future.step)
            suggestion = screen.known(state, self._known)
            if suggestion is None:
                yield Speculation(state, lineage, future.kind, -negative)
            elif isinstance(suggestion, Suggestion) and len(lineage) < self.config.speculation_depth:
                branch(lineage, Link(state, suggestion), -negative)

    def start(
        self, kind: FutureKind, probability: float, shown: Shown | None = None, deeper: bool = False
    ) -> float | None:
        """How long after a suggestion was ``shown`` the policy asks for a future of this kind, or for one ``deeper``
        than the next accept; None if it does not. Of a place that nothing is shown at, 0 or None."""
        if self.config.policy is not Policy.ADAPTIVE:
            wanted = self.config.policy is Policy.TREE or kind is FutureKind.ACCEPT
            return 0.0 if wanted and probability > 0 else None
        if shown is None or kind is FutureKind.ENTER:  # no Tab comes first
            return 0.0 if self.price.worth(probability) else None
        return self.price.start(probability, shown, deeper)
