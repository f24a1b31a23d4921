"""The gate: which proposed edits are shown. Pure; times and probabilities come in as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import accumulate

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.history import History, takes_back
from tabspec.edits.hunks import last_touched, merged, step_of
from tabspec.edits.reward import expected_reward
from tabspec.edits.step import Step, lines_with_ends
from tabspec.text import Document, Edit, difference, is_word

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
        """``edit`` with a mean of its own probability and of how often edits of its source were accepted."""
        taken, refused = self.outcomes.get(edit.source, (0, 0))
        probability = (_PRIOR * edit.probability + taken) / (_PRIOR + taken + refused)
        return replace(edit, probability=probability)


@dataclass(frozen=True, slots=True)
class _LineDifference:
    """A change of one line, where it begins to differ."""

    offset: int
    deleted: str
    inserted: str

    @property
    def change(self) -> tuple[str, str]:
        """The change, wherever it is."""
        return self.deleted, self.inserted


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A refused edit, as its parts. Another edit that has one of these parts is refused, too."""

    uri: str
    parts: tuple[_LineDifference, ...]


@dataclass(frozen=True, slots=True)
class Refusals:
    """Edits that the user has refused or undone. Each stays with the text at its place, whatever changes around it."""

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
            kept = tuple(
                _Refusal(uri, tuple(_shifted(part, change) for part in each.parts)) if each.uri == uri else each
                for each in kept
            )
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
        own = set(_parts(step))
        if any(own.intersection(each.parts) for each in self.kept if each.uri == step.uri):
            return True
        changes = {part.change for part in own}
        return sum(any(part.change in changes for part in each.parts) for each in self.kept) >= _SAME_CHANGE

    def _with(self, step: Step | None) -> Refusals:
        if step is None:
            return self
        refusal = _Refusal(step.uri, tuple(_parts(step)))
        if refusal in self.kept:
            return self
        return Refusals((*self.kept, refusal)[-_MOST_REFUSALS:])


def _parts(step: Step) -> Iterator[_LineDifference]:
    """The changes of a step, each line by itself. Where lines are added or removed, too, these are one more part."""
    old, new = lines_with_ends(step.old), lines_with_ends(step.new)
    starts = list(accumulate(map(len, old), initial=step.offset))
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for at, before, after in _pairs(old[i:j], new[k:m]):
            change = difference(before, after)
            if change is not None:
                deleted = before[change.offset : change.offset + change.delete]
                yield _LineDifference(starts[i + at] + change.offset, deleted, change.insert)


def _pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Lines that became others: the number in ``old`` of each, and its text before and after. Those without a
    counterpart come together. Of unequal numbers, lines are paired from the top and from the bottom: the lines that
    were added or removed may stand below the changed ones, or above them."""
    both = min(len(old), len(new))
    yield from zip(range(both), old, new, strict=False)
    yield both, "".join(old[both:]), "".join(new[both:])
    if both and len(old) != len(new):
        gone, come = len(old) - both, len(new) - both
        yield 0, "".join(old[:gone]), "".join(new[:come])
        yield from zip(range(gone, len(old)), old[gone:], new[come:], strict=True)


def _shifted(part: _LineDifference, change: Edit) -> _LineDifference:
    if change.offset + change.delete > part.offset:
        return replace(part, offset=min(part.offset, change.offset))
    return replace(part, offset=part.offset + len(change.insert) - change.delete)


def is_shown(
    edit: ProposedEdit, document: Document, cursor: tuple[Document, int], history: History, refusals: Refusals
) -> bool:
    """Whether ``edit`` of ``document`` may be shown. ``cursor``: the document that the user is in, and the offset."""
    here, offset = cursor
    jumps = here.uri != edit.uri or not edit.change.offset <= offset <= edit.change.offset + edit.change.delete
    if expected_reward(edit.probability) <= 0 or refusals.hold(edit, document):
        return False
    if jumps and in_word(here, offset):
        return False
    return not (undoes(edit, document, history) or repeats(edit, document, history))


def in_word(document: Document, offset: int) -> bool:
    """Whether a cursor is in the midst of a word: the user is at work there."""
    around = document.text[max(offset - 1, 0) : offset + 1]
    return offset > 0 and len(around) == 2 and all(map(is_word, around))


def undoes(edit: ProposedEdit, document: Document, history: History) -> bool:
    """Whether ``edit`` takes back what the user did: steps of the history, or a part of the last one."""
    step = step_of(document, edit.change)
    if step is None or takes_back(history.steps, step):
        return True
    touched = last_touched(history.steps, step)
    if touched is None:
        return False
    at, offset = touched
    later = (each for each in history.steps[at + 1 :] if each.uri == step.uri)
    if any(each.source is None for each in later):
        return False  # the last thing that the user did lies elsewhere
    return _is_nearer(history.steps[at], replace(step, offset=offset))


def _is_nearer(earlier: Step, step: Step) -> bool:
    """Whether less is left of what ``earlier`` changed once ``step`` is made."""
    whole = merged(earlier, step)
    return whole is None or _size(whole) < _size(earlier)


def _size(step: Step) -> int:
    change = difference(step.old, step.new)
    return change.delete + len(change.insert) if change else 0


def repeats(edit: ProposedEdit, document: Document, history: History) -> bool:
    """Whether ``edit`` makes a change where an accepted edit has made the same one. Without this, a chain might never
    end."""
    step = step_of(document, edit.change)
    if step is None:
        return True
    offset, deleted, inserted = _changed(step)
    for earlier in reversed(history.of(edit.uri)):
        if earlier.source is not None:
            start, *changed = _changed(earlier)
            beside = start <= offset < start + len(inserted) or (not deleted and offset == start + len(inserted))
            if beside and changed == [deleted, inserted]:
                return True
        if offset >= earlier.offset + len(earlier.new):
            offset -= len(earlier.new) - len(earlier.old)
    return False


def _changed(step: Step) -> tuple[int, str, str]:
    """Where the change of a step begins, what it deletes, and what it puts in."""
    change = difference(step.old, step.new) or Edit(0, 0, "")
    return step.offset + change.offset, step.old[change.offset : change.offset + change.delete], change.insert
