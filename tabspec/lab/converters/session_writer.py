"""Writes session files (docs/reference/sessions.md), as `tabspec.replay.sessions` reads them."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tabspec.ignore import IgnoreRules
from tabspec.replay.sessions.events import HEADER_STRINGS
from tabspec.replay.sessions.session import (
    FORMAT,
    VERSION,
    ChangeReason,
    Fetch,
    Fetched,
    MarkEvent,
    Selection,
    Session,
    SessionEvent,
    SideEvent,
)
from tabspec.replay.sessions.session_file import side_path


def write_session(session: Session, path: str | Path) -> None:
    """Write a session, and its side file if there are side events. Each file appears whole or not at all.

    The files are packed if ``path`` ends with ``.gz``.
    """
    path = Path(path)
    IgnoreRules().refuse(session.uri, session.uri)
    packed = path.suffix == ".gz"
    _write(path, [_header(session), *map(_event, session.events)], packed)
    if session.side.events:
        _write(side_path(path, packed=packed), map(_side, session.side.events), packed)


def summary(session: Session) -> str:
    """A line for the user about the content of the session."""
    typed = sum(len(edit.insert) for event in session.edits for edit in event.edits)
    words = [f"{len(session.edits)} edits, {typed} characters inserted in {session.seconds:.0f} s"]
    words += ["synthetic"] if session.synthetic else []
    words += ["whole-second stamps spread"] if session.spread else []
    words += [f"cut off at {session.cut_off}"] if session.cut_off else []
    return "; ".join(words)


def _header(session: Session) -> dict[str, Any]:
    """The header as it is written."""
    known: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    known |= {name: getattr(session, name) for name in HEADER_STRINGS if name != "recording"}
    if session.synthetic:
        known["synthetic"] = True
    if session.recording:
        known |= {"recording": session.recording, "opened": session.opened}
    return known | dict(session.extra) | {"text": session.text}


def _event(event: SessionEvent) -> dict[str, Any]:
    """An event as it is written."""
    if isinstance(event, MarkEvent):
        return {"t": event.t, "kind": event.kind, **event.data}
    edits = [{"offset": edit.offset, "delete": edit.delete, "insert": edit.insert} for edit in event.edits]
    return {"t": event.t, "edits": edits} | ({} if event.cursor is None else {"cursor": event.cursor})


def _side(event: SideEvent) -> dict[str, Any]:
    """A side event as it is written."""
    match event:
        case Selection(t, after, ranges):
            return {"after": after, "t": t, "kind": "selection", "ranges": [list(pair) for pair in ranges]}
        case Fetch(t, after, number):
            return {"after": after, "t": t, "kind": "fetch", "id": number}
        case Fetched(t, number, ms, items, error):
            result = [
                {"range": item.range, "text": item.text, "isInlineEdit": item.isInlineEdit, "source": item.source}
                for item in items
            ]
            return {"t": t, "kind": "fetched", "id": number, "ms": ms, "result": result, "error": error}
        case ChangeReason(number, reason):
            return {"event": number, "kind": "reason", "reason": reason}


def _write(path: Path, objects: Iterable[dict[str, Any]], packed: bool) -> None:
    lines = "".join(json.dumps(item, ensure_ascii=True) + "\n" for item in objects).encode("ascii")
    # mtime=0: the same session gives the same bytes
    data = gzip.compress(lines, mtime=0) if packed else lines
    mask = os.umask(0)
    os.umask(mask)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
