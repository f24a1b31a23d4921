"""What the user has refused, so that it is not offered again at that place."""

from __future__ import annotations

from cachetools import LRUCache

from tabspec.cache.digests import digest
from tabspec.context import EditContext
from tabspec.suggestion import Suggestion


class Rejections:
    """Remembers refused futures: the document and cursor that an accept would have led to.

    So the rest of a refused suggestion stays refused while it is being typed, and the same words at another place, or
    after a change elsewhere in the document, are not affected.
    """

    # A refusal matters for minutes; 256 of them a document are hours of work. More documents than these are not worked
    # on at a time; a bound, because a refusal may be heard after its document was closed.
    _MOST = 256
    _DOCUMENTS = 256

    def __init__(self) -> None:
        self._futures: LRUCache[str, LRUCache[tuple[int, int], bool]] = LRUCache(self._DOCUMENTS)

    def add(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user refused this here."""
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
