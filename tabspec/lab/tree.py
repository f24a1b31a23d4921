"""Speculation on futures other than accepting, for `tabspec replay --policy tree`.

Recorded sessions seldom reach these states, so the product does not request completions for them
(docs/decisions/2026-11-25-price.md). The replay measures their cost and benefit.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import Any

from tabspec.config import Policy
from tabspec.context import EditContext
from tabspec.engine.generation import Link
from tabspec.engine.speculation.speculator import ACCEPT, Screen, Speculation, Speculator
from tabspec.fitting.truncation import line_before, rest_of_line
from tabspec.suggestion import Reason, Suggestion
from tabspec.text import uses_crlf

# The most futures of a screen that are searched, the most probable first. The tree grows exponentially with its depth,
# and with it the queue, the work while the user is idle, and the time of each search.
FUTURES = 64


class FutureKind(StrEnum):
    """What the user does in a future. The values are keys of `kinds` in replay results."""

    ACCEPT = ACCEPT  # accepts the suggestion
    ACCEPT_ENTER = "accept_enter"  # accepts it and starts a new line
    ACCEPT_LINE = "accept_line"  # accepts only its first line
    ENTER = "enter"  # starts a new line without accepting


# The share of accepted suggestions that each future follows; for ENTER, the share of rejected ones. Counted on twelve
# development sessions: 4 of 374, none of 374, 2 of 3,200 (docs/decisions/2026-11-25-price.md).
SHARES: Mapping[FutureKind, float] = {
    FutureKind.ACCEPT_ENTER: 0.01,
    FutureKind.ACCEPT_LINE: 0.002,
    FutureKind.ENTER: 0.0006,
}


@dataclass(frozen=True, slots=True)
class Future:
    """A state that the user may reach. ``step``: the text that leads to it, as a suggestion to accept."""

    kind: FutureKind
    step: Suggestion
    probability: float


class TreeSpeculator(Speculator):
    """Requests all futures at once, whatever their cost: the most probable first, down to `speculation_depth`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._trees: dict[str, _Tree] = {}  # by document

    def gone(self, uri: str, refused: bool = False) -> None:
        super().gone(uri, refused)
        self._trees.pop(uri, None)

    def _plan(self, screen: Screen) -> None:
        uri = screen.root.context.uri
        tree = self._trees.get(uri)
        if tree is None or tree.screen is not screen:
            tree = self._trees[uri] = _Tree(screen)
        for speculation in self._unknown(tree):
            mark = tree.mark(speculation.context)
            if mark not in tree.asked and self._ask(speculation):
                tree.asked.add(mark)

    def _unknown(self, tree: _Tree) -> Iterator[Speculation]:
        """States after the suggestion whose completion is not cached, the most probable first.

        A best-first search. The futures of a cached suggestion are its branches. A state without one is a leaf.
        """
        order = count()  # of equal probabilities, the first one found comes first
        # (-probability, order, accepts so far, the state before the future's last step, the future)
        heap: list[tuple[float, int, tuple[Link, ...], EditContext, Future]] = []

        def branch(before: tuple[Link, ...], link: Link, reached: float) -> None:
            accept = self.acceptance.probability(link, tree.screen.follows_accept or bool(before))
            for future in futures(link.context, link.suggestion, accept):
                if reached * future.probability > 0:
                    heapq.heappush(heap, (-reached * future.probability, next(order), before, link.context, future))

        branch((), tree.screen.root, 1.0)
        for _ in range(FUTURES):
            if not heap:
                break
            negative, _, before, context, future = heapq.heappop(heap)
            lineage = (*before, Link(context, future.step))
            state = tree.after(context, future.step)
            suggestion = tree.known.get(id(state)) or self._known(state)
            if suggestion is None:
                yield Speculation(state, lineage, -negative, future.kind)
                continue
            tree.known[id(state)] = suggestion
            if isinstance(suggestion, Suggestion) and len(lineage) < self.config.speculation_depth:
                branch(lineage, Link(state, suggestion), -negative)


def speculator_for(policy: Policy) -> type[Speculator]:
    """The class that plans speculative requests in a replay with ``policy``."""
    return TreeSpeculator if policy is Policy.TREE else Speculator


class _Tree:
    """The futures of a screen that were searched. States are kept, because making one copies the document."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.asked: set[tuple[str, int]] = set()
        self.known: dict[int, Suggestion | Reason] = {}
        self._states: dict[tuple[int, Suggestion], EditContext] = {}

    def mark(self, state: EditContext) -> tuple[str, int]:
        """A key that identifies a state of this screen: the text added before its cursor, and the document's length."""
        text = state.document.text
        return text[self.screen.root.context.offset : state.offset], len(text)

    def after(self, context: EditContext, step: Suggestion) -> EditContext:
        """The state after ``step`` at ``context``, which is that of the root or one that this method returned."""
        state = self._states.get((id(context), step))
        if state is None:
            state = self._states[id(context), step] = context.after_accept(step)
        return state


def futures(context: EditContext, suggestion: Suggestion, accept: float) -> Iterator[Future]:
    """The futures of ``suggestion`` at ``context``, given the probability that it is accepted."""
    yield Future(FutureKind.ACCEPT, suggestion, accept)
    # If text follows the cursor, Enter would split the line.
    if not rest_of_line(context)[suggestion.replace_after :].strip():
        line_end = "\r\n" if uses_crlf(context.document.text) else "\n"
        after = context.after_accept(suggestion)
        enter = replace(suggestion, text=suggestion.text + line_end + auto_indent(after))
        yield Future(FutureKind.ACCEPT_ENTER, enter, accept * SHARES[FutureKind.ACCEPT_ENTER])
        if line_before(context).strip() and not suggestion.text.startswith(("\r", "\n")):
            typed = Suggestion(line_end + auto_indent(context))
            yield Future(FutureKind.ENTER, typed, (1 - accept) * SHARES[FutureKind.ENTER])
    if (line := suggestion.first_line()) != suggestion:
        yield Future(FutureKind.ACCEPT_LINE, line, accept * SHARES[FutureKind.ACCEPT_LINE])


def auto_indent(context: EditContext) -> str:
    """The indentation that an editor inserts after Enter: the line's, one level deeper after an opening bracket."""
    line = line_before(context)
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    opens = line.rstrip().endswith(("{", "(", "[", ":"))
    return indent + ("\t" if indent.startswith("\t") else "    ") if opens else indent
