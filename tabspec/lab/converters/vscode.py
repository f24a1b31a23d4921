"""Imports VS Code's `workspaceRecording@1.0`: one session for each document of a recording.

The format is that of vscode-copilot-chat (``*.recording.w.json``, and the JSON lines that its recorder appends to):
src/platform/workspaceRecorder/common/workspaceLog.ts names the entries. Offsets count UTF-16 code units, and the
replacements of one change all refer to the text before it. The document's version (``v``, after a change) links a fetch
or a reason to its change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from tabspec.errors import PositionError, SessionError
from tabspec.ignore import IgnoreRules
from tabspec.replay.bounded import MAX_FILE_BYTES, MAX_VALUES, values_in
from tabspec.replay.sessions.session import (
    ACCEPT_REASON,
    MAX_DOCUMENT_CHARS,
    MAX_EVENTS,
    ChangeReason,
    EditEvent,
    Fetch,
    Fetched,
    FetchedItem,
    Selection,
    Session,
    Side,
    SideEvent,
    with_cursors,
)
from tabspec.syntax.language_ids import language_of
from tabspec.system.regular import read_regular
from tabspec.text import Edit, PositionEncoding, difference

# The most characters that all changes insert. A day of typing inserts about 16,000, an agent some millions.
MAX_INSERTED_CHARS = 100_000_000
# The most characters that all changes copy: some seconds of work. A day of typing in 100 kB copies 1.6e9.
MAX_COPIED_CHARS = 20_000_000_000
DOCUMENT_TYPE = "workspaceRecording@1.0"

# Entries that do not affect a document's text.
_SILENT = frozenset({"opened", "closed", "focused"})
_LATER_NAMES = {"inlineCompletionAccept": ACCEPT_REASON}


def read_recording(path: str | Path, *, document: str | None = None, licence: str = "") -> Session:
    """The session of one document of the recording in ``path``.

    ``document``: the end of its path in the recording; without it, the document with the most changes. Raises
    `SessionError` if the file is not a recording, or has no such document.
    """
    path = Path(path)
    recorded = [each for each in _documents(path, _read(path)) if each.events]
    if not recorded:
        raise SessionError(f"{path}: no document in this recording was edited")
    if document is None:
        chosen = max(recorded, key=lambda each: len(each.events))
    else:
        fitting = [each for each in recorded if f"/{each.path}".endswith(f"/{document.lstrip('/')}")]
        if len(fitting) != 1:
            names = ", ".join(sorted(each.path for each in recorded))
            raise SessionError(f"{path}: {len(fitting)} edited documents end with {document!r}; there are: {names}")
        chosen = fitting[0]
    return chosen.session(f"vscode-recording:{path.name}#{chosen.path}", licence)


def read_documents(path: str | Path, *, licence: str = "") -> list[Session]:
    """The sessions of all documents of the recording in ``path``, also of those that were only open, for one replay.

    Documents that the built-in ignore rules name are left out. Recordings of the same name in two folders are told
    apart by their content. Raises `SessionError` as `read_recording`.
    """
    path, rules = Path(path), IgnoreRules()
    data = _read(path)
    source = f"vscode-recording:{path.name}"
    recording = f"{source}#{sha256(data).hexdigest()[:12]}"  # 48 bits: no two of a million files are likely the same
    found = [each for each in _documents(path, data) if each.initial is not None]
    sessions = [each.session(f"{source}#{each.path}", licence, recording=recording) for each in found]
    kept = [session for session in sessions if not rules.ignored(session.uri)]
    if not any(session.events for session in kept):
        raise SessionError(f"{path}: no document in this recording was edited (ignored ones are left out)")
    return kept


@dataclass
class _ReadingWork:
    """The work of reading a recording. It is limited, because a short entry can restore or change a long text."""

    inserted: int = 0
    copied: int = 0

    @property
    def spent(self) -> bool:
        return self.inserted > MAX_INSERTED_CHARS or self.copied > MAX_COPIED_CHARS


@dataclass
class _Recorded:
    """A document while the log is read."""

    path: str
    effort: _ReadingWork
    text: str = ""
    initial: str | None = None
    opened: float = 0.0
    last_t: float = 0.0
    events: list[EditEvent] = field(default_factory=list)
    side: list[SideEvent] = field(default_factory=list)
    event_of_version: dict[int, int] = field(default_factory=dict)

    def set_text(self, t: float, text: str, version: Any) -> None:
        self.effort.copied += len(text)
        if self.initial is None:
            self.initial = self.text = text
            self.opened = self._time(t)
        elif (edit := difference(self.text, text)) is not None:
            self._changed(t, [edit], version)
        if isinstance(version, int):
            self.event_of_version.setdefault(version, len(self.events) - 1)

    def change(self, t: float, replacements: Any, version: Any, metadata: Any) -> None:
        """Apply replacements (start, end, text). They refer to the text before the change and do not overlap."""
        if self.initial is None:
            self.initial = self.text
        edits = []
        for start, end, insert in sorted(replacements, key=lambda each: (each[0], each[1]), reverse=True):
            first, stop = _offset(self.text, start), _offset(self.text, end)
            edits.append(Edit(first, stop - first, insert))
        self._changed(t, edits, version)
        if isinstance(metadata, Mapping) and isinstance(reason := metadata.get("source"), str):
            self.reason(len(self.events) - 1, reason)

    def reason(self, event: int, source: str) -> None:
        self.side.append(ChangeReason(event, _LATER_NAMES.get(source, source)))

    def select(self, t: float, ranges: Any) -> None:
        pairs = tuple((_offset(self.text, start), _offset(self.text, end)) for start, end in ranges)
        self.side.append(Selection(self._time(t), len(self.events) - 1, pairs))

    def _changed(self, t: float, edits: list[Edit], version: Any) -> None:
        for edit in edits:
            self.text = edit.apply(self.text)
            self.effort.inserted += len(edit.insert)
            self.effort.copied += len(self.text)
        if len(self.text) > MAX_DOCUMENT_CHARS:
            raise SessionError(
                f"{self.path}: documents of more than {MAX_DOCUMENT_CHARS:,} characters are not replayed"
            )
        self.events.append(EditEvent(self._time(t), tuple(edits)))
        if isinstance(version, int):
            self.event_of_version[version] = len(self.events) - 1

    def _time(self, t: float) -> float:
        """The time, but never earlier than before: the log has wall-clock times, and clocks can be set back."""
        self.last_t = max(self.last_t, t)
        return self.last_t

    def session(self, source: str, licence: str, recording: str = "") -> Session:
        return Session(
            self.initial or "",
            tuple(with_cursors(self.events, self.side)),
            source=source,
            licence=licence,
            language=language_of(self.path),
            uri=f"file:///session/{self.path}",
            recording=recording,
            opened=self.opened if recording else 0.0,
            side=Side(tuple(self.side)),
            name=PurePosixPath(self.path).name,
        )


def _offset(text: str, units: int) -> int:
    """The code-point offset of an offset in UTF-16 code units. Raises `PositionError` outside the text."""
    if type(units) is not int or not 0 <= units <= len(text) * 2:
        raise PositionError(f"offset {units!r} lies outside a text of {len(text)} characters")
    if text.isascii() or max(text, default="") <= "\uffff":
        if units > len(text):
            raise PositionError(f"offset {units} lies outside a text of {len(text)} characters")
        return units
    return PositionEncoding.UTF16.locate(text, units)


def _documents(path: Path, data: bytes) -> list[_Recorded]:
    """Every document of the recording, with its events."""
    entries = _entries(path, data)
    stamps = [entry["time"] for entry in entries if isinstance(entry.get("time"), int | float)]
    start = min(stamps, default=0)
    documents: dict[int, _Recorded] = {}
    effort = _ReadingWork()
    stored: dict[str, str] = {}
    fetches: dict[int, tuple[_Recorded, float]] = {}
    for number, entry in enumerate(entries):
        if effort.spent or number > MAX_EVENTS:
            raise SessionError(
                f"{path}: entry {number}: the recording has more edits or more text than can be replayed"
            )
        try:
            _take(entry, (entry.get("time", start) - start) / 1000, documents, stored, fetches, effort)
        except (KeyError, TypeError, ValueError, PositionError) as error:
            problem = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
            raise SessionError(f"{path}: entry {number} ({entry.get('kind')}): {problem}") from None
    return list(documents.values())


def _take(
    entry: dict[str, Any],
    t: float,
    documents: dict[int, _Recorded],
    stored: dict[str, str],
    fetches: dict[int, tuple[_Recorded, float]],
    effort: _ReadingWork,
) -> None:
    """Apply one log entry, at ``t`` seconds, to the documents."""
    kind = entry["kind"]
    if kind == "documentEncountered":
        documents[entry["id"]] = _Recorded(entry["relativePath"].replace("\\", "/"), effort)
        return
    data = entry.get("data") or {}
    if kind == "event":
        if data.get("sourceId") == "InlineCompletions.fetch" and data.get("requestId") in fetches:
            document, asked = fetches[data["requestId"]]
            items = tuple(
                FetchedItem(each["range"], each["text"], bool(each.get("isInlineEdit")), str(each.get("source", "")))
                for each in data.get("result") or ()
            )
            error = data.get("error")
            ms = round(max(t - asked, 0.0) * 1000)
            document.side.append(
                Fetched(document._time(t), data["requestId"], ms, items, None if error is None else str(error))
            )
        return
    if "id" not in entry or kind in _SILENT:  # header, applicationStart, bookmark, meta, and unknown kinds
        return
    document = documents[entry["id"]]
    version = entry.get("v")
    if kind == "setContent":
        document.set_text(t, entry["content"], version)
    elif kind == "storeContent":
        stored[entry["contentId"]] = document.text
    elif kind == "restoreContent":
        document.set_text(t, stored[entry["contentId"]], version)
    elif kind == "changed":
        document.change(t, entry["edit"], version, entry.get("metadata"))
    elif kind == "selectionChanged":
        document.select(t, entry["selection"])
    elif kind == "documentEvent":
        event = document.event_of_version.get(data.get("v", -1), len(document.events) - 1)
        if data.get("sourceId") == "TextModel.setChangeReason" and event >= 0:
            document.reason(event, data["source"])
        elif data.get("sourceId") == "InlineCompletions.fetch":
            document.side.append(Fetch(document._time(t), event, data["requestId"]))
            fetches[data["requestId"]] = (document, t)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise SessionError(f"{path}: cannot be read ({error.strerror or error})") from None


def _entries(path: Path, data: bytes) -> list[dict[str, Any]]:
    """The log entries of a file: a JSON object with ``log``, a JSON list, or JSON lines."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SessionError(f"{path}: not text: a recording is JSON in UTF-8") from None
    if values_in(data) > MAX_VALUES:
        raise SessionError(f"{path}: not a recording: more than {MAX_VALUES:,} lists and objects")
    try:
        whole = json.loads(text)
        entries = whole["log"] if isinstance(whole, dict) and "log" in whole else whole
    except ValueError:
        try:
            entries = [json.loads(line) for line in text.split("\n") if line.strip()]  # U+2028 may be in a string
        except ValueError as error:
            raise SessionError(f"{path}: not JSON ({error}): a recording is JSON or JSON lines") from None
    except RecursionError:
        raise SessionError(f"{path}: not a recording: JSON nested too deeply") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SessionError(f"{path}: not a recording: a list of log entries is expected")
    if not entries or entries[0].get("documentType") != DOCUMENT_TYPE:
        kind = entries[0].get("documentType") if entries else None
        raise SessionError(f'{path}: not a recording of type "{DOCUMENT_TYPE}": its type is {kind!r}')
    return entries
