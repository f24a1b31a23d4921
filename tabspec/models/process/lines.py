"""Parses lines of JSON of limited length, for the worker process, the daemon and their clients.

Bytes in, messages out. A line that is too long is dropped while it arrives, and never held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tabspec.models.messages import LONGEST_LINE, Message, from_line

# Bytes read from a pipe or a socket at a time: the capacity of a pipe on Linux.
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no message; ``problem`` names the fault and holds nothing of the line."""

    problem: str


class MessageParser:
    """Yields a `Message` or an `Unreadable` for each complete line.

    ``limit`` is the longest line in bytes. It may change between two messages: before a handshake it is low.
    """

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        self.limit = limit
        self._line = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[Message | Unreadable]:
        """Add ``data``; yield the lines that are complete now, in order."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._add(data[start:end])
            start = end + 1
            line, too_long = bytes(self._line), self._too_long
            self._line.clear()
            self._too_long = False
            yield Unreadable(f"a line of more than {self.limit} bytes") if too_long else _read(line)
        self._add(data[start:])

    def _add(self, piece: bytes) -> None:
        if self._too_long or len(self._line) + len(piece) > self.limit:
            self._line.clear()
            self._too_long = True
        else:
            self._line += piece


def _read(line: bytes) -> Message | Unreadable:
    try:
        return from_line(line)
    except ValueError as error:
        return Unreadable(str(error))
