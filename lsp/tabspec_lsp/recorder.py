"""Records sessions for replay (``--record DIR``), in the session format of `tabspec replay`. Off by default.

One file for each document that is edited, readable by the owner only, appended to event by event, so that what was
recorded survives a crash. Bounded: a file that has grown too large is followed by a new one that starts with the text
of then, and recording ends when the folder is full.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tabspec.context import EditContext
from tabspec.engine.question import base_name
from tabspec.text import Document
from tabspec_lsp.documents import Changed
from tabspec_lsp.offers import Heard, Offer

log = logging.getLogger(__name__)

# A day of typing makes about a megabyte (60 bytes a keystroke); sessions much longer than that are slow to replay.
FILE_BYTES = 16 << 20
FOLDER_BYTES = 512 << 20


@dataclass(slots=True)
class _File:
    file: BinaryIO
    size: int


class Recorder:
    """Writes session files into ``folder``, which is made if it is not there.

    ``full`` is called once, with a line for the user, when nothing more can be recorded. Times are seconds since the
    recorder was made. Raises OSError if the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        full: Callable[[str], None] = log.warning,
        *,
        file_bytes: int = FILE_BYTES,
        folder_bytes: int = FOLDER_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._full, self._clock = full, clock
        self._file_bytes = file_bytes
        self._left = folder_bytes - sum(path.stat().st_size for path in folder.glob("*.jsonl*"))
        self._start = clock()
        self._open: dict[str, _File | None] = {}  # None: nothing was edited yet
        self._stamp = time.strftime("%Y%m%d-%H%M%S")
        self._made = 0

    def opened(self, document: Document) -> None:
        """Record this document from its first edit on."""
        self.closed(document.uri)
        self._open[document.uri] = None

    def closed(self, uri: str) -> None:
        """Record it no more."""
        found = self._open.pop(uri, None)
        if found:
            found.file.close()

    def close(self) -> None:
        """Close all files."""
        for uri in list(self._open):
            self.closed(uri)

    def changed(self, changed: Changed) -> None:
        """The edits of one didChange."""
        uri = changed.after.uri
        if uri not in self._open or not changed.edits:
            return
        found = self._open[uri]
        if found is None or found.size > self._file_bytes:
            self._begin(changed.before)
        edits = [{"offset": each.offset, "delete": each.delete, "insert": each.insert} for each in changed.edits]
        self._write(uri, {"t": self._now(), "edits": edits})

    def requested(self, context: EditContext) -> None:
        """A request for a suggestion."""
        self._mark(context.uri, "request", cursor=context.offset)

    def shown(self, offer: Offer) -> None:
        """A suggestion is on the screen."""
        self._mark(
            offer.context.uri,
            "show",
            cursor=offer.context.offset,
            id=offer.id,
            text=offer.suggestion.text,
            replace_before=offer.suggestion.replace_before,
            replace_after=offer.suggestion.replace_after,
            source=offer.source.value,
            waited_ms=round(offer.waited * 1000, 3),
        )

    def heard(self, heard: Heard) -> None:
        """A suggestion, or a part of it, was accepted or refused. The edit that it made follows."""
        self._mark(
            heard.context.uri,
            heard.outcome.value,
            cursor=heard.context.offset,
            id=heard.offer.id,
            text=heard.suggestion.text,
        )

    def _mark(self, uri: str, kind: str, **data: Any) -> None:
        # Nothing is written of a document that was only looked at.
        if self._open.get(uri):
            self._write(uri, {"t": self._now(), "kind": kind, **data})

    def _now(self) -> float:
        return round(self._clock() - self._start, 4)

    def _begin(self, document: Document) -> None:
        self.opened(document)
        self._made += 1
        name = re.sub(r"[^\w.-]+", "_", base_name(document.uri))[:60] or "untitled"
        path = self.folder / f"{self._stamp}-{os.getpid()}-{self._made:03d}-{name}.jsonl"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self._stop(f"{path} cannot be written ({error.strerror})")
            return
        self._open[document.uri] = _File(os.fdopen(fd, "wb", buffering=0), 0)
        header = {"format": "tabspec-session", "version": 1, "source": "tabspec-lsp", "licence": ""}
        self._write(document.uri, header | {"language": document.language, "uri": document.uri, "text": document.text})

    def _write(self, uri: str, item: dict[str, Any]) -> None:
        found = self._open.get(uri)
        if found is None:
            return
        line = (json.dumps(item) + "\n").encode("ascii")
        if len(line) > self._left:
            self._stop(f"{self.folder} holds as much as it may")
            return
        try:
            found.file.write(line)
        except OSError as error:
            self._stop(f"{self.folder} cannot be written ({error.strerror})")
            return
        found.size += len(line)
        self._left -= len(line)

    def _stop(self, problem: str) -> None:
        self.close()
        self._full(f"Recording has ended: {problem}.")
