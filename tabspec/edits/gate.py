"""The gate: which proposed edits are shown. Pure; times and probabilities come in as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tabspec.edits.edit import ProposedEdit
from tabspec.edits.history import History, takes_back
from tabspec.edits.hunks import step_of
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, difference

# The published reward of Cursor's Tab: what an accepted and a refused suggestion are worth, where silence is worth 0.
ACCEPTED = 0.75
REFUSED = -0.25
# As many as the engine keeps refused completions of a document: hours of work.
_MOST_REFUSALS = 256


def reward(probability: float) -> float:
    """The expected reward of showing an edit that is taken with this probability; it is shown if that is above 0."""
    return ACCEPTED * probability + REFUSED * (1 - probability)


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
        """Whether ``edit`` was refused or undone at this place."""
        if not self.kept:
            return False
        step = step_of(document, edit.change)
        return step is not None and _refusal(step) in self.kept

    def _with(self, step: Step | None) -> Refusals:
        return self if step is None else Refusals((*self.kept, _refusal(step))[-_MOST_REFUSALS:])


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
    edit: ProposedEdit, document: Document, cursor: tuple[str, int], history: History, refusals: Refusals
) -> bool:
    """Whether ``edit`` of ``document`` may be shown to a user whose ``cursor`` is at this offset of this document."""
    uri, offset = cursor
    jumps = uri != edit.uri or not edit.change.offset <= offset <= edit.change.offset + edit.change.delete
    if reward(edit.probability) <= 0 or refusals.hold(edit, document):
        return False
    if jumps and uri == document.uri and in_word(document, offset):
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
