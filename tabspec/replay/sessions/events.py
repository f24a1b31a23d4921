"""Reads a session's header, events and side events from JSON objects.

The format is described in docs/reference/sessions.md. Readers raise `SessionError` with file and line.
"""

from __future__ import annotations

from typing import Any

from tabspec.replay.sessions.json_lines import FilePosition
from tabspec.replay.sessions.session import (
    FORMAT,
    MARK_KINDS,
    MAX_DOCUMENT_CHARS,
    VERSION,
    ChangeReason,
    EditEvent,
    Fetch,
    Fetched,
    MarkEvent,
    Selection,
    SessionEvent,
    SideEvent,
)
from tabspec.system.typed_json import JsonReader

HEADER_STRINGS = ("source", "licence", "language", "uri", "recording")

_SIDE_KINDS: dict[str, type[SideEvent]] = {
    "selection": Selection,
    "fetch": Fetch,
    "fetched": Fetched,
    "reason": ChangeReason,
}
_READER = JsonReader(signed=("after",))  # -1: before the first edit


def read_header(fields: dict[str, Any], place: FilePosition) -> dict[str, Any]:
    """The header's fields, checked."""
    if fields.get("format") != FORMAT:
        place.fail(f'header missing: the first line of a session must have "format": "{FORMAT}"')
    version = fields.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        place.fail(f"version must be a number from 1, not {version!r}")
    if version > VERSION:
        place.fail(f"session of version {version}, but this tabspec reads up to {VERSION}: update tabspec")
    for name in (*HEADER_STRINGS, "text"):
        if not isinstance(fields.get(name, "" if name != "text" else None), str):
            place.fail(f"the header's {name!r} must be a string")
    if not isinstance(fields.get("synthetic", False), bool):
        place.fail("the header's 'synthetic' must be true or false")
    _read(fields.get("opened", 0), float, "opened", place)
    length = len(fields["text"])
    if length > MAX_DOCUMENT_CHARS:
        place.fail(f"a document of {length:,} characters is too large: up to {MAX_DOCUMENT_CHARS:,} are replayed")
    return fields


def read_event(fields: dict[str, Any], length: int, place: FilePosition) -> SessionEvent | str:
    """The event on a line, checked against a document of ``length`` characters; its kind if that is unknown."""
    if "edits" not in fields:
        kind = fields.get("kind")
        if not isinstance(kind, str):
            place.fail("an event needs 'edits' (a list) or 'kind' (a string)")
        if kind not in MARK_KINDS:
            return kind
        data = {key: value for key, value in fields.items() if key not in ("t", "kind")}
        return MarkEvent(_read(fields.get("t"), float, "t", place), kind, data)
    event: EditEvent = _read(fields, EditEvent, "event", place)
    for edit in event.edits:
        if edit.offset + edit.delete > length:
            place.fail(
                f"edit out of bounds: offset {edit.offset}, delete {edit.delete} in a document of {length} characters"
            )
        length += len(edit.insert) - edit.delete
        if length > MAX_DOCUMENT_CHARS:
            place.fail(f"the document grows beyond {MAX_DOCUMENT_CHARS:,} characters, which are not replayed")
    if event.cursor is not None and event.cursor > length:
        place.fail(f"cursor out of bounds: {event.cursor} in a document of {length} characters")
    return event


def read_side_event(fields: dict[str, Any], place: FilePosition) -> SideEvent | str:
    """The side event on a line; its kind if that is unknown."""
    kind = str(fields.get("kind"))
    if kind not in _SIDE_KINDS:
        return kind
    event: SideEvent = _read(fields, _SIDE_KINDS[kind], kind, place)
    return event


def _read(value: Any, kind: Any, where: str, place: FilePosition) -> Any:
    try:
        return _READER.read(value, kind, where)
    except ValueError as error:
        place.fail(str(error))
