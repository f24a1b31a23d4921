"""The gate: which proposed edits are shown. Pure; times and probabilities come in as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.history import History, takes_back
from tabspec.edits.hunks import step_of
from tabspec.edits.reward import expected_reward
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, difference

# A proposer's own probability counts as much as four outcomes: after nine refusals in a row even 0.8 falls below one in
# four, and nothing of that source is shown.
_PRIOR = 4
# Refused at two places, the same change is not wanted at a third.
_SAME_CHANGE = 2
# As many as the engine keeps refused completions of a document: hours of work.
_MOST_REFUSALS = 256


@dataclass(frozen=True)
class Experience:
    """What became of the edits that this user was shown, by their source: (accepted, refused)."""

    outcomes: Mapping[EditSource, tuple[int, int]] = field(default_factory=dict)

    def after(self, edit: ProposedEdit, accepted: bool) -> Experience:
        """With one more outcome."""
        taken, refused = self.outcomes.get(edit.source, (0, 0))
        outcome = (taken + 1, refused) if accepted else (taken, refused + 1)
        return Experience({**self.outcomes, edit.source: outcome})

    def adjusted(self, edit: ProposedEdit) -> ProposedEdit:
        """``edit`` with the probability that experience leaves of its own: a mean of both."""
        taken, refused = self.outcomes.get(edit.source, (0, 0))
        probability = (_PRIOR * edit.probability + taken) / (_PRIOR + taken + refused)
        return replace(edit, probability=probability)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A change that is not wanted on the line that begins at ``offset``."""

    uri: str
    offset: int
    deleted: str
    inserted: str


@dataclass(frozen=True, slots=True)
class Refusals:
    """Edits that the user has refused or undone. Each stays with its line, whatever changes there or elsewhere."""

    kept: tuple[_Refusal, ...] = ()

    def refused(self, edit: ProposedEdit, document: Document) -> Refusals:
        """With ``edit``, which was offered for ``document``."""
        return self._with(step_of(document, edit.change))

    def undone(self, history: History) -> Refusals:
        """With the accepted edits that the last change of ``history`` has undone."""
        refusals = self
        for step in history.undone:
            refusals = refusals._with(step)
        return refusals

    def changed(self, uri: str, changes: Iterable[Edit]) -> Refusals:
        """After ``changes`` of a document, each applied to the result of the one before."""
        kept = self.kept
        for change in changes if kept else ():
            kept = tuple(_shifted(each, change) if each.uri == uri else each for each in kept)
        return Refusals(kept)

    def closed(self, uri: str) -> Refusals:
        """Without those of a document."""
        return Refusals(tuple(each for each in self.kept if each.uri != uri))

    def hold(self, edit: ProposedEdit, document: Document) -> bool:
        """Whether ``edit`` was refused or undone at this place, or the same change at two others."""
        if not self.kept:
            return False
        step = step_of(document, edit.change)
        if step is None:
            return False
        own = _refusal(step)
        same = [each for each in self.kept if (each.deleted, each.inserted) == (own.deleted, own.inserted)]
        return own in same or len(same) >= _SAME_CHANGE

    def _with(self, step: Step | None) -> Refusals:
        if step is None or _refusal(step) in self.kept:
            return self
        return Refusals((*self.kept, _refusal(step))[-_MOST_REFUSALS:])


def _refusal(step: Step) -> _Refusal:
    change = difference(step.old, step.new) or Edit(0, 0, "")
    deleted = step.old[change.offset : change.offset + change.delete]
    return _Refusal(step.uri, step.offset, deleted, change.insert)


def _shifted(refusal: _Refusal, change: Edit) -> _Refusal:
    stop = change.offset + change.delete
    if stop > refusal.offset or (change.insert and stop == refusal.offset and not change.insert.endswith("\n")):
        offset = min(refusal.offset, change.offset)
    else:
        offset = refusal.offset + len(change.insert) - change.delete
    return _Refusal(refusal.uri, offset, refusal.deleted, refusal.inserted)


def is_shown(
    edit: ProposedEdit, document: Document, cursor: tuple[Document, int], history: History, refusals: Refusals
) -> bool:
    """Whether ``edit`` of ``document`` may be shown to a user whose ``cursor`` is in that document, or in another, at
    that offset."""
    here, offset = cursor
    jumps = here.uri != edit.uri or not edit.change.offset <= offset <= edit.change.offset + edit.change.delete
    if expected_reward(edit.probability) <= 0 or refusals.hold(edit, document):
        return False
    if jumps and in_word(here, offset):
        return False
    return not undoes(edit, document, history)


def in_word(document: Document, offset: int) -> bool:
    """Whether a cursor is in the midst of a word: the user is at work there."""
    around = document.text[max(offset - 1, 0) : offset + 1]
    return offset > 0 and len(around) == 2 and all(char.isalnum() or char == "_" for char in around)


def undoes(edit: ProposedEdit, document: Document, history: History) -> bool:
    """Whether ``edit`` takes back what the user did: a step of the history, or a part of what the last one inserted."""
    step = step_of(document, edit.change)
    if step is None or takes_back(history.steps, step):
        return True
    last = history.steps[-1] if history.steps else None
    own = last and last.uri == edit.uri and difference(last.old, last.new)
    if not last or not own:
        return False
    start, stop = last.offset + own.offset, last.offset + own.end
    changed = edit.change
    return not changed.insert and start <= changed.offset and changed.offset + changed.delete <= stop
