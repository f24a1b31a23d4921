"""The speculator: requests the suggestion that would follow if the user accepted the one on the screen.

It plans again at each suggestion shown and at each answer. It follows the chain of accepts as far as the suggestions
are known. The first state without a known suggestion is queued, at the moment that pays best.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.generation import Link
from tabspec.engine.speculation.acceptance import Acceptance, Predictor
from tabspec.engine.speculation.price import Price, ShownSuggestion
from tabspec.suggestion import Reason, Suggestion

ACCEPT = "accept"
"""The kind of a speculation that assumes an accept, in statistics and results."""


@dataclass(frozen=True, slots=True)
class Speculation:
    """A document state to ask the model for.

    ``lineage`` holds the steps that lead there from what is on the screen, ``kind`` what the last of them is,
    ``probability`` that the user takes all of them.
    """

    context: EditContext
    lineage: tuple[Link, ...]
    probability: float
    kind: str = ACCEPT


Known = Callable[[EditContext], Suggestion | Reason | None]
StartSpeculation = Callable[[Speculation], bool]


class Screen:
    """A suggestion that is shown ``since`` a time in seconds, and what is known of the accepts that follow it.

    ``follows_accept``: it is at a place that an accept has led to. ``taken``: the user has accepted all of it.
    ``links`` are the accepts whose suggestions are known, the shown one first. They stay, although the completion cache
    may drop them.
    ``asked`` is how many accepts ahead the model was asked. Each state is asked for once, whatever becomes of the
    answer: otherwise a completion cache too small for all of them would have them asked again and again.
    """

    def __init__(self, root: Link, since: float, follows_accept: bool) -> None:
        self.root, self.since, self.follows_accept = root, since, follows_accept
        self.links = [root]
        self.asked = 0
        self.taken = False
        self._timer: asyncio.TimerHandle | None = None

    def set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        """Replace the timer of the next look; None for no timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    def still_shows(self, context: EditContext, suggestion: Suggestion) -> bool:
        """Whether ``suggestion`` is this one, or its rest after some of it was typed: the user sees the same text."""
        typed = context.typed_since(self.root.context)
        rest = None if typed is None else self.root.suggestion.after_typing(typed)
        return rest is not None and rest.text == suggestion.text


class Speculator:
    """Speculates on what is shown, for each document by itself.

    ``known`` returns what would be offered at a state without asking the model: a suggestion, the reason why there is
    none, or None if that is not known. ``ask`` queues a state for the model and returns True, unless it is queued
    already or out of reach. ``acceptance`` replaces the predictor that learns from the user.
    """

    def __init__(
        self,
        config: EngineConfig,
        price: Price,
        clock: asyncio.AbstractEventLoop,
        known: Known,
        ask: StartSpeculation,
        acceptance: Predictor | None = None,
    ) -> None:
        self.config, self.price, self.acceptance = config, price, acceptance or Acceptance()
        self._clock, self._known, self._ask = clock, known, ask
        self._screens: dict[str, Screen] = {}
        self._landed: dict[str, EditContext] = {}  # the state after the last accept, by document

    def shown(self, context: EditContext, suggestion: Suggestion) -> None:
        """A suggestion is on the screen: have the model compute what follows it."""
        if not self.config.speculation_depth:
            return
        uri, since = context.uri, self._clock.time()
        landed = self._landed.get(uri)
        follows_accept = landed is not None and landed.same_place(context)
        if before := self._screens.get(uri):
            before.set_timer(None)
            if before.still_shows(context, suggestion):
                since, follows_accept = before.since, before.follows_accept
        self._screens[uri] = Screen(Link(context, suggestion), since, follows_accept)
        self.look(uri)

    def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user accepted the suggestion, or a part of it."""
        if screen := self._screens.get(context.uri):
            self.acceptance.observe(Link(context, suggestion), True, screen.follows_accept)
            self.price.pace.taken(self._clock.time() - screen.since, screen.follows_accept)
            screen.taken = screen.taken or suggestion.text == screen.root.suggestion.text
            landed = context.after_accept(suggestion)
            self._landed[landed.uri] = landed

    def gone(self, uri: str, refused: bool = False) -> None:
        """The suggestion of this document is no longer on the screen."""
        self._landed.pop(uri, None)
        if screen := self._screens.pop(uri, None):
            screen.set_timer(None)
            if refused and not screen.taken:
                self.acceptance.observe(screen.root, False, screen.follows_accept)
                self.price.pace.refused(self._clock.time() - screen.since)

    def close(self) -> None:
        """Stop asking."""
        for uri in list(self._screens):
            self.gone(uri)

    def root(self, uri: str) -> Link | None:
        """What is on the screen for this document."""
        screen = self._screens.get(uri)
        return screen.root if screen else None

    def look(self, uri: str) -> None:
        """Plan again for what is shown in this document."""
        if screen := self._screens.get(uri):
            screen.set_timer(None)
            self._plan(screen)

    def _plan(self, screen: Screen) -> None:
        """Queue the first accept whose suggestion is not known, if it is due; set a timer if it is due later."""
        shown = ShownSuggestion(
            self.acceptance.probability(screen.root, screen.follows_accept),
            self.acceptance.again(),
            screen.follows_accept,
            # A timer set for ``since + start`` must find its start due: a sum of floats may round below it.
            self._clock.time() - screen.since + 1e-6,
        )
        probability = 1.0
        for depth in range(1, self.config.speculation_depth + 1):
            link = screen.links[depth - 1]
            probability *= self.acceptance.probability(link, screen.follows_accept or depth > 1)
            start = self._start(probability, shown, depth)
            if start is None:
                return
            if start > shown.age:
                again = partial(self.look, screen.root.context.uri)
                screen.set_timer(self._clock.call_at(screen.since + start, again))
                return
            if depth < len(screen.links):
                continue
            state = link.context.after_accept(link.suggestion)
            suggestion = self._known(state)
            ahead = Speculation(state, tuple(screen.links), probability)
            if suggestion is None and depth > screen.asked and self._ask(ahead):
                screen.asked = depth
            if not isinstance(suggestion, Suggestion):
                return
            screen.links.append(Link(state, suggestion))

    def _start(self, probability: float, shown: ShownSuggestion, depth: int) -> float | None:
        """As `Price.start`, for the policy in use."""
        if self.config.policy is Policy.ADAPTIVE:
            return self.price.start(probability, shown, depth)
        return 0.0 if probability > 0 else None
