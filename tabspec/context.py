"""The edit context: a document snapshot and a cursor, and pure functions for the states that follow it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from tabspec.edits.edit import EditSource
from tabspec.edits.history import History
from tabspec.errors import PositionError
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit

# Proposals look through every document of a context; more documents than these are rarely worked on at a time.
MOST_OTHERS = 8


@dataclass(frozen=True)
class EditContext:
    """What a request is about: a snapshot, the cursor's offset in it (code points), and the edits that led here.

    ``history`` is None where no history is kept: then no next edits are offered. ``others`` are the other open
    documents that next edits may change, the last used first (at most `MOST_OTHERS`). Raises `PositionError` if the
    cursor lies outside the document.
    """

    document: Document
    offset: int
    history: History | None = field(default=None, compare=False, repr=False)
    others: tuple[Document, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.offset <= len(self.document.text):
            raise PositionError(f"cursor {self.offset} lies outside a document of {len(self.document.text)} characters")

    @cached_property
    def prefix(self) -> str:
        """Text before the cursor."""
        return self.document.text[: self.offset]

    @cached_property
    def suffix(self) -> str:
        """Text after the cursor."""
        return self.document.text[self.offset :]

    @property
    def uri(self) -> str:
        return self.document.uri

    def same_place(self, other: EditContext) -> bool:
        """Same document, text and cursor; versions do not matter."""
        return self.offset == other.offset and self.uri == other.uri and self.document.text == other.document.text

    def edit_for(self, suggestion: Suggestion) -> Edit:
        """The edit that accepting ``suggestion`` here makes. Raises `PositionError` if it does not fit."""
        if suggestion.edit is not None:
            return suggestion.edit.change
        before, after = suggestion.replace_before, suggestion.replace_after
        if before > self.offset or after > len(self.document.text) - self.offset:
            raise PositionError(
                f"a suggestion that replaces {before} characters before and {after} after the cursor does not fit at "
                f"{self.offset} of {len(self.document.text)}"
            )
        return Edit(self.offset - before, before + after, suggestion.text)

    def changed_by(self, suggestion: Suggestion) -> Document:
        """The document that accepting ``suggestion`` changes. Raises `PositionError` if it is not open."""
        return self._in(suggestion.edit.uri).document if suggestion.edit else self.document

    def after_accept(self, suggestion: Suggestion) -> EditContext:
        """The state after the user accepts ``suggestion``: the cursor is after the inserted text, or where a next edit
        puts it."""
        edit = suggestion.edit
        if edit is None:
            return self._after(self.edit_for(suggestion), accepted=True)
        return self._in(edit.uri)._after(edit.change, edit.cursor, accepted=True, source=edit.source)

    def after_typing(self, typed: str) -> EditContext:
        """The state after the user types ``typed`` at the cursor."""
        return self._after(Edit(self.offset, 0, typed))

    def _after(
        self, edit: Edit, cursor: int | None = None, accepted: bool = False, source: EditSource | None = None
    ) -> EditContext:
        document, history = self.document.edited(edit), self.history
        if history is not None:
            # An accept is a step of its own at any time; what is typed goes on with the last moment.
            history = history.changed(self.document, [edit], document, history.time, accepted, source)
        return EditContext(document, edit.end if cursor is None else cursor, history, self.others)

    def _in(self, uri: str) -> EditContext:
        """The state after the user goes to the start of another document. Raises `PositionError` if it is unknown."""
        if uri == self.uri:
            return self
        for other in self.others:
            if other.uri == uri:
                rest = tuple(each for each in self.others if each is not other)
                return EditContext(other, 0, self.history, (self.document, *rest))
        raise PositionError(f"an edit of {uri}, which is not open")

    def typed_since(self, earlier: EditContext) -> str | None:
        """What was typed at the cursor since ``earlier``; None if anything else happened between the two."""
        if self.uri != earlier.uri or self.offset < earlier.offset:
            return None
        if self.suffix != earlier.suffix or not self.prefix.startswith(earlier.prefix):
            return None
        return self.prefix[earlier.offset :]
