"""The text that a generation writes: whole characters, where it has to stop, and where a new line begins.

No torch and no tokens here: bytes go in, text comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tabspec.models.protocol import StopRule
from tabspec.prompt.window import canonical_cut


class Event(Enum):
    """What has happened to the text."""

    GOES_ON = "goes on"
    CUT = "cut"  # a line end was written and the canonical cut has moved: what was written behind it is void
    STOP = "stop"  # a stop rule holds
    BROKEN = "broken"  # the bytes are no UTF-8 any more


@dataclass
class Writing:
    """The document's text before the hole (``head``, then what is ``known``), and what is written behind it.

    ``known`` is the text behind the head that is decided already: forced, or written before a cut. ``cursor`` is
    the length of ``head + known`` that stands before the cursor; what lies behind it belongs to the suggestion.
    """

    head: str
    known: str
    cursor: int
    stop: StopRule
    held: bytes = b""  # of a character that is not complete yet

    @classmethod
    def start(cls, head: str, forced: str, resume: str, stop: StopRule) -> Writing:
        """With ``resume`` already written; the head is moved on to its last canonical cut."""
        writing = cls(head, forced + resume, len(head) + len(forced), stop)
        writing.move_cut()
        return writing

    @property
    def text(self) -> str:
        """Everything before the place where the next character goes."""
        return self.head + self.known

    @property
    def suggestion(self) -> str:
        """What has been written behind the cursor."""
        return self.text[self.cursor :]

    def stopped(self) -> bool:
        """Whether the stop rule holds for what is there already (it can, for a resumed generation)."""
        return self.stop.end(self.suggestion) is not None

    def move_cut(self) -> bool:
        """Move the head on to the text's canonical cut; whether it has moved."""
        text = self.text
        cut = canonical_cut(text)
        if cut <= len(self.head):  # (before it: the head of a very long line)
            return False
        self.head, self.known, self.held = text[:cut], text[cut:], b""
        return True

    def write(self, data: bytes) -> tuple[str, Event]:
        """Bytes of a token: the characters that are complete by now and belong to the suggestion, and what happened.

        A line end that moves the canonical cut ends the write: the rest of the token depends on a choice that, from
        there on, is made anew (docs/design/decoding.md, rule 5).
        """
        chars, self.held, broken = _decode(self.held + data)
        for i, char in enumerate(chars):
            if char in "\r\n" and canonical_cut(self.text + chars[: i + 1]) > len(self.head):
                piece, stopped = self._append(chars[: i + 1])
                return piece, Event.STOP if stopped else Event.CUT
        piece, stopped = self._append(chars)
        return piece, Event.STOP if stopped else Event.BROKEN if broken else Event.GOES_ON

    def _append(self, chars: str) -> tuple[str, bool]:
        """Append, up to where the stop rule holds; what was appended, and whether it holds."""
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
