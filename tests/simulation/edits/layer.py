"""Users who change several documents, accept, refuse and undo next edits, and jump; and one engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.edits.history import EMPTY, MOST_STEPS
from tabspec.edits.hunks import step_of
from tabspec.edits.reward import effort
from tabspec.edits.step import Step
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.next_edits.choice import SURE, TYPING_PAUSE_S
from tabspec.replay.clock import VirtualTimeLoop
from tabspec.suggestion import Answer, Reason, Suggestion
from tabspec.text import Document, Edit

from ..faults import Faults
from ..layers.layer import Layer
from ..model import SimulatedModel
from ..oracle import Oracle
from .expected import Expected, Place
from .proposer import LETTERS, NUMBER, place_of, propose, raised

ACTIONS = {
    "raise": 12,
    "lower": 4,
    "type": 10,
    "line": 4,
    "delete line": 1,
    "paste": 0.5,
    "format": 0.5,
    "move": 6,
    "switch": 3,
    "take": 25,
    "refuse": 3,
    "undo": 5,
    "missed": 0.5,
    "close": 0.3,
    "ask": 6,
    "rest": 5,
    "sleep": 0.4,
}
_RAISED = re.compile("|".join(map(raised, LETTERS)))
# More lines are deleted from the end: the oracle looks at all of them.
MOST_LINES = 24
# Seconds: a pause, and the model's slowest answer.
LONGEST_S = 200.0


@dataclass(frozen=True)
class Change:
    """A change that can be undone: the edit that does so, and its step if it was a next edit. ``exact``: refusals stay
    where they are."""

    inverse: Edit
    exact: bool
    step: Step | None = None


@dataclass
class File:
    """An open document."""

    uri: str
    text: str
    past: list[Change] = field(default_factory=list)

    @property
    def document(self) -> Document:
        return Document(self.uri, self.text, "plain")


class EditsLayer(Layer):
    """One engine, one edit history, and up to three documents, of which the user is in one."""

    name = "edits"

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, note)
        pick = self.random.choice
        self.config = EngineConfig(
            policy=pick(tuple(Policy)),
            depth=pick((1, 2, 4)),
            max_lines=1,
            cache_bytes=min(pick((8000, 1 << 24, 1 << 24)), pick((20_000, 1 << 24, 1 << 24))),
        )
        self.model = SimulatedModel(Faults(Random(f"speed {seed}"), 0.0), pick((10, 25, 60)), pick((False, True)))
        self.engine = CompletionEngine(self.model, self.config)
        self.engine._edits.propose = self._propose
        self.oracle, self.expected = Oracle(self.model, self.config), Expected()
        self.taken: list[tuple[Place, Step]] = []  # accepted edits
        self.proposed = 0  # how often the engine has asked the proposer
        self.numbers = 0
        self.files = [File(f"file:///{name}", self._lines(pick((3, 8)))) for name in ("a", "b", "c")[: pick((1, 2, 3))]]
        self.together = pick((False, True))  # whether edits may be in another document
        self.cursor, self.history = 0, EMPTY
        self.screen: tuple[EditContext, Suggestion] | None = None
        self.last: tuple[EditContext, object, Suggestion | None] | None = None
        self.changes = 0  # of the active document or the cursor
        self.pauses = pick(((0.0, 0.05), (0.05, 0.3), (0.3, 3.0, 30.0)))
        self.weights = [weight * pick((0.2, 1.0, 1.0, 3.0)) for weight in ACTIONS.values()]
        self.pending = 0
        self.begun: dict[asyncio.Task[None], float] = {}

    def _propose(
        self, document: Document, cursor: int, steps: Sequence[Step], others: Sequence[Document] = ()
    ) -> tuple[ProposedEdit, ...]:
        self.proposed += 1
        return propose(document, cursor, steps, others)

    def _lines(self, count: int) -> str:
        return "".join(self._line() for _ in range(count))

    def _line(self) -> str:
        self.numbers += 1
        letters = [
            raised(letter) if self.random.random() < 0.1 else letter
            for letter in self.random.sample(LETTERS, self.random.choice((1, 2, 3)))
        ]
        return f"{self.random.choice(('', '  '))}{' '.join(letters)} #{self.numbers}\n"

    # --- the user ---------------------------------------------------------------------------------------------------

    @property
    def file(self) -> File:
        return self.files[0]

    @property
    def context(self) -> EditContext:
        others = tuple(file.document for file in self.files[1:]) if self.together else ()
        return EditContext(self.file.document, self.cursor, self.history, others)

    def pause(self) -> float:
        return self.random.choice(self.pauses)

    def act(self) -> None:
        [action] = self.random.choices(list(ACTIONS), self.weights)
        self.say(action)
        random, text = self.random, self.file.text
        starts = self.file.document.line_starts[:-1] or [0]
        match action:
            case "raise":
                places = [at for at, char in enumerate(text) if char in LETTERS and self._in_numbered_line(at)]
                if places:
                    at = random.choice(places)
                    self._change(Edit(at, 1, raised(text[at])))
            case "lower":
                self._lower()
            case "type":
                if text[max(self.cursor - 1, 0) : self.cursor].strip("0123456789#") == "":  # numbers stay
                    self.cursor = self.file.document.line_starts[self.file.document.position(self.cursor).line]
                self._change(Edit(self.cursor, 0, random.choice("xxy ")))
            case "line":
                self._change(Edit(random.choice(starts), 0, self._line()))
            case "delete line":
                self._delete_lines(random.choice(range(len(starts))), 1)
            case "paste":
                self._change(Edit(random.choice(starts), 0, self._lines(5)))
            case "format":
                self._format()
            case "move":
                self.cursor = random.randrange(len(text) + 1)
            case "switch":
                self.files.append(self.files.pop(0))
                self.cursor = min(self.cursor, len(self.file.text))
            case "take":
                self._take()
                return
            case "refuse":
                self._refuse()
                return
            case "undo":
                self._undo()
            case "missed":
                self.expected.replaced(self.file.uri)
                self.file.text, self.cursor = self._line() + text, 0
                self.file.past.clear()
            case "close":
                self.engine.closed(self.file.uri)
                self.expected.closed(self.file.uri)
                self.history = self.history.without(lambda uri: uri == self.file.uri)
            case "rest":
                self._rest()
                return
            case "sleep":
                self._sleep()
                return
        if self.file.document.line_count > MOST_LINES:
            self._delete_lines(MOST_LINES // 2, self.file.document.line_count - 1 - MOST_LINES // 2)
        self._changed()
        if action == "ask" or random.random() < 0.8:
            self._ask()

    def _sleep(self) -> None:
        """The machine sleeps: its clock jumps, and the timers that fell due in between are all late."""
        seconds = self.random.choice((2.0, 60.0, 600.0))
        self.counts["slept"] += 1
        VirtualTimeLoop._jump(self.loop, seconds)
        for task in self.begun:
            self.begun[task] += seconds

    def _in_numbered_line(self, at: int) -> bool:
        return bool(NUMBER.search(self.file.document.line(self.file.document.position(at).line)))

    def _change(self, edit: Edit, exact: bool = True, keep: bool = True) -> None:
        """The user changes the active document."""
        file, before = self.file, self.file.document
        inverse = Edit(edit.offset, len(edit.insert), file.text[edit.offset : edit.offset + edit.delete])
        if not exact:
            self.expected.replaced(file.uri)
        file.text = edit.apply(file.text)
        known, history = self._accepted(before), self.history
        self.history = history.changed(before, [edit], file.document, self.loop.time())
        for place, step in known:
            if not self._has(step):
                self.expected.refuse(place)
                self.counts["undone"] += 1
                if sum(step.source is None for step in history.steps) >= MOST_STEPS:  # or it was forgotten
                    self.expected.unsure.add(file.uri)
        self.cursor = edit.end
        if keep:
            file.past = [*file.past[-20:], Change(inverse, exact)]

    def _lower(self) -> None:
        """The user takes back a change by hand: one of his own, an accepted one, or what was there from the start."""
        places = [each.start() for each in _RAISED.finditer(self.file.text) if self._in_numbered_line(each.start())]
        if not places:
            return
        at = self.random.choice(places)
        self._change(Edit(at, 2, self.file.text[at].lower()))

    def _delete_lines(self, first: int, count: int) -> None:
        starts, text = self.file.document.line_starts, self.file.text
        start, stop = starts[first], starts[first + count] if first + count < len(starts) else len(text)
        numbers = set(NUMBER.findall(text[start:stop]))
        refused = any(place[1] in numbers for place in self.expected.unwanted)
        self._change(Edit(start, stop - start, ""), exact=not refused)

    def _format(self) -> None:
        """Every line is indented, in one message."""
        file, before = self.file, self.file.document
        edits = [Edit(at, 0, " ") for at in reversed(before.line_starts[:-1])]
        for edit in edits:
            file.text = edit.apply(file.text)
        self.history = self.history.changed(before, edits, file.document, self.loop.time())
        self.expected.replaced(file.uri)
        file.past.clear()
        self.cursor = min(self.cursor, len(file.text))

    def _undo(self) -> None:
        if not self.file.past:
            return
        change = self.file.past.pop()
        deleted = self.file.text[change.inverse.offset : change.inverse.offset + change.inverse.delete]
        refused = any(place[1] in NUMBER.findall(deleted) for place in self.expected.unwanted)
        self._change(change.inverse, change.exact and not refused, keep=False)
        undone = change.step is None or not self._has(change.step)
        self.require(undone, "an accepted edit that was undone stays in the history")

    def _accepted(self, document: Document) -> list[tuple[Place, Step]]:
        """The accepted edits of a document that the history has, unless it has missed a change."""
        if self.history.texts.get(document.uri) != document.text:
            return []
        return [(place, step) for place, step in self.taken if place[0] == document.uri and self._has(step)]

    def _has(self, step: Step) -> bool:
        return any(each.source and (each.old, each.new) == (step.old, step.new) for each in self.history.steps)

    def _take(self) -> None:
        """Tab."""
        if self.screen is None or not self._is_here(self.screen[0]):
            return
        before, suggestion = self.screen
        self.screen = None
        after, edit = before.after_accept(suggestion), suggestion.edit
        change = before.edit_for(suggestion)
        document, step = before.document, None
        if edit is not None:
            document = next(each for each in (before.document, *before.others) if each.uri == edit.uri)
            self.expected.became(edit, taken=True)
            step = step_of(document, change)
            assert step is not None
            self.taken.append((place_of(document, edit), step))
            self.counts["jumped" if edit.uri != before.uri else "accepted"] += 1
            self.files.sort(key=lambda file: file.uri != edit.uri)  # stable: the others keep their order
        else:
            self.expected.replaced(before.uri)  # letters of the completion may now be the first ones of their lines
        old = document.text[change.offset : change.offset + change.delete]
        self.file.past.append(Change(Edit(change.offset, len(change.insert), old), edit is not None, step))
        self.file.text, self.cursor = after.document.text, after.offset
        assert after.history is not None
        self.history = after.history
        self.engine.accepted(before, suggestion)
        self._changed()
        self._ask(ahead=edit is not None and self.config.policy is not Policy.NONE and self.config.cache_bytes > 20_000)

    def _refuse(self) -> None:
        if self.screen is None or not self._is_here(self.screen[0]) or self.screen[1].edit is None:
            return
        (context, suggestion), self.screen = self.screen, None
        edit = suggestion.edit
        assert edit is not None
        document = next(each for each in (context.document, *context.others) if each.uri == edit.uri)
        self.engine.rejected(context, suggestion)
        self.expected.became(edit, taken=False)
        self.expected.refuse(place_of(document, edit))
        self.counts["refused"] += 1

    def _is_here(self, context: EditContext) -> bool:
        return context.same_place(self.context) and context.others == self.context.others

    def _changed(self) -> None:
        self.changes += 1
        self.screen = None
        self.engine.changed(self.context)

    # --- what the engine offers -------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """The cursor is put here, and an edit is shown if there is one."""
        self._changed()
        self.engine.rested(self.context)
        suggestion = self.engine.next_edit(self.context)
        found = suggestion.edit if suggestion else None
        wanted = self.expected.edits(self.context)
        self.require(_is_one_of(found, wanted), f"at rest {found} is offered, where {wanted} are due")
        if suggestion is not None:
            self._show(self.context, suggestion)

    def _ask(self, ahead: bool = False) -> None:
        self.requests += 1
        task = self.go(self._request(self.context, ahead))
        self.begun[task] = self.loop.time()
        task.add_done_callback(self.begun.pop)

    async def _request(self, context: EditContext, ahead: bool) -> None:
        changes, began, asked = self.changes, self.loop.time(), self.proposed
        typing = context.history is not None and context.history.typing_at(context.document, context.offset)
        due = self.expected.edits(context)
        chances = [self.expected.probability(edit) if edit is not None else 0.0 for edit in due]
        marker = self._marker(context)
        answer = await self.engine.complete(context)
        waited = self.loop.time() - began
        self.say("answer", answer.source, answer.reason, answer.suggestion)
        if answer.reason is Reason.SUPERSEDED:
            self.require(changes != self.changes or len(self.begun) > 1, "superseded, and nothing newer has come")
            return
        if typing:
            self._while_typing(context, answer, waited)
        else:
            acceptable = [
                each
                for edit, chance in zip(due, chances, strict=True)
                for each in self._acceptable(context, edit, chance, waited)
            ]
            self.require(
                any(each(answer.suggestion) for each in acceptable),
                f"{answer.suggestion} is offered after {waited:g} s, where {due} are due",
            )
        edit = answer.suggestion.edit if answer.suggestion else None
        if edit is not None and waited == 0 and ahead:
            self.counts["instant"] += 1
            self.require(self.proposed == asked, "what follows an accepted edit was not computed ahead")
        if self.last is not None and self.last[0].same_place(context) and self.last[1] == marker:
            self.require(_same(self.last[2], answer.suggestion), f"it was {self.last[2]}, and is {answer.suggestion}")
            self.counts["again"] += 1
        self.last = context, marker, answer.suggestion
        if answer.suggestion is not None and changes == self.changes and self._is_here(context):
            self.counts["offered" if edit is None else "edit"] += 1
            self._show(context, answer.suggestion)

    def _marker(self, context: EditContext) -> object:
        """All that an answer depends on beside the document and the cursor."""
        history = context.history
        assert history is not None
        typing = history.typing_at(context.document, context.offset)
        state = history.digest, typing, tuple(history.texts.items()), tuple(context.others)
        return state, tuple(sorted(self.expected.outcomes.items())), tuple(self.expected.unwanted)

    def _show(self, context: EditContext, suggestion: Suggestion) -> None:
        self.screen = context, suggestion
        self.engine.shown(context, suggestion)

    def _while_typing(self, context: EditContext, answer: Answer, waited: float) -> None:
        """The completion comes first, and an edit only after a pause."""
        suggestion = answer.suggestion
        if suggestion is not None and suggestion.edit is None:
            self.require(self.oracle.right(context, suggestion), f"the model does not write {suggestion}")
            return
        self.require(waited >= TYPING_PAUSE_S - 1e-6, f"a user who types is disturbed after {waited:g} s")
        wanted = self.expected.edits(context)
        self.require(
            _is_one_of(suggestion.edit if suggestion else None, wanted), f"{suggestion} is offered, not {wanted}"
        )

    def _acceptable(
        self, context: EditContext, edit: ProposedEdit | None, chance: float, waited: float
    ) -> list[Callable[[Suggestion | None], bool]]:
        """What may be offered where ``edit``, with this probability, is the best next edit: it, or the completion that
        saves more keys."""
        if edit is not None and chance >= SURE - 1e-12:
            return [lambda offered: _is_edit(offered, edit) and waited == 0]
        found: list[Callable[[Suggestion | None], bool]] = []
        for offer in self.oracle.offers(context):
            completion = offer if isinstance(offer, Suggestion) else None
            if edit is not None and self._saves_more(context, edit, chance, completion):
                found.append(lambda offered: _is_edit(offered, edit))
            elif completion is None:
                found.append(lambda offered: offered is None)
            else:
                found.append(lambda offered, completion=completion: _same(offered, completion))  # type: ignore[misc]
        return found

    def _saves_more(
        self, context: EditContext, edit: ProposedEdit, chance: float, completion: Suggestion | None
    ) -> bool:
        if completion is None:
            return True
        moves = edit.uri != context.uri or edit.change.offset != context.offset
        other = 0.5 if completion.probability is None else completion.probability
        return chance * effort(edit.change, moves) > other * len(completion.text)

    # --- the end ----------------------------------------------------------------------------------------------------

    def watch(self, seconds: float) -> None:
        then = self.loop.time() + seconds
        for began in self.begun.values():
            self.require(then - began < LONGEST_S, "a request is not answered")
        self.require(self.engine.completion_cache.bytes <= self.config.cache_bytes, "the completion cache is too full")

    async def recover(self) -> None:
        await self.until(lambda: not self.begun, LONGEST_S, "not every request ended")
        self.counts["spare"] += sum(outcome for (_, taken), outcome in self.expected.outcomes.items() if taken)
        await self.engine.close()


def _same(a: Suggestion | None, b: Suggestion | None) -> bool:
    """The same text at the same place."""
    if a is None or b is None or a.edit is None or b.edit is None:
        return (a and (a.text, a.replace_after, a.edit)) == (b and (b.text, b.replace_after, b.edit))
    return _is_edit(a, b.edit)


def _is_edit(suggestion: Suggestion | None, edit: ProposedEdit) -> bool:
    return suggestion is not None and _is_one_of(suggestion.edit, [edit])


def _is_one_of(edit: ProposedEdit | None, due: Sequence[ProposedEdit | None]) -> bool:
    """Whether an edit does what one of those does; its probability may have changed since."""
    known = [each and (each.uri, each.change, each.cursor, each.source) for each in due]
    return (edit and (edit.uri, edit.change, edit.cursor, edit.source)) in known
