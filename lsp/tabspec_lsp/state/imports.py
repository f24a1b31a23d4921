"""The files that open documents import, read in the background and kept for the engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from tabspec.engine.neighbours import Neighbours
from tabspec.text import Document, Edit
from tabspec_lsp.aside import in_thread
from tabspec_lsp.state.documents import Changed, Documents

# Words of lines that import something, in the languages that tabspec.prompt.imports knows.
_WORDS = re.compile(r"\b(?:import|from|require|use|mod|include)\b")
# An import is typed in a few seconds; what is named half is not looked for.
_REST_S = 0.5


class Imports:
    """Reads what documents import: when they are opened, and when a line that imports has changed.

    What has changed on disk since is read when the document is opened anew. To be made inside the running loop.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        documents: Documents,
        folders: Callable[[], list[Path]],
        ignored: Callable[[str], bool],
    ) -> None:
        self._neighbours, self._documents, self._folders, self._ignored = neighbours, documents, folders, ignored
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def opened(self, document: Document) -> None:
        """Read what a document imports."""
        self._stop(document.uri)
        if self._neighbours.chars and self._folders() and not self._ignored(document.uri):
            task = asyncio.ensure_future(self._read(document))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def changed(self, changed: Changed) -> None:
        """Read it again once the user rests, if an import was changed."""
        uri = changed.after.uri
        if self._neighbours.chars and any(_imports(changed.after, edit) for edit in changed.edits):
            self._stop(uri)
            self._timers[uri] = asyncio.get_running_loop().call_later(_REST_S, self._again, uri)

    def close(self, uri: str | None = None) -> None:
        """Read nothing more for a document (None: for any)."""
        for name in [uri] if uri is not None else list(self._timers):
            self._stop(name)
        for task in self._tasks if uri is None else ():
            task.cancel()

    def _stop(self, uri: str) -> None:
        if timer := self._timers.pop(uri, None):
            timer.cancel()

    def _again(self, uri: str) -> None:
        if document := self._documents.get(uri):
            self.opened(document)

    async def _read(self, document: Document) -> None:
        from tabspec.prompt.imported import read_imported  # with pathspec, which takes 30 ms

        found = await in_thread(read_imported, document, self._folders(), self._ignored)
        # Rules can have changed while they were read.
        if self._documents.get(document.uri) and not self._ignored(document.uri):
            self._neighbours.imports(document.uri, [each for each in found if not self._ignored(each.uri)])


def _imports(document: Document, edit: Edit) -> bool:
    """Whether a line that an edit has changed imports something. Judged by the text after all edits, which is near
    enough: a read too many or too few does no harm."""
    text, start = document.text, min(edit.offset, len(document.text))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", min(edit.end, len(text)))
    return bool(_WORDS.search(text, first, last if last >= 0 else len(text)))
