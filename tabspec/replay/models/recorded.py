"""A model that replays the answers of the assistant that ran while the session was recorded.

The meaning of a side file was inferred from recorded data. With the rules below, all 31 accepted suggestions of
vscode-ts-customized-tests are reproduced exactly. A range counts lines and UTF-16 columns from 1. Applying the item's
text to that range of the document at the time of the fetch yields the document after the accept. Inline completions
(``isInlineEdit`` false) replace the line from its start to the cursor or further. Their continuation at the cursor is
therefore their text without the part of the line before the cursor.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from statistics import median

from tabspec.context import EditContext
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.errors import ModelNotUsable, PositionError
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.replay.sessions.session import Fetch, Fetched, FetchedItem, Selection, Session, with_cursors
from tabspec.suggestion import Finish
from tabspec.text import Document, Edit, Position, difference, with_lf

# Milliseconds. A faster answer came from the assistant's own cache (210 of 329 in the recording above, most within
# 10 ms), so its time is not the latency of the model.
CACHED_MS = 30.0

# What the assistant showed was taken 31 times of 99 (vscode-ts-customized-tests).
_RECORDED = 0.31
# The assistant's tokens are unknown. They are estimated with this many characters for each token of code.
CHARS_PER_TOKEN = 4

_RANGE = re.compile(r"\[(\d+),(\d+) -> (\d+),(\d+)\]")
_CLOSERS = re.compile(r"""[\s)\]}>"'`;,]*""")
_KEY_CHARS = 64  # of the text before the cursor, as the key of the lookup; a state that is found is compared in full


class AnswerKind(IntEnum):
    """The kind of a recorded answer. If a state has several answers, the one of the highest kind is used."""

    EMPTY = 0  # the assistant returned no item
    ELSEWHERE = 1  # an edit that cannot be written as a continuation at the cursor
    CANCELLED = 2  # a continuation that arrived after its request was cancelled
    SUGGESTED = 3  # a continuation


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The assistant's answer at ``context``. ``ms`` is its latency, or None if it came from the assistant's cache.
    ``edit`` is the change of an answer that is `AnswerKind.ELSEWHERE`."""

    context: EditContext
    kind: AnswerKind
    text: str = ""
    ms: float | None = None
    edit: Edit | None = None


def recorded_answers(session: Session) -> Iterator[RecordedAnswer]:
    """The answers in a session's side file, in recorded order. Fetches without a usable answer are skipped."""
    events = with_cursors(session.edits, session.side.events)
    document = Document(session.uri, session.text, session.language)
    done, cursor = -1, 0
    for event in session.side.events:
        if isinstance(event, Selection | Fetch):
            while done < event.after:
                done += 1
                for edit in events[done].edits:
                    document = document.edited(edit)
                cursor = min(events[done].likely_cursor, len(document.text))
        if isinstance(event, Selection) and event.ranges and event.after == done:
            cursor = min(event.ranges[0][1], len(document.text))
        if isinstance(event, Fetch) and event.after == done:
            answer = session.side.fetched.get(event.id)
            if answer is not None and (answer.result or answer.error is None):
                yield _answer(EditContext(document, cursor), answer)


def _answer(context: EditContext, fetched: Fetched) -> RecordedAnswer:
    ms = None if fetched.ms <= CACHED_MS else fetched.ms
    if not fetched.result:
        return RecordedAnswer(context, AnswerKind.EMPTY, ms=ms)
    text = next(filter(None, (_continuation(context, item) for item in fetched.result)), None)
    if text is None:
        edits = (_edit(context, item) for item in fetched.result)
        return RecordedAnswer(context, AnswerKind.ELSEWHERE, ms=ms, edit=next(filter(None, edits), None))
    kind = AnswerKind.SUGGESTED if fetched.error is None else AnswerKind.CANCELLED
    return RecordedAnswer(context, kind, text, ms)


def _continuation(context: EditContext, item: FetchedItem) -> str | None:
    """The text of ``item`` from the cursor onwards, or None if it is not a continuation: it changes text before the
    cursor, or in another place."""
    place = _range(context, item)
    if place is None:
        return None
    start, stop = place
    before = context.document.text[start : context.offset]
    if not start <= context.offset <= stop or not item.text.startswith(before):
        return None
    text = item.text[len(before) :]
    replaced = context.document.text[context.offset : stop]
    if replaced and text.endswith(replaced):
        return text[: -len(replaced)]  # it repeats the text after the cursor, so it only inserts
    # Post-processing handles closing brackets that are replaced. A continuation cannot replace any other text.
    return text if _CLOSERS.fullmatch(replaced) else None


def _edit(context: EditContext, item: FetchedItem) -> Edit | None:
    """What ``item`` changes of the document; None if that is nothing, or its range lies outside."""
    place = _range(context, item)
    if place is None:
        return None
    start, stop = place
    change = difference(context.document.text[start:stop], item.text)
    return replace(change, offset=start + change.offset) if change is not None else None


def _range(context: EditContext, item: FetchedItem) -> tuple[int, int] | None:
    """The range of ``item`` in code points; None if it does not lie in the document."""
    numbers = _RANGE.fullmatch(item.range)
    if numbers is None:
        return None
    line, column, to_line, to_column = (int(number) - 1 for number in numbers.groups())
    try:
        start = context.document.offset(Position(line, column))
        stop = context.document.offset(Position(to_line, to_column))
    except PositionError:
        return None
    return (start, stop) if start <= stop else None


@dataclass
class RecordedModel:
    """A model that returns the `recorded_answers` of ``session``. Its requests must come from this session.

    ``latency_s`` is the latency of each answer in seconds; the model waits that long on the running loop's clock. None
    means the recorded latency. Where that is unknown, the median latency of the recorded continuations is used.
    At a state without a recorded request the answer is empty, and ``unknown`` counts it. ``elsewhere`` counts answers
    that are edits in another place. An answer is one chunk. No stop rule applies to it, because the assistant has
    already ended it. `edit_at` gives its edits in other places. Raises `ModelNotUsable` for a session without
    recorded answers.
    """

    session: Session
    latency_s: float | None = None
    asked: int = 0
    unknown: int = 0
    elsewhere: int = 0
    served: int = 0
    median_ms: float = 0.0
    _states: dict[str, list[RecordedAnswer]] = field(default_factory=dict, repr=False)
    _edits: dict[str, Edit] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        answers = list(recorded_answers(self.session))
        if not answers:
            raise ModelNotUsable(
                f"{self.session.name or 'session'}: no assistant was recorded with it (it has no side file, or "
                "one without fetches); name another model"
            )
        times = [answer.ms for answer in answers if answer.kind is AnswerKind.SUGGESTED and answer.ms is not None]
        self.median_ms = median(times or [0.0])
        self._edits = {each.context.document.text: each.edit for each in answers if each.edit is not None}
        for answer in _best(answers):
            self._states.setdefault(_key(answer.context.prefix), []).append(answer)

    @property
    def info(self) -> ModelInfo:
        name = f"recorded:{self.session.name}"
        return ModelInfo(name, name, 1 << 30, "answers of the assistant that ran while the session was recorded")

    def knows(self, context: EditContext) -> bool:
        """Whether there is a recorded answer for exactly this document state and cursor."""
        return self._find(context.prefix, context.suffix) is not None

    def edit_at(self, context: EditContext) -> ProposedEdit | None:
        """The next edit that the assistant proposed for this document, as an answer that is no continuation.

        The cursor does not count: an edit stays on the screen while the person moves to it.
        """
        change = self._edits.get(context.document.text)
        if change is None:
            return None
        self.served += 1
        return ProposedEdit(context.uri, change, change.end, EditSource.RECORDED, _RECORDED)

    @property
    def note(self) -> str:
        """One line for a report: how many requests the recording could not answer."""
        return (
            f"of {self.asked} states asked for, the recorded assistant was never asked at {self.unknown}, and answered "
            f"{self.elsewhere} with an edit that is no continuation at the cursor"
            + (f", which was offered {self.served} times" if self.served else ": nothing is offered there")
        )

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        found = self._find(request.prefix, request.suffix)
        self.asked += 1
        self.unknown += found is None
        self.elsewhere += found is not None and found.kind is AnswerKind.ELSEWHERE
        ms = self.median_ms if found is None or found.ms is None else found.ms
        await asyncio.sleep(ms / 1000 if self.latency_s is None else self.latency_s)
        text = with_lf(found.text).removeprefix(request.resume) if found is not None else ""
        prompt = (len(request.prefix) + len(request.suffix)) // CHARS_PER_TOKEN
        yield Chunk(text, usage=Usage(prompt, 0, -(-len(text) // CHARS_PER_TOKEN)))
        yield Chunk(finish=Finish.END)

    async def close(self) -> None:
        return None

    def _find(self, prefix: str, suffix: str) -> RecordedAnswer | None:
        """The answer for the document state whose window is (``prefix``, ``suffix``)."""
        prefix, suffix = with_lf(prefix), with_lf(suffix)
        for answer in self._states.get(_key(prefix), ()):
            if with_lf(answer.context.prefix).endswith(prefix) and with_lf(answer.context.suffix).startswith(suffix):
                return answer
        return None


def _best(answers: Iterable[RecordedAnswer]) -> Iterable[RecordedAnswer]:
    """One answer for each state: of the highest kind, and among those the slowest.

    The faster ones came from a cache, or from a provider without an answer.
    """
    best: dict[tuple[str, int], RecordedAnswer] = {}
    for answer in answers:
        state = (answer.context.document.text, answer.context.offset)
        known = best.get(state)
        if known is None or (answer.kind, answer.ms or 0) > (known.kind, known.ms or 0):
            best[state] = answer
    return best.values()


def _key(prefix: str) -> str:
    return with_lf(prefix[-2 * _KEY_CHARS :])[-_KEY_CHARS:]
