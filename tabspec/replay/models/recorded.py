"""The recording's own assistant as a model: it answers what it answered then, for the document states it was asked at.

What a side file means was learned from the data, where all 31 accepted suggestions of vscode-ts-customized-tests
come out exactly: a range counts lines and UTF-16 columns from 1; applying its text to the document as it was at the
fetch gives the document after the accept. Inline completions (``isInlineEdit`` false) replace the line from its
beginning up to the cursor or beyond, so what they say at the cursor is their text behind what stands before it there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import median

from tabspec.context import EditContext
from tabspec.errors import ModelNotUsable, PositionError
from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.replay.sessions.session import Fetch, Fetched, FetchedItem, Selection, Session, with_cursors
from tabspec.suggestion import Finish
from tabspec.text import Document, Position

# An answer that came faster was in the assistant's own cache (210 of 329 in the recording above, most within 10 ms),
# and says nothing of how long its model takes.
CACHED_MS = 30.0

# The assistant's tokens are not known: counted as code tokens of that many characters.
CHARS_PER_TOKEN = 4

_RANGE = re.compile(r"\[(\d+),(\d+) -> (\d+),(\d+)\]")
_CLOSERS = re.compile(r"""[\s)\]}>"'`;,]*""")
_KEY_CHARS = 64  # of the text before the cursor, to find a state by; what is found is compared in full


class AnswerKind(IntEnum):
    """What is known of a state's answer; of several answers at one state, the highest kind counts."""

    EMPTY = 0  # the assistant had nothing to say
    ELSEWHERE = 1  # an edit that is no continuation at the cursor: there is no way to say it as one
    CANCELLED = 2  # a continuation that came when nobody waited any more
    SAID = 3


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What the assistant answered at ``context``, and how long it took; ``ms`` is None if it had it in its cache.
    ``others`` are what else it offered there."""

    context: EditContext
    kind: AnswerKind
    text: str = ""
    ms: float | None = None
    others: tuple[str, ...] = ()


def recorded_answers(session: Session) -> Iterator[RecordedAnswer]:
    """The answers in a session's side file, in recorded order. Fetches without a usable answer are left out."""
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
            if answer is not None and (answer.items or answer.error is None):
                yield _answer(EditContext(document, cursor), answer)


def _answer(context: EditContext, fetched: Fetched) -> RecordedAnswer:
    ms = None if fetched.ms <= CACHED_MS else fetched.ms
    if not fetched.items:
        return RecordedAnswer(context, AnswerKind.EMPTY, ms=ms)
    said, *others = dict.fromkeys(text for item in fetched.items if (text := _continuation(context, item))) or [None]
    if said is None:
        return RecordedAnswer(context, AnswerKind.ELSEWHERE, ms=ms)
    kind = AnswerKind.SAID if fetched.error is None else AnswerKind.CANCELLED
    return RecordedAnswer(context, kind, said, ms, tuple(filter(None, others)))


def _continuation(context: EditContext, item: FetchedItem) -> str | None:
    """What ``item`` says from the cursor on; None if it changes something before the cursor, or somewhere else."""
    numbers = _RANGE.fullmatch(item.range)
    if numbers is None:
        return None
    line, column, to_line, to_column = (int(number) - 1 for number in numbers.groups())
    try:
        start = context.document.offset(Position(line, column))
        stop = context.document.offset(Position(to_line, to_column))
    except PositionError:
        return None
    before = context.document.text[start : context.offset]
    if not start <= context.offset <= stop or not item.text.startswith(before):
        return None
    said = item.text[len(before) :]
    behind = context.document.text[context.offset : stop]
    if behind and said.endswith(behind):
        return said[: -len(behind)]  # it says again what stands there
    # Closers that it replaces are the post-processing's business. What else it replaces, no continuation can.
    return said if _CLOSERS.fullmatch(behind) else None


@dataclass
class RecordedModel:
    """Serves a session's `recorded_answers`. A model of one session: give it requests about this one only.

    ``latency_s``: seconds for each answer; None takes the recorded times (where none is known, or the answer came out
    of the assistant's own cache, the median of the others that said something). It waits on the running loop's
    clock by itself. States at which the assistant was not asked are answered with nothing, and counted in ``unknown``;
    answers that are edits elsewhere in ``elsewhere``. Answers come whole, in one chunk: the assistant ended them
    itself, so no stop rule cuts them. Raises `ModelNotUsable` for a session without recorded answers.
    """

    session: Session
    latency_s: float | None = None
    asked: int = 0
    unknown: int = 0
    elsewhere: int = 0
    median_ms: float = 0.0
    _states: dict[str, list[RecordedAnswer]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        answers = list(recorded_answers(self.session))
        if not answers:
            raise ModelNotUsable(
                f"{self.session.name or 'session'}: no assistant was recorded with it (there is no side file beside "
                "it, or no fetch in it); name another model"
            )
        times = [answer.ms for answer in answers if answer.kind is AnswerKind.SAID and answer.ms is not None]
        self.median_ms = median(times or [0.0])
        for answer in _best(answers):
            self._states.setdefault(_key(answer.context.prefix), []).append(answer)

    @property
    def info(self) -> ModelInfo:
        name = f"recorded:{self.session.name}"
        return ModelInfo(name, name, 1 << 30, "answers of the assistant that ran while the session was recorded")

    def knows(self, context: EditContext) -> bool:
        """Whether the assistant was asked at just this state and cursor, and had an answer."""
        return self._find(context.prefix, context.suffix) is not None

    @property
    def note(self) -> str:
        """One line for a report: how much of what was asked the recording could not know."""
        return (
            f"of {self.asked} states asked for, the recorded assistant was never asked at {self.unknown}, and answered "
            f"{self.elsewhere} with an edit that is no continuation at the cursor: nothing is offered there"
        )

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        found = self._find(request.prefix, request.suffix)
        self.asked += 1
        self.unknown += found is None
        self.elsewhere += found is not None and found.kind is AnswerKind.ELSEWHERE
        ms = self.median_ms if found is None or found.ms is None else found.ms
        await asyncio.sleep(ms / 1000 if self.latency_s is None else self.latency_s)
        if request.beginnings:  # whole texts; how likely they were, the recording does not tell
            others = found.others if found is not None else ()
            yield Chunk(beginnings=tuple(Beginning(_plain(other), 0.0) for other in others)[: request.beginnings])
            yield Chunk(finish=Finish.END)
            return
        text = _plain(found.text).removeprefix(request.resume) if found is not None else ""
        prompt = (len(request.prefix) + len(request.suffix)) // CHARS_PER_TOKEN
        yield Chunk(text, usage=Usage(prompt, 0, -(-len(text) // CHARS_PER_TOKEN)))
        yield Chunk(finish=Finish.END)

    async def close(self) -> None:
        return None

    def _find(self, prefix: str, suffix: str) -> RecordedAnswer | None:
        """The answer for the state that a window (``prefix``, ``suffix``) was cut from."""
        prefix, suffix = _plain(prefix), _plain(suffix)
        for answer in self._states.get(_key(prefix), ()):
            if _plain(answer.context.prefix).endswith(prefix) and _plain(answer.context.suffix).startswith(suffix):
                return answer
        return None


def _best(answers: Iterable[RecordedAnswer]) -> Iterable[RecordedAnswer]:
    """One answer for each state: of the highest kind, and of those the one that took the longest.

    The others came out of a cache, or from a provider that had nothing to say.
    """
    best: dict[tuple[str, int], RecordedAnswer] = {}
    for answer in answers:
        state = (answer.context.document.text, answer.context.offset)
        known = best.get(state)
        if known is None or (answer.kind, answer.ms or 0) > (known.kind, known.ms or 0):
            best[state] = answer
    return best.values()


def _key(prefix: str) -> str:
    return _plain(prefix[-2 * _KEY_CHARS :])[-_KEY_CHARS:]


def _plain(text: str) -> str:
    """With ``\\n`` as the only line end, as the engine asks its models."""
    return text.replace("\r\n", "\n") if "\r" in text else text
