"""Session files: ``NAME.jsonl`` or ``NAME.jsonl.gz``, with an optional ``NAME.side.jsonl[.gz]`` in the same folder.

The first line is the header, each further line an event. A file that is cut off is read up to that place. Anything else
that is wrong raises `SessionError` with the file and the line.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tabspec.ignore import IgnoreRules
from tabspec.replay.sessions.events import HEADER_STRINGS, read_event, read_header, read_side_event
from tabspec.replay.sessions.json_lines import FilePosition, records
from tabspec.replay.sessions.session import (
    MAX_EVENTS,
    EditEvent,
    MarkEvent,
    Session,
    SessionEvent,
    Side,
    SideEvent,
    spread_seconds,
)


def read_session(path: str | Path, *, spread: bool = True) -> Session:
    """The session in ``path``, with its side file if there is one.

    ``spread``: spread timestamps of whole seconds over their second (and set `Session.spread`), but not those of a
    recording, which has one clock for all its documents. Raises `InputError` if the file is not a session, or if it
    records a file that the built-in ignore rules name.
    """
    path = Path(path)
    place = FilePosition(path)
    skipped: Counter[str] = Counter()
    header: dict[str, Any] | None = None
    events: list[SessionEvent] = []
    length, last, count, closed = 0, 0.0, 0, False
    for record in records(place):
        if header is None:
            header = read_header(record, place)
            IgnoreRules().refuse(header.get("uri", ""), path)
            length, last = len(header["text"]), float(header.get("opened", 0))
            continue
        event = read_event(record, length, place)
        if isinstance(event, str):
            skipped[event] += 1
            continue
        if event.t < last:
            earlier = "the event before it" if events else "its document was opened"
            place.fail(f"time {event.t} is before {earlier} ({last}): times must not go back")
        if closed:
            place.fail("an event after the document was closed: start another session file for it")
        closed = isinstance(event, MarkEvent) and event.kind == "close"
        last = event.t
        count += max(len(event.edits), 1) if isinstance(event, EditEvent) else 1
        _check_count(count, place)
        if isinstance(event, EditEvent):
            length += sum(len(edit.insert) - edit.delete for edit in event.edits)
        events.append(event)
    if header is None:
        place.line = 1
        place.fail("cut off within its header, so nothing can be replayed" if place.cut_off else "empty: not a session")
    side, side_warnings = _side_of(path, sum(isinstance(event, EditEvent) for event in events))
    warnings = [f"{path.name}: {number} events of unknown kind {kind!r} skipped" for kind, number in skipped.items()]
    if place.cut_off:
        warnings.append(f"{path.name}: cut off at {place.cut_off}; it is replayed up to there ({len(events)} events)")
    session = Session(
        text=header.pop("text"),
        events=tuple(events),
        synthetic=bool(header.pop("synthetic", False)),
        opened=float(header.pop("opened", 0)),
        **{name: header.pop(name) for name in HEADER_STRINGS if name in header},
        extra={key: value for key, value in header.items() if key not in ("format", "version")},
        side=side,
        name=session_name(path),
        cut_off=place.cut_off,
        warnings=(*warnings, *side_warnings),
    )
    return spread_seconds(session) if spread and not session.recording else session


def session_files(folder: Path) -> list[Path]:
    """The session files in ``folder``, sorted by name, without side files. Raises OSError if it cannot be read."""
    found = (path for path in folder.iterdir() if path.name.endswith((".jsonl", ".jsonl.gz")))
    return sorted(path for path in found if ".side." not in path.name)


def session_name(path: Path) -> str:
    """The file's name without ``.jsonl`` and ``.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def side_path(path: Path, *, packed: bool) -> Path:
    """The path of the side file of session file ``path``."""
    return path.with_name(f"{session_name(path)}.side.jsonl" + (".gz" if packed else ""))


def _side_of(path: Path, edits: int) -> tuple[Side, list[str]]:
    """The content of the side file of ``path``, if there is one, and warnings. ``edits``: number of edit events."""
    found = [side for packed in (True, False) if (side := side_path(path, packed=packed)).is_file()]
    if not found or found[0] == path:
        return Side(), []
    place = FilePosition(found[0])
    skipped: Counter[str] = Counter()
    events: list[SideEvent] = []
    count = 0
    for record in records(place):
        event = read_side_event(record, place)
        if isinstance(event, str):
            skipped[event] += 1
            continue
        count += 1
        _check_count(count, place)
        # Events after the place where the session is cut off belong to no edit.
        if getattr(event, "after", getattr(event, "event", -1)) < edits:
            events.append(event)
    name = place.path.name
    warnings = [f"{name}: cut off at {place.cut_off}; it is used up to there"] if place.cut_off else []
    warnings += [f"{name}: {number} events of unknown kind {kind!r} skipped" for kind, number in skipped.items()]
    return Side(tuple(events)), warnings


def _check_count(count: int, place: FilePosition) -> None:
    if count > MAX_EVENTS:
        place.fail(f"more than {MAX_EVENTS:,} edits and events, which are not replayed; cut the session in pieces")
