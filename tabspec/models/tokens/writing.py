"""The text that a generation writes: from bytes to whole characters, with the places where it stops or passes a line
end. Imports no torch, and handles no tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tabspec.models.protocol import StopRule
from tabspec.prompt.window import canonical_cut


class Event(Enum):
    """The result of a write."""

    GOES_ON = "goes on"
    CUT = "cut"  # a line end was written and the canonical cut has moved: bytes after it are dropped
    STOP = "stop"  # a stop rule holds
    BROKEN = "broken"  # the bytes are not UTF-8


@dataclass
class Writing:
    """The document's text before the hole (``head``, then ``known``), to which a generation appends.

    ``known`` is the text after the head that is decided already: forced, or written before a cut. ``cursor`` is the
    length of ``head + known`` before the cursor; the text after it belongs to the suggestion.
    """

    head: str
    known: str
    cursor: int
    stop: StopRule
    held: bytes = b""  # of a character that is not complete yet

    @classmethod
    def start(cls, head: str, forced: str, resume: str, stop: StopRule) -> Writing:
        """With ``resume`` already written; the head is extended to the last canonical cut."""
        writing = cls(head, forced + resume, len(head) + len(forced), stop)
        writing.move_cut()
        return writing

    @property
    def text(self) -> str:
        """All text before the next character."""
        return self.head + self.known

    @property
    def suggestion(self) -> str:
        """The text written after the cursor."""
        return self.text[self.cursor :]

    def stopped(self) -> bool:
        """Whether the stop rule holds already (which is possible for a resumed generation)."""
        return self.stop.end(self.suggestion) is not None

    def move_cut(self) -> bool:
        """Extend the head to the text's canonical cut. Returns whether it has changed."""
        text = self.text
        cut = canonical_cut(text)
        if cut <= len(self.head):  # (before it: the head of a very long line)
            return False
        self.head, self.known, self.held = text[:cut], text[cut:], b""
        return True

    def write(self, data: bytes) -> tuple[str, Event]:
        """Append the bytes of a token. Returns the characters that are complete now and belong to the suggestion.

        A line end that moves the canonical cut ends the write, because the tokens after it are chosen anew
        (docs/design/decoding.md, rule 5).
        """
        chars, self.held, broken = _decode(self.held + data)
        for i, char in enumerate(chars):
            if char in "\r\n" and canonical_cut(self.text + chars[: i + 1]) > len(self.head):
                piece, stopped = self._append(chars[: i + 1])
                return piece, Event.STOP if stopped else Event.CUT
        piece, stopped = self._append(chars)
        return piece, Event.STOP if stopped else Event.BROKEN if broken else Event.GOES_ON

    def _append(self, chars: str) -> tuple[str, bool]:
        """Append, up to where the stop rule holds. Returns what was appended, and whether the rule holds."""
        written = self.suggestion
        before = len(written)
        end = self.stop.end(written + chars, before)
        piece = chars if end is None else chars[: end - before]
        self.known += piece
        return piece, end is not None


def _decode(data: bytes) -> tuple[str, bytes, bool]:
    """The characters that ``data`` holds, the bytes of the unfinished one at its end, and whether it is broken."""
    try:
        return data.decode("utf-8"), b"", False
    except UnicodeDecodeError as error:
        text = data[: error.start].decode("utf-8")
        unfinished = error.reason == "unexpected end of data"
        return text, data[error.start :] if unfinished else b"", not unfinished


def writable(text: str) -> str:
    """``text`` with lone surrogates (which editors can send, and UTF-8 cannot hold) replaced by U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
