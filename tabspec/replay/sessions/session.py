"""The values of a recorded edit session.

A session is the document at the start, and events in the order of their times (in seconds). `Side` has the selections
of the editor and the actions of its assistant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tabspec.errors import PositionError, SessionError
from tabspec.text import Edit, apply_edits

FORMAT = "tabspec-session"
VERSION = 1

# Longer documents get no suggestions (the engine's `max_document_chars`).
MAX_DOCUMENT_CHARS = 10_000_000

# Edits and other events of a session. A day of typing has 16,000; each takes about 400 bytes in memory.
MAX_EVENTS = 1_000_000

MARK_KINDS = frozenset({"select", "request", "show", "accept", "partial_accept", "reject", "jump", "close"})

# VS Code records the selection within 5 ms of the change that moved the cursor, where a person takes longer
# (vscode-ts-customized-tests: 1,042 of 1,060 first selections after a change come within 50 ms).
SAME_MOMENT_S = 0.05

ACCEPT_REASON = "inlineSuggestion.accept"
"""The reason that VS Code records for an edit that accepts a suggestion."""


@dataclass(frozen=True, slots=True)
class EditEvent:
    """A change at ``t`` seconds: ``edits``, each applied to the result of the previous one.

    ``cursor`` is the offset of the cursor afterwards, if it was recorded.
    """

    t: float
    edits: tuple[Edit, ...]
    cursor: int | None = None

    @property
    def likely_cursor(self) -> int:
        """The cursor afterwards: as recorded, otherwise after the longest insertion (the last one of equal length).

        Editors insert a line end and trim the white space before it in one change. The cursor is then after the line
        end, not at the trimmed place. Without insertions it is at the last edit.
        """
        if self.cursor is not None or not self.edits:
            return self.cursor or 0
        main = max(range(len(self.edits)), key=lambda i: (len(self.edits[i].insert), i))
        offset = self.edits[main].end
        for later in self.edits[main + 1 :]:
            if later.offset + later.delete <= offset:
                offset += len(later.insert) - later.delete
            elif later.offset < offset:
                offset = later.end
        return offset


@dataclass(frozen=True, slots=True)
class MarkEvent:
    """An event that is not an edit. ``kind`` is one of `MARK_KINDS`, ``data`` has its other fields."""

    t: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cursor(self) -> int | None:
        """The offset of the cursor, if the event has one."""
        value = self.data.get("cursor")
        return value if isinstance(value, int) and not isinstance(value, bool) else None


SessionEvent = EditEvent | MarkEvent


@dataclass(frozen=True, slots=True)
class Selection:
    """Selections (start, end offsets) set at ``t``, after edit event ``after`` (-1: before the first)."""

    t: float
    after: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """The assistant was asked at ``t`` for the document as it was after edit event ``after``."""

    t: float
    after: int
    id: int


@dataclass(frozen=True, slots=True)
class FetchedItem:
    """A suggestion: replace ``range`` ("[line,column -> line,column]", from 1, UTF-16 columns) by ``text``.

    ``isInlineEdit`` (VS Code's name) is set for edits that may be away from the cursor.
    """

    range: str
    text: str
    isInlineEdit: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to fetch ``id`` at ``t``, after ``ms`` milliseconds. ``error`` is "canceled" if it was cancelled."""

    t: float
    id: int
    ms: float
    result: tuple[FetchedItem, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeReason:
    """The reason of edit event number ``event``, as the editor recorded it (`ACCEPT_REASON`, "snippet", …)."""

    event: int
    reason: str


SideEvent = Selection | Fetch | Fetched | ChangeReason


@dataclass(frozen=True)
class Side:
    """Side events, in recorded order."""

    events: tuple[SideEvent, ...] = ()

    @cached_property
    def selections(self) -> tuple[Selection, ...]:
        return tuple(event for event in self.events if isinstance(event, Selection))

    @cached_property
    def fetched(self) -> Mapping[int, Fetched]:
        """Answers by the id of their fetch."""
        return {event.id: event for event in self.events if isinstance(event, Fetched)}

    @cached_property
    def accepts(self) -> frozenset[int]:
        """Numbers of the edit events that were accepted suggestions."""
        reasons = (event for event in self.events if isinstance(event, ChangeReason))
        return frozenset(event.event for event in reasons if event.reason == ACCEPT_REASON)


@dataclass(frozen=True)
class Session:
    """A recorded series of edits to one document; ``synthetic`` if a program made it.

    Sessions with the same ``recording`` have one clock: they are of documents that were open in one editor. ``opened``
    is when this one was opened, with ``text``. ``others``: those that are replayed together with this one.
    ``extra`` holds header fields that this version does not know. ``cut_off`` is the place where a damaged file ended.
    ``spread``: timestamps of whole seconds were spread over their second. ``warnings`` are lines for the user.
    """

    text: str
    events: tuple[SessionEvent, ...] = ()
    source: str = ""
    licence: str = ""
    language: str = ""
    uri: str = "file:///session"
    synthetic: bool = False
    recording: str = ""
    opened: float = 0.0
    others: tuple[Session, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    side: Side = Side()
    name: str = ""
    cut_off: str | None = None
    spread: bool = False
    warnings: tuple[str, ...] = ()

    @cached_property
    def edits(self) -> tuple[EditEvent, ...]:
        """The edit events; the numbers in a side file count these."""
        return tuple(event for event in self.events if isinstance(event, EditEvent))

    @property
    def parts(self) -> tuple[Session, ...]:
        """This session and its others, one for each document and each time that it was opened."""
        return (self, *self.others)

    @property
    def closed(self) -> float | None:
        """When the document was closed; None if it stayed open."""
        last = self.events[-1] if self.events else None
        return last.t if isinstance(last, MarkEvent) and last.kind == "close" else None

    @cached_property
    def accepts(self) -> frozenset[int]:
        """Numbers of the edit events that were accepted suggestions, from the side file and from accept marks.

        The edit is the next event after its mark. If the mark is ``late``, the edit is the previous event.
        """
        marked, number = set[int](), 0
        for event in self.events:
            if isinstance(event, EditEvent):
                number += 1
            elif event.kind == "accept":
                marked.add(number - 1 if event.data.get("late") else number)
        return self.side.accepts | frozenset(marked)

    @property
    def seconds(self) -> float:
        """Recorded time from the first event to the last."""
        return self.events[-1].t - self.events[0].t if self.events else 0.0

    def final_text(self) -> str:
        """The document after all edits. Raises `SessionError` for an edit outside the document."""
        text = self.text
        for number, event in enumerate(self.edits):
            try:
                text = apply_edits(text, event.edits)
            except PositionError as error:
                raise SessionError(f"{self.name or 'session'}: edit event {number}: {error}") from None
        return text


def whole_seconds(events: Sequence[SessionEvent]) -> bool:
    """Whether the timestamps are whole seconds: all of them integral, and at least two equal."""
    stamps = [event.t for event in events]
    return all(t.is_integer() for t in stamps) and len(set(stamps)) < len(stamps)


def spread_seconds(session: Session) -> Session:
    """If the timestamps are whole seconds, spread the events of each second evenly over it.

    In such recordings 70 % of the gaps are 0, which is not how a person types. The order is kept, and so is the second
    of each event.
    """
    if not whole_seconds(session.events):
        return session
    total = Counter(event.t for event in session.events)
    seen: Counter[float] = Counter()
    events: list[SessionEvent] = []
    for event in session.events:
        events.append(replace(event, t=event.t + seen[event.t] / total[event.t]))
        seen[event.t] += 1
    return replace(session, events=tuple(events), spread=True)


def with_cursors(events: Iterable[EditEvent], side: Iterable[SideEvent]) -> list[EditEvent]:
    """The events, each with the cursor of the selection that was recorded at the same moment, if there is one."""
    first: dict[int, Selection] = {}
    for each in side:
        if isinstance(each, Selection):
            first.setdefault(each.after, each)
    result = []
    for number, event in enumerate(events):
        cursor, selection = event.cursor, first.get(number)
        if cursor is None and selection is not None and selection.t - event.t <= SAME_MOMENT_S:
            cursor = selection.ranges[0][1] if selection.ranges else None
        result.append(EditEvent(event.t, event.edits, cursor))
    return result
