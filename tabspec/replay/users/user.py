"""Simulated users, who type a recorded session again and accept suggestions.

The recording determines the text, the places and the rhythm. The user decides which parts come from accepted
suggestions. The final document is always that of the recording. Pure logic: times are numbers, and nothing waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from tabspec.context import EditContext
from tabspec.replay.sessions.session import Session
from tabspec.replay.users.actions import Action, actions_of, keys
from tabspec.replay.users.desk import Desk
from tabspec.replay.users.making import making, remaining
from tabspec.replay.users.thinking import Thinking
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit, difference

# Recorded events that a user looks ahead: the longest suggestions (48 tokens, about 170 characters), typed key by key
# with as many corrections.
HORIZON = 400


class User(StrEnum):
    """The kinds of users."""

    TYPE = "type"  # types what was recorded, and never presses Tab
    TAB = "tab"  # presses Tab after reading, if the suggestion agrees with the recording
    RECORDED = "recorded"  # presses Tab where the recorded person accepted a suggestion, if it is on the screen


class StepKind(StrEnum):
    TYPE = "type"
    SELECT = "select"  # only the cursor moves
    ACCEPT = "accept"  # Tab


@dataclass(frozen=True, slots=True)
class UserStep:
    """A step of the user at ``time`` seconds: edits, one after another, and the cursor afterwards."""

    time: float
    kind: StepKind
    edits: tuple[Edit, ...]
    cursor: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A Tab replaces the next ``actions`` of the recording, but ``remainder`` has still to be typed. ``among``: these
    actions also make other edits, which the user still makes."""

    actions: int
    remainder: str = ""
    among: bool = False


def agreement(
    context: EditContext, suggestion: Suggestion, coming: Iterable[Action], part: int = 0
) -> Agreement | None:
    """Whether the recording goes on to write ``suggestion`` at the cursor, and what is left to do after Tab. ``part``:
    that of the document which the suggestion changes.

    It applies the ``coming`` actions to the region that the suggestion replaces (for most, the empty region at the
    cursor), as long as they edit only inside it: insertions, corrections, closing brackets that an editor added after
    the cursor. The suggestion agrees as soon as the region is equal to it, or starts with it; then the rest must still
    be typed. A suggestion that also replaces text must be equal. None if an action edits outside the region before.
    A next edit agrees if the recording makes it, now or after other edits, and leaves it so.
    """
    if suggestion.edit is not None:
        text = context.changed_by(suggestion).text
        found = making(suggestion.edit.change, text, islice(coming, HORIZON), part)
        return None if found.actions is None else Agreement(found.actions, among=not found.alone)
    start = context.offset - suggestion.replace_before
    region = context.document.text[start : context.offset + suggestion.replace_after]
    pure = not (suggestion.replace_before or suggestion.replace_after)
    for number, action in enumerate(islice(coming, HORIZON), 1):
        for edit in action.edits:
            at = edit.offset - start
            if action.part != part or at < 0 or at + edit.delete > len(region):
                return None
            region = region[:at] + edit.insert + region[at + edit.delete :]
        if action.edits and (region == suggestion.text or (pure and region.startswith(suggestion.text))):
            return Agreement(number, region[len(suggestion.text) :])
    return None


class Player:
    """Plays a session step by step, as a user does.

    `next_event` returns the next step with its time, and `perform` carries it out. `offer` shows the user a suggestion.
    Times are seconds since the first recorded event. ``think`` gives the time that the user `User.TAB` reads a
    suggestion before Tab. The user types nothing in that time, and later steps keep their recorded gaps after the Tab.
    """

    def __init__(self, session: Session, user: User = User.TAB, think: Thinking | None = None) -> None:
        self._actions = actions_of(session)
        self._user = user
        self._think = think or Thinking()
        self._row = 0  # Tabs in a row
        self._at = 0  # number of actions that are done or skipped
        self._rest: Action | None = None  # the rest of an action that a Tab has done in part
        self._tab: tuple[float, Suggestion, Agreement] | None = None
        self._shift = -self._actions[0].t if self._actions else 0.0
        first = self._actions[0] if self._actions else Action(0.0, (), 0)
        self._desk = Desk.of(session.parts, first.t, first.part)
        self._part = first.part
        self.cursor = 0
        self.changed = self.document
        """The document that the last step was made in, as it was before it."""
        self.closed: tuple[str, ...] = ()
        """The documents (URIs) that were closed since the step before."""
        self.typed_chars = 0
        self.accepted_chars = 0
        self.keys = 0
        """Keys pressed: one for each character, deletion, move of the cursor and Tab."""
        self.saved_keys = 0
        """Keys that would have been pressed without Tab."""
        self.tabs = 0

    @property
    def document(self) -> Document:
        """The document that the user is in."""
        return self._desk.open[self._part]

    @property
    def context(self) -> EditContext:
        """The current document and cursor, and the other open documents."""
        return EditContext(self.document, self.cursor, others=self._desk.others(self._part))

    @property
    def texts(self) -> dict[str, str]:
        """The texts of all open documents, by URI."""
        return {each.uri: each.text for each in self._desk.open.values()}

    @property
    def done(self) -> bool:
        """Whether the recording is at its end."""
        return self._rest is None and self._at >= len(self._actions)

    @property
    def progress(self) -> float:
        """The part of the recording that is done, from 0 to 1."""
        return self._at / len(self._actions) if self._actions else 1.0

    def next_event(self) -> UserStep | None:
        """The user's next step, unless a suggestion comes before it; None at the end."""
        if self._tab is not None:
            time, suggestion, _ = self._tab
            edit = self.context.edit_for(suggestion)
            cursor = edit.end if suggestion.edit is None else suggestion.edit.cursor
            return UserStep(time, StepKind.ACCEPT, (edit,), cursor)
        action = next(self._coming(), None)
        if action is None:
            return None
        kind = StepKind.TYPE if action.edits else StepKind.SELECT
        return UserStep(action.t + self._shift, kind, action.edits, action.cursor)

    def offer(self, suggestion: Suggestion, shown_at: float) -> float | None:
        """Show ``suggestion`` at the cursor, in place of an earlier one. Returns the time of the Tab; None: no Tab.

        Raises `PositionError` if the suggestion does not fit at the cursor.
        """
        self.context.edit_for(suggestion)
        before, self._tab = self._tab, None
        if not suggestion or self._user is User.TYPE:
            return None
        if self._user is User.RECORDED:
            action = next(self._coming(), None)
            if action is None or not action.accept:
                return None
            found = agreement(self.context, suggestion, [action], self._target(suggestion))
            time = max(action.t + self._shift, shown_at)
        else:
            found = agreement(self.context, suggestion, self._coming(), self._target(suggestion))
            time = shown_at + self._think.pause(self._at, self._row)
        if found is None:
            return None
        if before is not None and before[1] == suggestion:
            time = min(time, before[0])  # the user has been reading it already
        self._tab = (time, suggestion, found)
        return time

    def makes(self, suggestion: Suggestion) -> bool:
        """Whether the recording goes on to make a next edit, now or after other edits."""
        change, text = self.context.edit_for(suggestion), self.context.changed_by(suggestion).text
        coming = islice(self._coming(), HORIZON)
        return making(change, text, coming, self._target(suggestion)).actions is not None

    def withdraw(self) -> None:
        """Remove the suggestion from the screen."""
        self._tab = None

    def accept(self, now: float | None = None) -> UserStep:
        """Press Tab on the shown suggestion, at ``now`` (default: the time from `offer`). Raises `ValueError`."""
        if self._tab is None:
            raise ValueError("no suggestion to accept: offer one that agrees first")
        return self.perform(now)

    def perform(self, now: float | None = None) -> UserStep:
        """Carry out the next step at ``now`` seconds (default: at its time). Raises `ValueError` at the end."""
        step = self.next_event()
        if step is None:
            raise ValueError("the session is over")
        if now is not None:
            step = replace(step, time=now)
        if self._tab is not None:
            part = self._target(self._tab[1])
            self._after_tab(step, self._tab[1], self._tab[2])
            self._row += 1
            self.closed = ()
        else:
            action = next(self._coming())
            part = action.part
            self._row = 0
            self._after_action(step)
            self._desk, self.closed = self._desk.at(action.t, part)
        self.changed = document = self._desk.open[part]
        for edit in step.edits:
            document = document.edited(edit)
        self._desk = self._desk.used(part, document)
        self._part, self.cursor = part, step.cursor
        self._tab = None
        return step

    def _after_tab(self, step: UserStep, suggestion: Suggestion, found: Agreement) -> None:
        """Count the Tab, skip the actions that it replaces, and continue in the recorded rhythm."""
        edit, document = self.context.edit_for(suggestion), self.context.changed_by(suggestion)
        start, stop = edit.offset, edit.offset + edit.delete
        changed = difference(document.text[start:stop], suggestion.text) or Edit(0, 0, "")
        self.tabs += 1
        self.keys += 1
        self.accepted_chars += len(changed.insert)
        if found.among:
            self._take_out(edit, document, found.actions, step)
            return
        *before, last = islice(self._coming(), found.actions)
        self.saved_keys += keys([*before, last], self.cursor, self._part) - len(found.remainder)
        earlier = before[-1].t if before else (self._actions[self._at - 1].t if self._at else last.t)
        self._skip(found.actions)
        self._shift = step.time - last.t
        if found.remainder:
            # The last action writes more than the suggestion. Its rest is typed after the action's gap.
            self._rest = Action(last.t, (Edit(step.cursor, 0, found.remainder),), last.cursor, part=last.part)
            self._shift += max(last.t - earlier, 0.0)

    def _take_out(self, change: Edit, document: Document, count: int, tab: UserStep) -> None:
        """Leave out of the next ``count`` actions what the Tab has done; the user makes their other edits."""
        coming = tuple(islice(self._coming(), count))
        part = self._desk.part(document.uri)
        left = remaining(change, document.text, coming, part)
        self.saved_keys += keys(coming, self.cursor, self._part) - keys(left, tab.cursor, part)
        self._shift = tab.time - (self._actions[self._at - 1].t if self._at else coming[0].t)
        after = self._at + count - (self._rest is not None)
        self._actions, self._rest = (*self._actions[: self._at], *left, *self._actions[after:]), None

    def _after_action(self, step: UserStep) -> None:
        """Count an action that is done as it was recorded."""
        action = next(self._coming())
        self.keys += keys([action], self.cursor, self._part)
        self.typed_chars += sum(len(edit.insert) for edit in step.edits)
        self._skip(1)

    def _target(self, suggestion: Suggestion) -> int:
        """The part of the document that a suggestion changes."""
        return self._desk.part(suggestion.edit.uri) if suggestion.edit else self._part

    def _coming(self) -> Iterator[Action]:
        if self._rest is not None:
            yield self._rest
        for at in range(self._at, len(self._actions)):
            yield self._actions[at]

    def _skip(self, actions: int) -> None:
        if self._rest is not None:
            self._rest, actions = None, actions - 1
        self._at += actions
