"""The editor in a replay: it performs the user's steps, requests a suggestion after each, and shows the answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.replay.results.result import TEXT_CHARS, CacheSample, RequestRecord
from tabspec.replay.users.user import Player, StepKind, UserStep
from tabspec.suggestion import Answer, Miss, Reason, Source, Suggestion

# More samples of the completion cache's size than a chart has pixels.
_CACHE_SAMPLES = 400

Check = Callable[[EditContext, Suggestion], Awaitable[bool]]
Knows = Callable[[EditContext], bool]


class EditorStage:
    """Connects a `Player` with an engine, on the clock of the running loop. ``check`` and ``knows``: see `replay`.

    ``records`` holds the requests in order, ``samples`` the completion cache's size over time, ``stale`` the number of
    suggestions that were wrong when they came, ``rejected`` those shown that the user typed over, and ``failures`` the
    number of failed requests by message.
    """

    def __init__(self, player: Player, engine: CompletionEngine, check: Check | None, knows: Knows | None) -> None:
        self.player, self.engine, self._check, self._knows = player, engine, check, knows
        self.records: list[RequestRecord] = []
        self.samples: list[CacheSample] = []
        self.stale = 0
        self.failures: Counter[str] = Counter()
        self.rejected = 0
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._asked: _PendingRequest | None = None  # the request in flight
        self._shown: _PendingRequest | None = None  # the request whose suggestion is on the screen
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        """Seconds since the replay began."""
        return self._loop.time() - self._start

    async def step(self) -> bool:
        """Wait for the user's next step or the engine's answer, and handle the first. False at the end."""
        coming = self.player.next_event()
        if self._asked is not None:
            wait = None if coming is None else max(coming.time - self.now, 0)
            await asyncio.wait({self._asked.task}, timeout=wait)
            if self._asked.task.done():
                await self._show(self._asked)
                return True
        if coming is None:
            return False
        if coming.time > self.now:
            await asyncio.sleep(coming.time - self.now)
        self._perform(coming)
        return True

    async def end(self) -> None:
        """Close the engine and wait until all requests have ended."""
        await self.engine.close()
        if self._asking:
            await asyncio.wait(self._asking)
        self._sample()

    def _perform(self, step: UserStep) -> None:
        before, shown = self.player.context, self._shown
        self.player.perform(max(self.now, step.time))
        context, self._shown = self.player.context, None
        tab = step.kind is StepKind.ACCEPT
        if shown is not None:
            assert shown.suggestion is not None
            if tab:
                self.engine.accepted(before, shown.suggestion)
                self.records[shown.number] = replace(self.records[shown.number], accepted=True)
            else:
                typed = context.typed_since(before)
                self.rejected += typed is None or not shown.suggestion.text.startswith(typed)
        self._asked = None
        if step.kind is StepKind.SELECT:
            self.engine.rested(context)
        else:
            self._ask(context, tab)

    def _ask(self, context: EditContext, tab: bool) -> None:
        number = len(self.records)
        position = context.document.position(context.offset)
        self.records.append(RequestRecord(self.now, 0.0, Source.NONE, tab=tab, line=position.line + 1))
        asked = _PendingRequest(number, context)
        asked.task = asyncio.create_task(self._answer(asked))
        self._asked = asked
        self._asking.add(asked.task)
        asked.task.add_done_callback(self._asking.discard)

    async def _answer(self, asked: _PendingRequest) -> None:
        answer = await self.engine.complete(asked.context)
        asked.suggestion = answer.suggestion
        if answer.reason in (Reason.FAILED, Reason.UNAVAILABLE):
            self.failures[answer.detail] += 1
        known = self._knows is None or self._knows(asked.context)
        self.records[asked.number] = _record(self.records[asked.number], answer, known)
        self._sample()

    async def _show(self, asked: _PendingRequest) -> None:
        """The latest request has its answer: show the suggestion to the user."""
        asked.task.result()
        self._asked = None
        suggestion = asked.suggestion
        if suggestion is None:
            self.player.withdraw()
            return
        fresh = asked.context.same_place(self.player.context)
        if not fresh or (self._check is not None and not await self._check(asked.context, suggestion)):
            self.stale += 1
        if fresh:
            self._shown = asked
            self.records[asked.number] = replace(self.records[asked.number], shown=True)
            self.engine.shown(asked.context, suggestion)
            self.player.offer(suggestion, self.now)

    def _sample(self) -> None:
        cache = self.engine.completion_cache
        sample = CacheSample(self.now, len(cache), cache.bytes)
        if not self.samples or (sample.entries, sample.bytes) != (self.samples[-1].entries, self.samples[-1].bytes):
            self.samples.append(sample)
        if len(self.samples) > 2 * _CACHE_SAMPLES:
            self.samples = self.samples[::2]


class _PendingRequest:
    """A request: its index in the records, and its suggestion once it is answered."""

    task: asyncio.Task[None]

    def __init__(self, number: int, context: EditContext) -> None:
        self.number, self.context = number, context
        self.suggestion: Suggestion | None = None


def _record(asked: RequestRecord, answer: Answer, known: bool) -> RequestRecord:
    suggestion = answer.suggestion
    miss = answer.miss
    if asked.tab and suggestion is None and not answer.cached:
        nothing = answer.reason in (Reason.EMPTY, Reason.WITHHELD, Reason.REJECTED)
        miss = Miss.UNKNOWN if not nothing else Miss.NO_SUGGESTION
    if asked.tab and suggestion is None and not known:
        miss = Miss.UNRECORDED
    return replace(
        asked,
        ms=answer.waited * 1000,
        source=answer.source.value,
        reason=answer.reason and answer.reason.value,
        chars=len(suggestion.text) if suggestion else 0,
        text=suggestion.text[:TEXT_CHARS] if suggestion else "",
        miss=miss and miss.value,
        cached=answer.cached,
    )
