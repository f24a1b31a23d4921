"""Files of JSON lines, packed with gzip or not: bounded, and readable up to the point where they are cut off."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tabspec.errors import SessionError
from tabspec.replay.bounded import MAX_FILE_BYTES, MAX_VALUES, values_in
from tabspec.replay.sessions.session import MAX_DOCUMENT_CHARS
from tabspec.system.regular import open_regular

# Of a packed file: the bytes that it unpacks to.
MAX_BYTES = MAX_FILE_BYTES
# A document of the largest size in JSON: 4 bytes a character as UTF-8, 6 if it is escaped.
MAX_LINE_BYTES = 6 * MAX_DOCUMENT_CHARS
_GZIP_MAGIC = b"\x1f\x8b"
_READ_BYTES = 1 << 16


class FilePosition:
    """A file and the line that is being read (from 1), for messages.

    ``cut_off`` is set to a description of the place if the file ends in the middle.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0
        self.cut_off: str | None = None

    def fail(self, problem: str) -> NoReturn:
        """Raise `SessionError` for this place."""
        raise SessionError(f"{self.path}:{self.line}: {problem}")


def records(place: FilePosition) -> Iterator[dict[str, Any]]:
    """The object on each line, up to the end of the file or to the place where it is cut off."""
    for line, ended in _lines(place):
        place.line += 1
        if ended and not line.strip():
            continue
        if values_in(line) > MAX_VALUES:
            place.fail(f"more than {MAX_VALUES:,} lists and objects in one line: not a session")
        try:
            item = json.loads(line.decode("utf-8"))
        except ValueError as error:
            # The first line must at least begin like a header. Otherwise this is another kind of file, not a cut one.
            if not ended and (place.line > 1 or line.startswith(b"{") or not line):
                place.cut_off = f"line {place.line}"
                return
            if isinstance(error, UnicodeDecodeError):
                place.fail("not text: a session file is JSON lines in UTF-8 (or gzip of that)")
            place.fail(f"not JSON ({error}): a session file holds one JSON object on each line")
        except RecursionError:
            place.fail("not a session: JSON nested too deeply")
        if not isinstance(item, dict):
            place.fail(f"not a JSON object but {kind_of(item)}: a session file holds one JSON object on each line")
        yield item


def kind_of(value: Any) -> str:
    """A JSON value's kind in words, for messages."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "missing or null"}
    return names.get(type(value), f"the number {value}")


def _lines(place: FilePosition) -> Iterator[tuple[bytes, bool]]:
    """Each line, and whether its line end was there. Only the last line can lack it."""
    rest: list[bytes] = []
    size = 0
    cut_off = False
    try:
        for block in _blocks(place):
            *lines, tail = block.split(b"\n")
            for line in lines:
                yield b"".join(rest) + line, True
                rest, size = [], 0
            rest.append(tail)
            size += len(tail)
            if size > MAX_LINE_BYTES:
                place.line += 1
                place.fail(f"too long: documents of more than {MAX_DOCUMENT_CHARS:,} characters are not replayed")
    except EOFError:  # the gzip data has no end
        cut_off = True
    last = b"".join(rest)
    if last or cut_off:
        yield last, False
    if last and cut_off:  # the last line may be complete by chance; more lines are missing all the same
        yield b"", False


def _blocks(place: FilePosition) -> Iterator[bytes]:
    """The file's bytes, unpacked if it is gzip. Raises EOFError at the end if the gzip data is cut off."""
    left = MAX_BYTES
    try:
        with open_regular(place.path) as raw:
            plain = io.BufferedReader(raw)  # type: ignore[type-var, arg-type, unused-ignore]
            packed = plain.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            file = gzip.GzipFile(fileobj=plain) if packed else plain
            while block := file.read1(_READ_BYTES):
                left -= len(block)
                if left < 0:
                    place.line += 1
                    place.fail(f"more than {MAX_BYTES >> 20} MiB when unpacked: sessions of that size are not read")
                yield block
    except (gzip.BadGzipFile, zlib.error):
        place.line += 1
        place.fail("damaged: the gzip data cannot be unpacked; fetch the file again")
    except FileNotFoundError:
        raise SessionError(f"{place.path}: no such file") from None
    except OSError as error:
        raise SessionError(f"{place.path}: cannot be read ({error.strerror or error})") from None
