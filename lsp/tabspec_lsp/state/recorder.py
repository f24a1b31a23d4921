"""Records sessions for replay (``--record DIR``), in the session format of `tabspec replay`. Off by default.

Each edited document has a file that only the owner can read. Each event is written at once, so recordings survive a
crash. A file at its size limit is followed by a new one with the current text. Recording ends when the folder is
full.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EACCES
from pathlib import Path
from typing import Any, BinaryIO

from tabspec.context import EditContext
from tabspec.engine.prompt_state import base_name
from tabspec.suggestion import Suggestion
from tabspec.text import Document
from tabspec_lsp.state.documents import DocumentChange
from tabspec_lsp.state.offers import Offer, OfferOutcome

log = logging.getLogger(__name__)

# A day of typing takes about a megabyte, 60 bytes for a keystroke. Much longer sessions are slow to replay.
FILE_BYTES = 16 << 20
FOLDER_BYTES = 512 << 20
# Seconds: times are written with four digits.
_TICK = 0.0001


@dataclass(slots=True)
class _RecordedDocument:
    """A document. Before its first edit there is no file, and ``before`` keeps the last events."""

    file: BinaryIO | None = None
    size: int = 0
    cursor: int | None = None  # as a reader of the file would compute it
    opened: float = 0.0  # since when the document has the text that its file will begin with
    before: deque[dict[str, Any]] = field(
        default_factory=lambda: deque(maxlen=16)
    )  # a few requests with their suggestions


class Recorder:
    """Writes session files into ``folder``, which is created if needed. Raises OSError if it cannot be used.

    When nothing more can be recorded, ``full`` is called once with a line for the user, and ``ended`` becomes true.
    Times are seconds since the recorder was created. ``file_bytes`` and ``folder_bytes`` are limits.
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
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, "no file can be written there", str(folder))
        self.folder = folder
        self.ended = False
        self._full, self._clock = full, clock
        self._file_bytes = file_bytes
        self._left = folder_bytes - sum(path.stat().st_size for path in folder.glob("*.jsonl*"))
        self._start = clock()
        self._open: dict[str, _RecordedDocument] = {}
        self._paths: dict[str, list[Path]] = {}  # files of this recorder, by document
        self._name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._last = ""  # the document of the last event
        self._time = self._earlier = -1.0  # of the last event, and of the last one in another document
        self._made = 0

    def opened(self, document: Document) -> None:
        """Record this document from its first edit on."""
        self.closed(document.uri)
        if not self.ended:
            self._open[document.uri] = _RecordedDocument(opened=max(self._now(), self._time))

    def closed(self, uri: str) -> None:
        """Stop recording this document."""
        found = self._open.get(uri)
        if found and found.file:
            self._mark(uri, "close")
        self._leave(uri)

    def _leave(self, uri: str) -> None:
        found = self._open.pop(uri, None)
        if found and found.file:
            found.file.close()

    def purge(self, ignored: Callable[[str], bool]) -> None:
        """Stop recording documents that are ``ignored`` now, and delete their files of this recorder."""
        for uri in [uri for uri in {*self._open, *self._paths} if ignored(uri)]:
            self._leave(uri)
            for path in self._paths.pop(uri, ()):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    log.warning("%s holds text of a file that is ignored now; delete it (%s)", path, error.strerror)

    def close(self) -> None:
        """Close all files."""
        for uri in list(self._open):
            self._leave(uri)

    def changed(self, changed: DocumentChange) -> None:
        """Record the edits of a didChange."""
        found = self._open.get(changed.after.uri)
        if found is None or not changed.edits:
            return
        if found.file is None or found.size > self._file_bytes:
            found = self._begin(found, changed.before)
        if found is not None:
            edits = [{"offset": each.offset, "delete": each.delete, "insert": each.insert} for each in changed.edits]
            found.cursor = changed.edits[-1].end
            self._write(found, {"t": self._stamp(changed.after.uri), "edits": edits})

    def requested(self, context: EditContext) -> None:
        """Record a request for a suggestion. It has the cursor, which edits alone do not always show."""
        found = self._open.get(context.uri)
        if found is not None and (found.cursor != context.offset or self._last != context.uri):
            found.cursor = context.offset
            self._mark(context.uri, "select", cursor=context.offset)
        self._mark(context.uri, "request", cursor=context.offset)

    def shown(self, offer: Offer) -> None:
        """Record that a suggestion is on the screen. A next edit is recorded with the document that it changes."""
        suggestion = offer.suggestion
        self._mark(
            offer.uri,
            "show",
            cursor=offer.context.offset,
            id=offer.id,
            text=suggestion.text,
            replace_before=suggestion.replace_before,
            replace_after=suggestion.replace_after,
            source=offer.source.value,
            waited_ms=round(offer.waited * 1000, 3),
            **_edit(suggestion),
        )

    def jumped(self, offer: Offer) -> None:
        """Record that the cursor was moved to a next edit."""
        self._mark(offer.uri, "jump", cursor=offer.change.offset, id=offer.id)

    def ended_offer(self, outcome: OfferOutcome) -> None:
        """Record that a suggestion, or a part of it, was accepted or rejected.

        The edit of an accept is the next event. If the client reported it late, the edit is the previous event, and the
        mark is ``late``.
        """
        self._mark(
            outcome.offer.uri,
            outcome.kind.value,
            cursor=outcome.context.offset,
            id=outcome.offer.id,
            text=outcome.suggestion.text,
            **_edit(outcome.suggestion),
            **({"late": True} if outcome.late else {}),
        )

    def _mark(self, uri: str, kind: str, **data: Any) -> None:
        found = self._open.get(uri)
        if found is not None:
            self._write(found, {"t": self._stamp(uri), "kind": kind, **data})

    def _now(self) -> float:
        return round(self._clock() - self._start, 4)

    def _stamp(self, uri: str) -> float:
        """The time of an event in a document: later than the last event in another one, so that their order is kept."""
        if uri != self._last:
            self._earlier, self._last = self._time, uri
        self._time = max(self._now(), self._time, round(self._earlier + _TICK, 4))
        return self._time

    def _begin(self, found: _RecordedDocument, document: Document) -> _RecordedDocument | None:
        """Start a file with the current ``document``. If that fails, recording ends and this returns None."""
        opened = found.opened
        if found.file is not None:
            found.file.close()
            opened = self._time
        self._made += 1
        name = re.sub(r"[^\w.-]+", "_", base_name(document.uri))[:60] or "untitled"
        path = self.folder / f"{self._name}-{self._made:03d}-{name}.jsonl"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self._stop(f"{path} cannot be written ({error.strerror})")
            return None
        self._paths.setdefault(document.uri, []).append(path)
        begun = self._open[document.uri] = _RecordedDocument(os.fdopen(fd, "wb", buffering=0), cursor=found.cursor)
        header = {"format": "tabspec-session", "version": 1, "source": "tabspec-lsp", "licence": ""}
        about = {"language": document.language, "uri": document.uri, "recording": self._name}
        text = {"opened": opened, "text": document.text}
        for item in (header | about | text, *found.before):
            self._write(begun, item)
        return begun

    def _write(self, found: _RecordedDocument, item: dict[str, Any]) -> None:
        if found.file is None:
            found.before.append(item)
            return
        line = (json.dumps(item) + "\n").encode("ascii")
        if len(line) > self._left:
            self._stop(f"{self.folder} is full")
            return
        try:
            found.file.write(line)
        except (OSError, ValueError) as error:  # ValueError: the file was closed when the previous line failed
            self._stop(f"{self.folder} cannot be written ({error})")
            return
        found.size += len(line)
        self._left -= len(line)

    def _stop(self, problem: str) -> None:
        if not self.ended:
            self.ended = True
            self.close()
            self._full(f"Recording has ended: {problem}.")


def _edit(suggestion: Suggestion) -> dict[str, Any]:
    """The further field of a next edit."""
    edit = suggestion.edit
    if edit is None:
        return {}
    change = edit.change
    fields = {"offset": change.offset, "delete": change.delete, "insert": change.insert, "cursor": edit.cursor}
    return {"edit": {**fields, "source": edit.source.value, "probability": round(edit.probability, 4)}}
