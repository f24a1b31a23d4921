"""The documents that related code is taken from: open ones, and those that a document imports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from tabspec.context import EditContext
from tabspec.engine.prompt_state import base_name
from tabspec.models.protocol import RelatedText
from tabspec.prompt.pieces import Piece, pieces
from tabspec.prompt.related import LONGEST_PIECE, MOST_CHARS, Pieces, asked_with
from tabspec.prompt.window import Window
from tabspec.text import Document


class Neighbours:
    """Open documents, and those that each document imports. At most ``chars`` characters of them are shown (0: none).

    Related code is a function of these documents and of the prompt's window. It is computed again only if one of them
    changes.
    """

    def __init__(self, chars: int) -> None:
        self.chars = chars
        self._open: dict[str, Document] = {}
        self._imported: dict[str, dict[str, Document]] = {}
        # More documents than are open at a time; old texts of the edited one are evicted.
        self._taken_apart = lru_cache(maxsize=64)(_pieces)
        self._gathered = lru_cache(maxsize=8)(self._gather)
        self._chosen = lru_cache(maxsize=64)(self._choose)

    def opened(self, document: Document) -> None:
        """A document is open, or its text has changed."""
        self._open[document.uri] = document

    def closed(self, uri: str) -> None:
        """A document was closed, or its text is no longer known."""
        self._open.pop(uri, None)
        self._imported.pop(uri, None)

    def imports(self, uri: str, documents: Iterable[Document]) -> None:
        """The documents that a document imports. For an open document, its open text counts, not the one on disk."""
        self._imported[uri] = {document.uri: document for document in documents}

    def purge(self, ignored: Callable[[str], bool]) -> None:
        """Remove all text of documents that are ``ignored`` now."""
        self._open = {uri: document for uri, document in self._open.items() if not ignored(uri)}
        self._imported = {
            uri: {name: document for name, document in documents.items() if not ignored(name)}
            for uri, documents in self._imported.items()
            if not ignored(uri)
        }
        for derived in (self._taken_apart, self._gathered, self._chosen):
            derived.cache_clear()

    def related(self, context: EditContext, window: Window) -> tuple[RelatedText, ...]:
        """The related code that the model is shown with a window."""
        if not self.chars:
            return ()
        around = self._imported.get(context.uri, {}) | self._open
        around.pop(context.uri, None)
        if not around:
            return ()
        texts = tuple((uri, document.text) for uri, document in sorted(around.items()))
        return self._chosen(texts, *asked_with(window), self.chars)

    def _choose(
        self, texts: tuple[tuple[str, str], ...], before: str, after: str, chars: int
    ) -> tuple[RelatedText, ...]:
        best = self._gathered(texts).best((before, after), chars)
        return tuple(RelatedText(piece.path, piece.text) for piece in best)

    def _gather(self, texts: tuple[tuple[str, str], ...]) -> Pieces:
        return Pieces(piece for uri, text in texts for piece in self._taken_apart(uri, text))


def _pieces(uri: str, text: str) -> tuple[Piece, ...]:
    return pieces(base_name(uri), text, LONGEST_PIECE) if len(text) <= MOST_CHARS else ()
