"""The client's edit history, and the contexts that next edits are computed for."""

from __future__ import annotations

from collections.abc import Callable

from tabspec.context import MOST_OTHERS, EditContext
from tabspec.edits.history import EMPTY, History
from tabspec.suggestion import Suggestion
from tabspec.text import Document
from tabspec_lsp.state.documents import DocumentChange, Documents

# Longer texts get no proposals (tabspec/edits/proposals/propose.py), so there is no use in keeping their changes.
MOST_CHARS = 120_000


class EditLog:
    """Keeps the edit history over all open documents, except those that are ``ignored`` (a URI) or very long.

    The steps of a document that is closed, ignored or out of step are dropped. `History` bounds the rest.
    """

    def __init__(self, documents: Documents, ignored: Callable[[str], bool]) -> None:
        self.history: History = EMPTY
        self._documents, self._ignored = documents, ignored
        self._used: dict[str, None] = {}  # URIs, the last used last

    def opened(self, document: Document) -> None:
        """A document was opened."""
        self.history = self.history.opened(document)
        self.used(document.uri)

    def changed(self, changed: DocumentChange, time: float, accepted: Suggestion | None) -> None:
        """A document has changed at ``time`` (seconds). ``accepted``: the suggestion that the user took, if any."""
        uri = changed.after.uri
        if self._ignored(uri) or len(changed.after.text) > MOST_CHARS:
            self.dropped(uri)
            return
        source = accepted.edit.source if accepted and accepted.edit else None
        self.history = self.history.changed(
            changed.before, changed.edits, changed.after, time, accepted is not None, source
        )
        self.used(uri)

    def used(self, uri: str) -> None:
        """The user is in this document now."""
        self._used.pop(uri, None)
        self._used[uri] = None

    def dropped(self, uri: str) -> None:
        """Forget this document."""
        self._used.pop(uri, None)
        if uri in self.history.texts:
            self.history = self.history.without(lambda each: each == uri)

    def purge(self) -> None:
        """Forget the documents that are ignored now."""
        self._used = {uri: None for uri in self._used if not self._ignored(uri)}
        self.history = self.history.without(self._ignored)

    def context(self, document: Document, offset: int) -> EditContext:
        """The context at ``offset`` with the history and the other open documents, the last used first."""
        self.used(document.uri)
        others: list[Document] = []
        for uri in reversed(self._used):
            other = self._documents.get(uri)
            if other and uri != document.uri and len(other.text) <= MOST_CHARS and not self._ignored(uri):
                others.append(other)
            if len(others) == MOST_OTHERS:
                break
        return EditContext(document, offset, self.history, tuple(others))
