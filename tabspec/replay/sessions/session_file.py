"""Session files: ``NAME.jsonl`` or ``NAME.jsonl.gz``, with ``NAME.side.jsonl[.gz]`` beside it.

A header line ``{"format": "tabspec-session", "version": 1, "source", "licence", "language", "uri", "text"}``, then
a line for each event. A file cut off in the middle is read up to the cut; whatever else is wrong raises
`SessionError` with the file and the line.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from tabspec.errors import SessionError
from tabspec.ignore import IgnoreRules
from tabspec.replay.bounded import MAX_FILE_BYTES, MAX_VALUES, values_in
from tabspec.replay.sessions.session import (
    FORMAT,
    MARK_KINDS,
    MAX_DOCUMENT_CHARS,
    MAX_EVENTS,
    VERSION,
    ChangeReason,
    EditEvent,
    Event,
    Fetch,
    Fetched,
    FetchedItem,
    MarkEvent,
    Selection,
    Session,
    Side,
    SideEvent,
    spread_seconds,
)
from tabspec.system.regular import open_regular
from tabspec.text import Edit

# All of what a packed file unpacks to.
_MAX_BYTES = MAX_FILE_BYTES
_HEADER_STRINGS = ("source", "licence", "language", "uri")
_GZIP_MAGIC = b"\x1f\x8b"
_READ_BYTES = 1 << 16
# A document of the largest size in JSON: 4 bytes a character as UTF-8, 6 where it is escaped.
_MAX_LINE_BYTES = 6 * MAX_DOCUMENT_CHARS

T = TypeVar("T")


class _FilePosition:
    """Where in which file we are, for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0
        self.events = 0

    def count(self, events: int) -> None:
        """Count events that are kept; fail where there are too many."""
        self.events += events
        if self.events > MAX_EVENTS:
            self.fail(f"more than {MAX_EVENTS:,} edits and events, which are not replayed; cut the session in pieces")

    def fail(self, problem: str) -> NoReturn:
        raise SessionError(f"{self.path}:{self.line}: {problem}")


def read_session(path: str | Path, *, spread: bool = True) -> Session:
    """The session in ``path``, with the side file beside it if there is one.

    ``spread``: stamps of whole seconds are spread over their second (and `Session.spread` says so). Raises `InputError`
    if it is none, or recorded a file that the built-in ignore rules name.
    """
    path = Path(path)
    place = _FilePosition(path)
    skipped: Counter[str] = Counter()
    header: dict[str, Any] | None = None
    events: list[Event] = []
    length, last = 0, 0.0
    cut_off = None
    for item in _objects(place):
        if isinstance(item, str):
            cut_off = item
        elif header is None:
            header = _header(item, place)
            IgnoreRules().refuse(header.get("uri", ""), path)
            length = len(header["text"])
        else:
            event = _event(item, place, skipped, length)
            if event is None:
                continue
            if event.t < last:
                place.fail(f"time {event.t} is before the event before it ({last}): times must not go back")
            last = event.t
            place.count(max(len(event.edits), 1) if isinstance(event, EditEvent) else 1)
            if isinstance(event, EditEvent):
                length += sum(len(edit.insert) - edit.delete for edit in event.edits)
            events.append(event)
    if header is None:
        place.line = 1
        place.fail("cut off within its header, so nothing can be replayed" if cut_off else "empty: not a session")
    side, side_warnings = _side_of(path, len([event for event in events if isinstance(event, EditEvent)]))
    warnings = [f"{path.name}: {count} events of unknown kind {kind!r} skipped" for kind, count in skipped.items()]
    if cut_off:
        warnings.append(f"{path.name}: cut off at {cut_off}; it is replayed up to there ({len(events)} events)")
    session = Session(
        text=header.pop("text"),
        events=tuple(events),
        synthetic=bool(header.pop("synthetic", False)),
        **{name: header.pop(name) for name in _HEADER_STRINGS if name in header},
        extra={key: value for key, value in header.items() if key not in ("format", "version")},
        side=side,
        name=session_name(path),
        cut_off=cut_off,
        warnings=(*warnings, *side_warnings),
    )
    return spread_seconds(session) if spread else session


def session_name(path: Path) -> str:
    """The file's name without ``.jsonl`` and ``.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def side_path(path: Path, *, packed: bool) -> Path:
    """Where the side file of session file ``path`` stands."""
    return path.with_name(f"{session_name(path)}.side.jsonl" + (".gz" if packed else ""))


def write_session(session: Session, path: str | Path, *, private: bool = False) -> None:
    """Write a session, and its side file if there is something in it. Each file appears whole or not at all.

    Packed if ``path`` ends with ``.gz``. ``private``: readable by the owner only (mode 0600), as recordings of
    one's own typing should be.
    """
    path = Path(path)
    IgnoreRules().refuse(session.uri, session.uri)
    packed = path.suffix == ".gz"
    _write(path, [header_object(session), *map(event_object, session.events)], packed, private)
    if session.side.events:
        _write(side_path(path, packed=packed), map(side_object, session.side.events), packed, private)


def header_object(session: Session) -> dict[str, Any]:
    """The header as it stands in the file."""
    known = {"format": FORMAT, "version": VERSION, **{name: getattr(session, name) for name in _HEADER_STRINGS}}
    synthetic = {"synthetic": True} if session.synthetic else {}
    return known | synthetic | dict(session.extra) | {"text": session.text}


def event_object(event: Event) -> dict[str, Any]:
    """An event as it stands in the file."""
    if isinstance(event, MarkEvent):
        return {"t": event.t, "kind": event.kind, **event.data}
    edits = [{"offset": edit.offset, "delete": edit.delete, "insert": edit.insert} for edit in event.edits]
    return {"t": event.t, "edits": edits} | ({} if event.cursor is None else {"cursor": event.cursor})


def side_object(event: SideEvent) -> dict[str, Any]:
    """A side event as it stands in the file."""
    match event:
        case Selection(t, after, ranges):
            return {"after": after, "t": t, "kind": "selection", "ranges": [list(pair) for pair in ranges]}
        case Fetch(t, after, number):
            return {"after": after, "t": t, "kind": "fetch", "id": number}
        case Fetched(t, number, ms, items, error):
            result = [
                {"range": item.range, "text": item.text, "isInlineEdit": item.inline_edit, "source": item.source}
                for item in items
            ]
            return {"t": t, "kind": "fetched", "id": number, "ms": ms, "result": result, "error": error}
        case ChangeReason(number, reason):
            return {"event": number, "kind": "reason", "reason": reason}


def _write(path: Path, objects: Iterable[dict[str, Any]], packed: bool, private: bool) -> None:
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
        Path(name).chmod(0o600 if private else 0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _objects(place: _FilePosition) -> Iterator[dict[str, Any] | str]:
    """The JSON object of each line; at last, if the file was cut off, a text that says where."""
    for line, whole in _lines(place):
        place.line += 1
        if whole and not line.strip():
            continue
        if values_in(line) > MAX_VALUES:
            place.fail(f"more than {MAX_VALUES:,} lists and objects in one line: not a session")
        try:
            item = json.loads(line.decode("utf-8"))
        except ValueError as error:
            # The first line must at least begin as a header does: else this is some other file, not a cut one.
            if not whole and (place.line > 1 or line.startswith(b"{") or not line):
                yield f"line {place.line}"
                return
            if isinstance(error, UnicodeDecodeError):
                place.fail("not text: a session file is JSON lines in UTF-8 (or gzip of that)")
            place.fail(f"not JSON ({error}): a session file holds one JSON object on each line")
        except RecursionError:
            place.fail("not a session: JSON nested too deeply")
        if not isinstance(item, dict):
            place.fail(f"not a JSON object but {_kind_of(item)}: a session file holds one JSON object on each line")
        yield item


def _lines(place: _FilePosition) -> Iterator[tuple[bytes, bool]]:
    """Lines, and for each whether its end is there: the last one of a file that was cut off has none."""
    rest: list[bytes] = []
    size = 0
    whole = True
    for block, ended in _blocks(place):
        whole = ended
        *lines, tail = block.split(b"\n")
        for line in lines:
            yield b"".join(rest) + line, True
            rest, size = [], 0
        rest.append(tail)
        size += len(tail)
        if size > _MAX_LINE_BYTES:
            place.line += 1
            place.fail(f"too long: documents of more than {MAX_DOCUMENT_CHARS:,} characters are not replayed")
    last = b"".join(rest)
    if last or not whole:
        yield last, False
    if last and not whole:  # that line may be complete by chance; what came behind it is missing all the same
        yield b"", False


def _blocks(place: _FilePosition) -> Iterator[tuple[bytes, bool]]:
    """The file's bytes, unpacked if it is gzip; with each block, whether the packed stream could end behind it."""
    left = _MAX_BYTES
    try:
        with open_regular(place.path) as file:
            unpacker = None
            first = True
            while block := file.read(_READ_BYTES):
                if first and block.startswith(_GZIP_MAGIC):
                    unpacker = zlib.decompressobj(wbits=31)
                first = False
                while block:
                    if unpacker is None:
                        data, ended, block = block, True, b""
                    else:
                        data, ended = unpacker.decompress(block, _READ_BYTES), unpacker.eof
                        block = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
                        if unpacker.eof and block:  # gzip files may be strung together
                            unpacker = zlib.decompressobj(wbits=31)
                    left -= len(data)
                    if left < 0:
                        place.line += 1
                        place.fail(
                            f"more than {_MAX_BYTES >> 20} MiB when unpacked: sessions of that size are not read"
                        )
                    yield data, ended
    except zlib.error:
        place.line += 1
        place.fail("damaged: the gzip data cannot be unpacked; fetch the file again")
    except FileNotFoundError:
        raise SessionError(f"{place.path}: no such file") from None
    except OSError as error:
        raise SessionError(f"{place.path}: cannot be read ({error.strerror or error})") from None


def _header(item: dict[str, Any], place: _FilePosition) -> dict[str, Any]:
    if item.get("format") != FORMAT:
        place.fail(f'header missing: the first line of a session must have "format": "{FORMAT}"')
    version = item.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        place.fail(f"version must be a number from 1, not {version!r}")
    if version > VERSION:
        place.fail(f"session of version {version}, but this tabspec reads up to {VERSION}: update tabspec")
    for name in (*_HEADER_STRINGS, "text"):
        if not isinstance(item.get(name, "" if name != "text" else None), str):
            place.fail(f"the header's {name!r} must be a string")
    if not isinstance(item.get("synthetic", False), bool):
        place.fail("the header's 'synthetic' must be true or false")
    if len(item["text"]) > MAX_DOCUMENT_CHARS:
        place.fail(
            f"a document of {len(item['text']):,} characters is too large: up to {MAX_DOCUMENT_CHARS:,} are replayed"
        )
    return item


def _event(item: dict[str, Any], place: _FilePosition, skipped: Counter[str], length: int) -> Event | None:
    """The event of a line, checked against a document of ``length``; None if its kind is unknown."""
    if "edits" not in item:
        kind = item.get("kind")
        if not isinstance(kind, str):
            place.fail("an event needs 'edits' (a list) or 'kind' (a string)")
        if kind not in MARK_KINDS:
            skipped[kind] += 1
            return None
        return MarkEvent(_number(item, "t", place), kind, {key: item[key] for key in item if key not in ("t", "kind")})
    t = _number(item, "t", place)
    if not isinstance(item["edits"], list):
        place.fail("'edits' must be a list")
    edits = []
    for entry in item["edits"]:
        if not isinstance(entry, dict):
            place.fail("each of 'edits' must be an object with offset, delete and insert")
        offset, delete = _integer(entry, "offset", place), _integer(entry, "delete", place)
        edit = Edit(offset, delete, _string(entry, "insert", place))
        if edit.offset < 0 or edit.delete < 0 or edit.offset + edit.delete > length:
            place.fail(
                f"edit out of bounds: offset {edit.offset}, delete {edit.delete} in a document of {length} characters"
            )
        length += len(edit.insert) - edit.delete
        if length > MAX_DOCUMENT_CHARS:
            place.fail(f"the document grows beyond {MAX_DOCUMENT_CHARS:,} characters, which are not replayed")
        edits.append(edit)
    cursor = _integer(item, "cursor", place) if item.get("cursor") is not None else None
    if cursor is not None and not 0 <= cursor <= length:
        place.fail(f"cursor out of bounds: {cursor} in a document of {length} characters")
    return EditEvent(t, tuple(edits), cursor)


def _side_of(path: Path, edits: int) -> tuple[Side, list[str]]:
    """The side file beside ``path``, if any, and warnings. ``edits`` is the number of edit events."""
    found = [side for packed in (True, False) if (side := side_path(path, packed=packed)).is_file()]
    if not found or found[0] == path:
        return Side(), []
    place = _FilePosition(found[0])
    skipped: Counter[str] = Counter()
    events: list[SideEvent] = []
    warnings = []
    for item in _objects(place):
        if isinstance(item, str):
            warnings.append(f"{place.path.name}: cut off at {item}; it is used up to there")
            break
        event = _side_event(item, place, skipped)
        place.count(event is not None)
        # what belongs to events behind the cut of a cut-off session has nothing to stand beside
        if event is not None and getattr(event, "after", getattr(event, "event", -1)) < edits:
            events.append(event)
    warnings += [f"{place.path.name}: {n} events of unknown kind {kind!r} skipped" for kind, n in skipped.items()]
    return Side(tuple(events)), warnings


def _side_event(item: dict[str, Any], place: _FilePosition, skipped: Counter[str]) -> SideEvent | None:
    kind = item.get("kind")
    if kind == "selection":
        return Selection(
            _number(item, "t", place), _integer(item, "after", place), tuple(_each(item, "ranges", place, _pair))
        )
    if kind == "fetch":
        return Fetch(_number(item, "t", place), _integer(item, "after", place), _integer(item, "id", place))
    if kind == "fetched":
        error = item.get("error")
        return Fetched(
            _number(item, "t", place),
            _integer(item, "id", place),
            _number(item, "ms", place),
            tuple(_each(item, "result", place, _fetched_item)),
            None if error is None else str(error),
        )
    if kind == "reason":
        return ChangeReason(_integer(item, "event", place), _string(item, "reason", place))
    skipped[str(kind)] += 1
    return None


def _fetched_item(item: Any, place: _FilePosition) -> FetchedItem:
    if not isinstance(item, dict):
        place.fail("each of 'result' must be an object with range and text")
    return FetchedItem(
        _string(item, "range", place),
        _string(item, "text", place),
        bool(item.get("isInlineEdit", False)),
        str(item.get("source", "")),
    )


def _pair(item: Any, place: _FilePosition) -> tuple[int, int]:
    if not (isinstance(item, list) and len(item) == 2 and all(type(value) is int and value >= 0 for value in item)):
        place.fail("each of 'ranges' must be two offsets")
    return item[0], item[1]


def _each(item: dict[str, Any], name: str, place: _FilePosition, read: Callable[[Any, _FilePosition], T]) -> list[T]:
    values = item.get(name)
    if not isinstance(values, list):
        place.fail(f"{name!r} must be a list")
    return [read(value, place) for value in values]


def _number(item: dict[str, Any], name: str, place: _FilePosition) -> float:
    """A finite number that is not negative."""
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        place.fail(f"{name!r} must be a number, not {_kind_of(value)}")
    if isinstance(value, int):
        value = min(value, 1 << 62)  # a larger one has no float
    if not math.isfinite(value) or value < 0:
        place.fail(f"{name!r} must be a number from 0, not {value}")
    return float(value)


def _integer(item: dict[str, Any], name: str, place: _FilePosition) -> int:
    value = item.get(name)
    if type(value) is not int:
        place.fail(f"{name!r} must be a whole number, not {_kind_of(value)}")
    return value


def _string(item: dict[str, Any], name: str, place: _FilePosition) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        place.fail(f"{name!r} must be a string, not {_kind_of(value)}")
    return value


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "missing or null"}
    return names.get(type(value), f"the number {value}")
