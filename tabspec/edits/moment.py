"""A moment: all changes of one document that carry one time stamp, however many messages brought them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tabspec.edits.edit import EditSource
from tabspec.edits.hunks import Hunk, composed, steps_of
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, difference

# More changes than these in one moment are a formatter's or a tool's; people have about ten cursors at most. It also
# bounds the work: each change is compared with the ranges before it.
_MOST_CHANGES = 64
_MOST_PLACES = 16
# The longest identifiers that a completion list inserts have about 40 characters; what is longer was pasted.
_TYPED_CHARS = 64
# A person selects a function and deletes it: long ones have about 200 lines.
_DELETED_LINES = 200


@dataclass(frozen=True)
class Moment:
    """The document around the changes, and where it changed. ``hunks`` is None where there were too many changes."""

    before: Document
    after: Document
    hunks: tuple[Hunk, ...] | None
    time: float
    accepted: bool = False
    count: int = 0
    source: EditSource | None = None  # what proposed it, if it is a next edit that was accepted

    def then(self, edits: Sequence[Edit], after: Document) -> Moment:
        """The moment with further changes, which lead to ``after``."""
        count, hunks = self.count + len(edits), self.hunks
        if count > _MOST_CHANGES:
            hunks = None
        for edit in edits if hunks is not None else ():
            hunks = composed(hunks or (), edit)
        return replace(self, after=after, hunks=hunks, count=count)

    @cached_property
    def ranges(self) -> tuple[Hunk, ...]:
        """Where the document changed; one range from the first change to the last where there were too many."""
        if self.hunks is not None:
            return self.hunks
        whole = difference(self.before.text, self.after.text)
        return composed((), whole) if whole else ()

    def since(self, text: str) -> list[Edit] | None:
        """Its changes, to be applied one after another to ``text``; None if they were not made to this text."""
        if text != self.before.text:
            return None
        new = self.after.text
        return [Edit(each.start, each.stop - each.start, new[each.new_start : each.new_stop]) for each in self.ranges][
            ::-1
        ]

    def steps(self) -> list[Step]:
        """Its changes as steps of whole lines, to be applied one after another."""
        typed = self.accepted or self._typed()
        found = steps_of(self.before, self.after, self.ranges)
        return [replace(step, accepted=self.accepted, typed=typed, source=self.source) for step in found]

    def _typed(self) -> bool:
        """Whether a person may have made these changes by hand: no paste, no formatter, no other file on disk."""
        hunks = self.hunks
        if hunks is None or len(hunks) > _MOST_PLACES:
            return False
        inserted = [self.after.text[hunk.new_start : hunk.new_stop] for hunk in hunks]
        deleted = [self.before.text[hunk.start : hunk.stop] for hunk in hunks]
        if len(hunks) > 1 and not any(text.strip() for text in (*inserted, *deleted)):
            return False  # white space at several places: a formatter
        if any(len(text) > _TYPED_CHARS or (text.count("\n") > 1 and text.strip()) for text in inserted):
            return False
        return all(text.count("\n") <= _DELETED_LINES for text in deleted)
