"""LSP's base protocol (`Content-Length` headers): from a stream of bytes to JSON values.

After bytes that are not a message, the parser continues at the next header. ``Content-Length: N`` with a raw CR LF
cannot be part of a message, because JSON escapes line ends in strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A document of 10 million characters (EngineConfig.max_document_chars) takes at most 60 MB as escaped JSON.
MAX_BODY_BYTES = 128 << 20
# Before `initialize` is answered. That request contains capabilities and options; VS Code's has 20 KB.
FIRST_BODY_BYTES = 1 << 20
# Bytes of bodies that are not JSON and are searched for a header: 0.1 s of parsing.
_MOST_WASTED = 32 << 20
# Headers usually have two short lines. Longer data without an empty line is not a header.
_MAX_HEADER_BYTES = 4096
# Longest part of a Content-Length line at the end of the buffer that the next read may complete.
_MAX_LINE_BYTES = 64

_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?\n", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")
_OTHER_FIELDS = re.compile(rb"(?:[\w-]+:[^\r\n]*\r?\n)*")


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that were not a message, and the reason. A message may have been lost in them."""

    problem: str


class FrameParser:
    """Yields the JSON values in the bytes it is fed, and one `Garbage` for each stretch that is not a message.

    A message of more than ``max_body`` bytes is refused by its header, before its body is read. The limit may change
    between two messages.
    """

    def __init__(self, max_body: int = MAX_BODY_BYTES) -> None:
        self.max_body = max_body
        self._buffer = bytearray()
        self._searched = 0  # up to where an unfinished body has been searched for a header
        self._wasted = 0  # bytes of bodies that were not JSON, since the last message
        self._lost = False  # within a stretch of garbage that has been reported

    def feed(self, data: bytes) -> Iterator[Any]:
        """Add ``data``, and yield what is complete, in order."""
        self._buffer += data
        while (item := self._next()) is not None:
            if isinstance(item, _Value):
                self._lost = False
                yield item.value
            elif not self._lost:  # reported once for each stretch
                self._lost = True
                yield item

    def _next(self) -> _Value | Garbage | None:
        """The next message, or the reason why bytes were dropped; None if more bytes are needed."""
        length = _LENGTH.search(self._buffer)
        if length is None:
            if len(self._buffer) <= _MAX_HEADER_BYTES:
                return None
            return self._drop(len(self._buffer) - _MAX_LINE_BYTES, "bytes that are not a header")
        before = bytes(self._buffer[: length.start()])
        if not _OTHER_FIELDS.fullmatch(before.lstrip()):
            return self._drop(length.start(), "bytes that are not a header")
        end = _END.search(self._buffer, length.end() - 2, length.end() + _MAX_HEADER_BYTES)
        if end is None:
            if len(self._buffer) - length.end() < _MAX_HEADER_BYTES:
                return None
            return self._drop(length.end(), "a header that does not end")
        size = int(length.group(1))
        if size > self.max_body:
            return self._drop(end.end(), f"a message of {size} bytes: {self.max_body} is the most")
        if len(self._buffer) < end.end() + size:
            return self._header_inside(end.end())
        value = _value(bytes(self._buffer[end.end() : end.end() + size]))
        self._wasted = 0 if isinstance(value, _Value) else self._wasted + size
        # If the body is not JSON, its length may be wrong, so the body is searched for a header. The total is limited,
        # because a body may consist of headers that each span all the following ones.
        again = 0 < self._wasted <= _MOST_WASTED
        self._drop(end.end() + (0 if again else size), "")
        return value

    def _header_inside(self, start: int) -> Garbage | None:
        """A header inside an unfinished body: the length was wrong, and waiting for the rest would lose messages."""
        found = _LENGTH.search(self._buffer, max(start, self._searched - _MAX_LINE_BYTES))
        self._searched = len(self._buffer)
        return self._drop(found.start(), "a message that is shorter than its header says") if found else None

    def _drop(self, count: int, problem: str) -> Garbage:
        del self._buffer[:count]
        self._searched = 0
        return Garbage(problem)


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any


def _value(body: bytes) -> _Value | Garbage:
    try:
        return _Value(json.loads(body))
    except (ValueError, RecursionError) as error:
        return Garbage(f"a message that is not JSON ({type(error).__name__})")
