"""The open documents, as immutable snapshots: each change of the client makes a new one.

A document whose text is uncertain is *out of step*: after a change outside of it, versions in the wrong order, or a
message that could not be read. It has no snapshot, and gets no suggestions, until the client sends its whole text.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tabspec.errors import PositionError
from tabspec.text import Document, Edit, Position, PositionEncoding, difference

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TextRange:
    """Two positions, in units of the negotiated encoding."""

    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class ContentChange:
    """One content change: ``text`` replaces ``range``, or the whole document if there is none."""

    text: str
    range: TextRange | None = None


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A didChange: the snapshots before and after it, and its edits, each applied to the result of the previous one."""

    before: Document
    after: Document
    edits: tuple[Edit, ...]


@dataclass(slots=True)
class _OpenDocument:
    document: Document
    in_step: bool = True


@dataclass
class Documents:
    """The open documents by URI. ``encoding`` is that of all positions."""

    encoding: PositionEncoding = PositionEncoding.UTF16
    _open: dict[str, _OpenDocument] = field(default_factory=dict)

    def get(self, uri: str) -> Document | None:
        """The snapshot of a document; None if it is not open, or out of step."""
        found = self._open.get(uri)
        return found.document if found and found.in_step else None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def out_of_step(self) -> list[str]:
        """URIs of the documents whose text is uncertain."""
        return [uri for uri, found in self._open.items() if not found.in_step]

    @property
    def in_step(self) -> list[str]:
        """URIs of the documents whose text is known."""
        return [uri for uri, found in self._open.items() if found.in_step]

    def described(self, uri: str) -> dict[str, Any] | None:
        """Version, length and digest of a document, or None. Tests of clients compare them with the editor's text."""
        document = self.get(uri)
        if document is None:
            return None
        digest = hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()
        return {"version": document.version, "characters": len(document.text), "sha256": digest}

    def open(self, document: Document) -> None:
        """A document was opened. If it was open and out of step, its text is known again."""
        self._open[document.uri] = _OpenDocument(document)

    def close(self, uri: str) -> bool:
        """A document was closed. False if it was not open."""
        return self._open.pop(uri, None) is not None

    def distrust(self, uri: str) -> None:
        """A change of this document may have been lost."""
        if uri in self._open:
            self._open[uri].in_step = False

    def change(self, uri: str, version: int | None, changes: Iterable[ContentChange]) -> DocumentChange | None:
        """Apply the changes of one didChange, each to the result of the previous one.

        None if the document is not open, or is out of step afterwards. A version must be higher than the previous one;
        clients may also send none.
        """
        found = self._open.get(uri)
        if found is None:
            log.warning("a change of %s, which is not open, was ignored", uri)
            return None
        before = found.document
        number = before.version + 1 if version is None else version
        if number <= before.version:
            log.warning("%s: version %d came after version %d", uri, number, before.version)
            found.in_step = False
            return None
        after, edits = before, list[Edit]()
        try:
            for change in changes:
                if change.range is None:
                    found.in_step = True
                    edit = difference(after.text, change.text)
                elif found.in_step:
                    edit = self._edit(after, change.range, change.text)
                else:
                    edit = None
                if edit is not None:
                    after = after.edited(edit, number)
                    edits.append(edit)
        except PositionError as error:
            log.warning("%s: %s", uri, error)
            found.in_step = False
        found.document = after if edits else after.edited(Edit(0, 0, ""), number)
        return DocumentChange(before, found.document, tuple(edits)) if found.in_step else None

    def _edit(self, document: Document, where: TextRange, text: str) -> Edit:
        """A ranged change as an edit. Raises `PositionError` if it starts outside of the document.

        An end after the document's end means its end: some clients send that for "to the end".
        """
        start = document.offset(where.start, self.encoding)
        beyond = where.end.line >= document.line_count
        end = len(document.text) if beyond else document.offset(where.end, self.encoding)
        if end < start:
            raise PositionError(f"a range that ends before it starts: {where.start} to {where.end}")
        return Edit(start, end - start, text)
