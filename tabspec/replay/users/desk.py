"""The documents that are open at a moment of a recording, as the user has changed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from tabspec.context import MOST_OTHERS
from tabspec.replay.sessions.session import Session
from tabspec.text import Document


@dataclass(frozen=True)
class Desk:
    """The open documents of a session with these ``parts``, by the number of their part; the one used last at the end.

    ``time``: the moment, in seconds of the recording.
    """

    parts: Sequence[Session]
    time: float
    open: Mapping[int, Document]

    @classmethod
    def of(cls, parts: Sequence[Session], time: float, part: int) -> Desk:
        """The documents that are open when the recording begins, at ``time`` in document ``part``."""
        opened = sorted(range(len(parts)), key=lambda at: parts[at].opened)
        now = {parts[at].uri: at for at in opened if parts[at].opened <= time <= _closed(parts[at])}
        now[parts[part].uri] = part
        return cls(parts, time, {at: _document(parts[at]) for at in opened if now.get(parts[at].uri) == at})

    def at(self, time: float, part: int) -> tuple[Desk, tuple[str, ...]]:
        """The documents when an action is made at ``time`` in document ``part``, and the URIs of those closed since.

        What happens to other documents at the same time counts as later.
        """
        open, closed = dict(self.open), list[str]()
        for number in [number for number in open if number != part and _closed(self.parts[number]) < time]:
            closed.append(open.pop(number).uri)
        for number in sorted(range(len(self.parts)), key=lambda at: self.parts[at].opened):
            one = self.parts[number]
            if number in open or not (number == part or self.time <= one.opened < time <= _closed(one)):
                continue
            for other in [other for other, document in open.items() if document.uri == one.uri]:
                del open[other]
                closed += [one.uri] if self.parts[other].closed is not None else []
            open[number] = _document(one)
        return Desk(self.parts, time, open), tuple(closed)

    def used(self, part: int, document: Document) -> Desk:
        """The user is in a document now, which has changed to ``document``."""
        others = {number: other for number, other in self.open.items() if number != part}
        return Desk(self.parts, self.time, {**others, part: document})

    def part(self, uri: str) -> int:
        """The part of an open document."""
        return next(number for number, document in self.open.items() if document.uri == uri)

    def others(self, part: int) -> tuple[Document, ...]:
        """The documents beside ``part``, the last used first."""
        others = [document for number, document in self.open.items() if number != part]
        return tuple(others[::-1][:MOST_OTHERS])


def _closed(session: Session) -> float:
    return inf if session.closed is None else session.closed


def _document(session: Session) -> Document:
    return Document(session.uri, session.text, session.language)
