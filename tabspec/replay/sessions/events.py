"""Reads a session's header, events and side events from JSON objects.

The format is described in docs/reference/sessions.md. Readers raise `SessionError` with file and line.
"""

from __future__ import annotations

from typing import Any

from tabspec.replay.sessions.json_lines import FilePosition, JsonRecord
from tabspec.replay.sessions.session import (
    FORMAT,
    MARK_KINDS,
    MAX_DOCUMENT_CHARS,
    VERSION,
    ChangeReason,
    EditEvent,
    Fetch,
    Fetched,
    FetchedItem,
    MarkEvent,
    Selection,
    SessionEvent,
    SideEvent,
)
from tabspec.text import Edit

HEADER_STRINGS = ("source", "licence", "language", "uri", "recording")


def read_header(record: JsonRecord) -> dict[str, Any]:
    """The header's fields, checked."""
    fields, place = record.fields, record.place
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
    if "opened" in fields:
        record.number("opened")
    length = len(fields["text"])
    if length > MAX_DOCUMENT_CHARS:
        place.fail(f"a document of {length:,} characters is too large: up to {MAX_DOCUMENT_CHARS:,} are replayed")
    return fields


def read_event(record: JsonRecord, length: int) -> SessionEvent | str:
    """The event on a line, checked against a document of ``length`` characters; its kind if that is unknown."""
    fields, place = record.fields, record.place
    if "edits" not in fields:
        kind = fields.get("kind")
        if not isinstance(kind, str):
            place.fail("an event needs 'edits' (a list) or 'kind' (a string)")
        if kind not in MARK_KINDS:
            return kind
        data = {key: value for key, value in fields.items() if key not in ("t", "kind")}
        return MarkEvent(record.number("t"), kind, data)
    t = record.number("t")
    edits = []
    for edit in record.each("edits", _edit):
        if edit.offset < 0 or edit.delete < 0 or edit.offset + edit.delete > length:
            place.fail(
                f"edit out of bounds: offset {edit.offset}, delete {edit.delete} in a document of {length} characters"
            )
        length += len(edit.insert) - edit.delete
        if length > MAX_DOCUMENT_CHARS:
            place.fail(f"the document grows beyond {MAX_DOCUMENT_CHARS:,} characters, which are not replayed")
        edits.append(edit)
    cursor = record.integer("cursor") if fields.get("cursor") is not None else None
    if cursor is not None and not 0 <= cursor <= length:
        place.fail(f"cursor out of bounds: {cursor} in a document of {length} characters")
    return EditEvent(t, tuple(edits), cursor)


def read_side_event(record: JsonRecord) -> SideEvent | str:
    """The side event on a line; its kind if that is unknown."""
    match record.fields.get("kind"):
        case "selection":
            return Selection(record.number("t"), record.integer("after"), record.each("ranges", _pair))
        case "fetch":
            return Fetch(record.number("t"), record.integer("after"), record.integer("id"))
        case "fetched":
            error = record.fields.get("error")
            return Fetched(
                record.number("t"),
                record.integer("id"),
                record.number("ms"),
                record.each("result", _fetched_item),
                None if error is None else str(error),
            )
        case "reason":
            return ChangeReason(record.integer("event"), record.string("reason"))
        case kind:
            return str(kind)


def _edit(item: Any, place: FilePosition) -> Edit:
    if not isinstance(item, dict):
        place.fail("each of 'edits' must be an object with offset, delete and insert")
    record = JsonRecord(item, place)
    return Edit(record.integer("offset"), record.integer("delete"), record.string("insert"))


def _fetched_item(item: Any, place: FilePosition) -> FetchedItem:
    if not isinstance(item, dict):
        place.fail("each of 'result' must be an object with range and text")
    record = JsonRecord(item, place)
    return FetchedItem(
        record.string("range"),
        record.string("text"),
        bool(item.get("isInlineEdit", False)),
        str(item.get("source", "")),
    )


def _pair(item: Any, place: FilePosition) -> tuple[int, int]:
    if not (isinstance(item, list) and len(item) == 2 and all(type(value) is int and value >= 0 for value in item)):
        place.fail("each of 'ranges' must be two offsets")
    return item[0], item[1]
