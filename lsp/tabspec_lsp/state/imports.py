"""The files that open documents import, read in the background and kept for the engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from tabspec.engine.neighbours import Neighbours
from tabspec.text import Document, Edit
from tabspec_lsp.state.documents import DocumentChange, Documents
from tabspec_lsp.state.timers import Timers
from tabspec_lsp.threads import in_thread

# Words of import statements in the languages of tabspec.prompt.imports.
_WORDS = re.compile(r"\b(?:import|from|require|use|mod|include)\b")
# A user types an import within seconds. This pause avoids reading files for half a name.
_REST_S = 0.5


class Imports:
    """Reads the files that documents import: when a document is opened, and when one of its import lines changes.

    Later changes on disk are noticed when the document is opened again. Must be created inside the running loop.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        documents: Documents,
        folders: Callable[[], list[Path]],
        ignored: Callable[[str], bool],
    ) -> None:
        self._neighbours, self._documents, self._folders, self._ignored = neighbours, documents, folders, ignored
        self._timers = Timers(_REST_S)
        self._tasks: set[asyncio.Task[None]] = set()

    def opened(self, document: Document) -> None:
        """Read the files that a document imports."""
        self._timers.stop(document.uri)
        if self._neighbours.chars and self._folders() and not self._ignored(document.uri):
            task = asyncio.ensure_future(self._read(document))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def changed(self, changed: DocumentChange) -> None:
        """Read the imports again after a pause in typing, if an import line was changed."""
        uri = changed.after.uri
        if self._neighbours.chars and any(_imports(changed.after, edit) for edit in changed.edits):
            self._timers.start(uri, lambda: self._again(uri))

    def close(self, uri: str | None = None) -> None:
        """Read nothing more for a document (None: for any)."""
        if uri is not None:
            self._timers.stop(uri)
            return
        self._timers.close()
        for task in self._tasks:
            task.cancel()

    def _again(self, uri: str) -> None:
        if document := self._documents.get(uri):
            self.opened(document)

    async def _read(self, document: Document) -> None:
        from tabspec.prompt.imported import read_imported  # imports pathspec, which takes 30 ms

        found = await in_thread(read_imported, document, self._folders(), self._ignored)
        # The ignore rules may have changed in the meantime.
        if self._documents.get(document.uri) and not self._ignored(document.uri):
            self._neighbours.imports(document.uri, [each for each in found if not self._ignored(each.uri)])


def _imports(document: Document, edit: Edit) -> bool:
    """Whether an edit changed an import line. It looks at the text after all edits, which is close enough."""
    text, start = document.text, min(edit.offset, len(document.text))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", min(edit.end, len(text)))
    return bool(_WORDS.search(text, first, last if last >= 0 else len(text)))
