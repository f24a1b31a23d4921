"""From a stream of bytes to messages: LSP's base protocol (`Content-Length` headers), and the way back out of garbage.

Pure: bytes in, JSON values out. After something that cannot be read, reading goes on at the next header: a raw CR LF
behind ``Content-Length: N`` does not stand inside of a message, because JSON escapes line ends in strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A document of 10 million characters (EngineConfig.max_document_chars) takes at most 60 MB as escaped JSON.
MAX_BODY_BYTES = 128 << 20
# Before `initialize` has been answered. It holds capabilities and options: VS Code's has 20 KB.
FIRST_BODY_BYTES = 1 << 20
# Bytes of bodies that are no JSON, and are searched for a message nevertheless: 0.1 s of reading.
_MOST_WASTED = 32 << 20
# Two short lines are usual; what goes on for longer without an empty line is no header.
_MAX_HEADER_BYTES = 4096
# The longest beginning of a Content-Length line that may still be completed by the next read.
_MAX_LINE_BYTES = 64

_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?\n", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")
_OTHER_FIELDS = re.compile(rb"(?:[\w-]+:[^\r\n]*\r?\n)*")


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that were no message; ``problem`` says why. Anything may have been in them."""

    problem: str


class FrameParser:
    """Feed it what was read; it yields the JSON values in it, and one `Garbage` for each stretch that is none.

    A message of more than ``max_body`` bytes is refused by its header, before it is read. The limit may be changed
    between two messages.
    """

    def __init__(self, max_body: int = MAX_BODY_BYTES) -> None:
        self.max_body = max_body
        self._buffer = bytearray()
        self._searched = 0  # how far an unfinished body has been looked through
        self._wasted = 0  # bytes of bodies that were no JSON, since the last message
        self._lost = False  # inside a stretch of garbage that has been reported

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take in ``data``; yield what is complete by now, in order."""
        self._buffer += data
        while (item := self._next()) is not None:
            if isinstance(item, _Value):
                self._lost = False
                yield item.value
            elif not self._lost:  # reported once in a stretch
                self._lost = True
                yield item

    def _next(self) -> _Value | Garbage | None:
        """The next message, or why bytes were dropped; None if more has to be read."""
        length = _LENGTH.search(self._buffer)
        if length is None:
            if len(self._buffer) <= _MAX_HEADER_BYTES:
                return None
            return self._drop(len(self._buffer) - _MAX_LINE_BYTES, "bytes that are no header")
        before = bytes(self._buffer[: length.start()])
        if not _OTHER_FIELDS.fullmatch(before.lstrip()):
            return self._drop(length.start(), "bytes that are no header")
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
        # The length of what is not JSON may have been wrong: what it spans is searched for a header, too. Not without
        # end, since it may be made of headers that each span all others.
        again = 0 < self._wasted <= _MOST_WASTED
        self._drop(end.end() + (0 if again else size), "")
        return value

    def _header_inside(self, start: int) -> Garbage | None:
        """A header inside of a body that has not come to its end: its length was wrong. Waiting would take the rest."""
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
