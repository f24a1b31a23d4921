"""What the user has rejected, so that it is not offered again at that place."""

from __future__ import annotations

from cachetools import LRUCache

from tabspec.cache.digests import digest
from tabspec.context import EditContext
from tabspec.suggestion import Suggestion


class Rejections:
    """Remembers, for each rejected suggestion, the document and cursor that an accept would have led to.

    So the rest of a rejected suggestion stays rejected while the user types it. The same text at another place, or
    after a change elsewhere in the document, is not affected.
    """

    # A rejection matters for minutes; 256 in a document are hours of work. The number of documents is bounded because
    # a rejection may arrive after its document was closed.
    _MOST = 256
    _DOCUMENTS = 256

    def __init__(self) -> None:
        self._futures: LRUCache[str, LRUCache[tuple[int, int], bool]] = LRUCache(self._DOCUMENTS)

    def add(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user rejected this suggestion here."""
        self._futures.setdefault(context.uri, LRUCache(self._MOST))[_future(context, suggestion)] = True

    def __contains__(self, offered: tuple[EditContext, Suggestion]) -> bool:
        context, suggestion = offered
        refused = self._futures.get(context.uri)
        return refused is not None and _future(context, suggestion) in refused

    def closed(self, uri: str) -> None:
        """The document is closed: forget."""
        self._futures.pop(uri, None)


def _future(context: EditContext, suggestion: Suggestion) -> tuple[int, int]:
    after = context.after_accept(suggestion)
    return after.offset, digest(after.document.text)
