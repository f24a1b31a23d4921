"""Speculation on other futures than accepting: what `tabspec replay --policy tree` asks for.

Recorded sessions hardly ever come to these states, so that the product does not ask for them
(docs/decisions/2026-11-25-price.md). The replay measures what they would cost and bring.
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

# How many futures of a screen are looked at, the likeliest first. The user takes one of them; without a bound the
# tree would grow by a power of its depth, and with it the queue, the work at rest, and each look.
FUTURES = 64


class FutureKind(StrEnum):
    """What the user does in a future. The values are keys of `kinds` in replay results."""

    ACCEPT = ACCEPT  # takes the suggestion
    ACCEPT_ENTER = "accept_enter"  # takes it and begins a new line
    ACCEPT_LINE = "accept_line"  # takes its first line only
    ENTER = "enter"  # begins a new line instead


# Of the suggestions taken, the share that was followed by this; of those refused, for ENTER. Counted on twelve
# development sessions: 4 of 374, none of 374, 2 of 3,200 (docs/decisions/2026-11-25-price.md).
SHARES: Mapping[FutureKind, float] = {
    FutureKind.ACCEPT_ENTER: 0.01,
    FutureKind.ACCEPT_LINE: 0.002,
    FutureKind.ENTER: 0.0006,
}


@dataclass(frozen=True, slots=True)
class Future:
    """A state that the user may come to: ``step`` is the text that leads there, as a suggestion to accept."""

    kind: FutureKind
    step: Suggestion
    probability: float


class TreeSpeculator(Speculator):
    """Asks for all futures at once, whatever they cost, the likeliest first and as deep as the policy goes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._trees: dict[str, _Tree] = {}  # by document

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
        """States after the suggestion that are not known, the likeliest first.

        A best-first search: a known suggestion has its own futures as branches, an unknown state is a leaf.
        """
        order = count()  # equal probabilities: first come, first served
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
    """What decides, in a replay with this policy, what is asked ahead."""
    return TreeSpeculator if policy is Policy.TREE else Speculator


class _Tree:
    """What is known of the futures of a screen. States are kept, because making one copies the document."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.asked: set[tuple[str, int]] = set()
        self.known: dict[int, Suggestion | Reason] = {}
        self._states: dict[tuple[int, Suggestion], EditContext] = {}

    def mark(self, state: EditContext) -> tuple[str, int]:
        """Distinguishes a state from the others of this screen: the text before its cursor, the document's length."""
        text = state.document.text
        return text[self.screen.root.context.offset : state.offset], len(text)

    def after(self, context: EditContext, step: Suggestion) -> EditContext:
        """The state after ``step`` at ``context``, which is the root's or one that this has returned."""
        state = self._states.get((id(context), step))
        if state is None:
            state = self._states[id(context), step] = context.after_accept(step)
        return state


def futures(context: EditContext, suggestion: Suggestion, accept: float) -> Iterator[Future]:
    """The futures of ``suggestion`` at ``context``, given the probability that it is accepted."""
    yield Future(FutureKind.ACCEPT, suggestion, accept)
    # Where text follows the cursor, Enter would split the line.
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
    """The white space that an editor inserts after Enter: the line's own, and one level after an opening bracket."""
    line = line_before(context)
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    opens = line.rstrip().endswith(("{", "(", "[", ":"))
    return indent + ("\t" if indent.startswith("\t") else "    ") if opens else indent
