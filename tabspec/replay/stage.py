"""The editor in a replay: it performs the user's steps, requests a suggestion after each, and shows the answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

from tabspec.context import EditContext
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.history import EMPTY
from tabspec.edits.hunks import step_of
from tabspec.edits.reward import reward, saved_keys
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.prompt_state import base_name
from tabspec.replay.results.edits import EditResult
from tabspec.replay.results.result import TEXT_CHARS, CacheSample, RequestRecord
from tabspec.replay.users.user import Player, StepKind, UserStep
from tabspec.suggestion import Answer, Miss, Reason, Source, Suggestion
from tabspec.text import difference

# More samples of the completion cache's size than a chart has pixels.
_CACHE_SAMPLES = 400

Knows = Callable[[EditContext], bool]
RecordedEditAt = Callable[[EditContext], ProposedEdit | None]
"""The edit that a recorded assistant proposed at a state."""


class EditorStage:
    """Connects a `Player` with an engine, on the clock of the running loop. ``knows`` and ``recorded``: see `replay`.

    ``records`` holds the requests in order, ``samples`` the completion cache's size over time, ``stale`` the number of
    suggestions that were for another state when they came, ``rejected`` those shown that the user typed over, and
    ``failures`` the number of failed requests by message. ``edits``: whether next edits are offered; unless None,
    records hold how many Tabs came before them in a row.
    """

    def __init__(
        self,
        player: Player,
        engine: CompletionEngine,
        knows: Knows | None,
        edits: bool | None = None,
        recorded: RecordedEditAt | None = None,
    ) -> None:
        self.player, self.engine, self._knows = player, engine, knows
        self._recorded = recorded if edits else None
        self.records: list[RequestRecord] = []
        self.samples: list[CacheSample] = []
        self.stale = 0
        self.failures: Counter[str] = Counter()
        self.rejected = 0
        self.edits = EditResult()
        self._measured = edits is not None
        self._history = EMPTY if edits else None
        self._made: set[tuple[str, str]] = set()  # lines before and after each next edit that was accepted
        self._last_edit = 0  # digest of the next edit that was shown last: while the cursor moves, it stays shown
        self._refused: set[int] = set()  # digests of refused edits
        self._row = 0  # Tabs in a row
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._asked: _PendingRequest | None = None  # the request in flight
        self._shown: _PendingRequest | None = None  # the request whose suggestion is on the screen
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        """Seconds since the replay began."""
        return self._loop.time() - self._start

    @property
    def context(self) -> EditContext:
        """The user's document and cursor, with the edit history if one is kept."""
        return replace(self.player.context, history=self._history)

    async def step(self) -> bool:
        """Wait for the user's next step or the engine's answer, and handle the first. False at the end."""
        coming = self.player.next_event()
        if self._asked is not None:
            wait = None if coming is None else max(coming.time - self.now, 0)
            await asyncio.wait({self._asked.task}, timeout=wait)
            if self._asked.task.done():
                self._show(self._asked)
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
        before, shown = self.context, self._shown
        step = self.player.perform(max(self.now, step.time))
        self._close(self.player.closed)
        tab = step.kind is StepKind.ACCEPT
        edit = shown.suggestion.edit if tab and shown and shown.suggestion else None
        self._remember(step, tab, edit.source if edit else None)
        context, self._shown = self.context, None
        self._row = self._row + 1 if tab else 0
        if shown is not None:
            assert shown.suggestion is not None
            self._taken(before, shown, tab)
        self._asked = None
        if step.kind is StepKind.SELECT:
            self.engine.rested(context)
            if suggestion := self.engine.next_edit(context) or self._recorded_edit(context):
                self._show_at_rest(context, suggestion)
        else:
            self._ask(context, tab)

    def _close(self, uris: Collection[str]) -> None:
        """These documents were closed."""
        for uri in uris:
            self.engine.closed(uri)
        if uris and self._history is not None:
            self._history = self._history.without(lambda uri: uri in uris)

    def _remember(self, step: UserStep, tab: bool, source: EditSource | None) -> None:
        """Keep the edit history."""
        if self._history is None:
            return
        before, after = self.player.changed, self.player.document
        self._history = self._history.changed(before, step.edits, after, self.now, tab, source)
        if step.edits:
            undone = sum((each.old, each.new) in self._made for each in self._history.undone)
            self.edits = replace(self.edits, reverted=self.edits.reverted + undone)

    def _taken(self, before: EditContext, shown: _PendingRequest, tab: bool) -> None:
        """The shown suggestion is gone: notify the engine whether it was accepted."""
        suggestion = shown.suggestion
        assert suggestion is not None
        record, refused = self.records[shown.number], False
        if tab:
            self.engine.accepted(before, suggestion)
            if suggestion.edit:
                made = step_of(before.changed_by(suggestion), suggestion.edit.change)
                self._made |= {(made.old, made.new)} if made else set()
                accepted, jumps = self.edits.accepted + 1, self.edits.jumps + record.jump
                elsewhere = self.edits.elsewhere + (suggestion.edit.uri != before.uri)
                self.edits = replace(self.edits, accepted=accepted, jumps=jumps, elsewhere=elsewhere)
        elif suggestion.edit is None:
            typed = self.player.context.typed_since(before)
            refused = typed is None or not suggestion.text.startswith(typed)
        elif not shown.wanted:
            refused = True
            self.engine.rejected(before, suggestion)
            self._refused.add(suggestion.edit.digest)
            self.edits = replace(self.edits, refused=self.edits.refused + 1)
        self.rejected += refused
        earned = reward(tab, _saved_keys(before, suggestion, record.jump)) if tab or refused else 0.0
        self.records[shown.number] = replace(record, accepted=tab, reward=earned)

    def _ask(self, context: EditContext, tab: bool) -> None:
        number = len(self.records)
        position = context.document.position(context.offset)
        depth = self._row if self._measured else 0
        line, file = position.line + 1, _file(context)
        self.records.append(RequestRecord(self.now, 0.0, Source.NONE, tab=tab, line=line, depth=depth, file=file))
        asked = _PendingRequest(number, context)
        asked.task = asyncio.create_task(self._answer(asked))
        self._asked = asked
        self._asking.add(asked.task)
        asked.task.add_done_callback(self._asking.discard)

    def _show_at_rest(self, context: EditContext, suggestion: Suggestion) -> None:
        """A next edit where the cursor was put: it is there at once."""
        shown = _PendingRequest(len(self.records), context)
        shown.suggestion = suggestion
        line = context.document.position(context.offset).line + 1
        record = RequestRecord(self.now, 0.0, Source.NONE, line=line, file=_file(context))
        answer = Answer(Source.EXACT, (suggestion,), cached=True)
        self.records.append(_record(record, answer, True, context))
        self._put_on_screen(shown)

    async def _answer(self, asked: _PendingRequest) -> None:
        answer = self._with_recorded(await self.engine.complete(asked.context), asked.context)
        asked.suggestion = answer.suggestion
        if self._history is not None and (answer.suggestion is None or answer.suggestion.edit is None):
            self.edits = replace(self.edits, quiet=self.edits.quiet + 1)
        if answer.reason in (Reason.FAILED, Reason.UNAVAILABLE):
            self.failures[answer.detail] += 1
        known = self._knows is None or self._knows(asked.context)
        self.records[asked.number] = _record(self.records[asked.number], answer, known, asked.context)
        self._sample()

    def _with_recorded(self, answer: Answer, context: EditContext) -> Answer:
        """The answer, or the recorded assistant's edit in another place where it has no continuation here."""
        edit = self._recorded_edit(context) if answer.reason is Reason.EMPTY else None
        if edit is None:
            return answer
        source = Source.EXACT if answer.cached else Source.MODEL
        return replace(answer, source=source, suggestions=(edit,), reason=None)

    def _recorded_edit(self, context: EditContext) -> Suggestion | None:
        edit = self._recorded(context) if self._recorded is not None else None
        return None if edit is None or edit.digest in self._refused else Suggestion.of(edit)

    def _show(self, asked: _PendingRequest) -> None:
        """The latest request has its answer: show the suggestion to the user."""
        asked.task.result()
        self._asked = None
        suggestion = asked.suggestion
        if suggestion is None:
            self.player.withdraw()
            return
        if asked.context.same_place(self.player.context):
            self._put_on_screen(asked)
        else:
            self.stale += 1

    def _put_on_screen(self, asked: _PendingRequest) -> None:
        suggestion = asked.suggestion
        assert suggestion is not None
        self._shown = asked
        self.records[asked.number] = replace(self.records[asked.number], shown=True)
        if suggestion.edit:
            asked.wanted = self.player.makes(suggestion)
            new = suggestion.edit.digest != self._last_edit
            self._last_edit = suggestion.edit.digest
            self.edits = replace(self.edits, shown=self.edits.shown + new)
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
        self.wanted = False  # the recording makes the next edit that is shown


def _saved_keys(context: EditContext, suggestion: Suggestion, jump: bool) -> int:
    """The keys that an accept saves. Text that it replaces by itself saves none."""
    edit, text = context.edit_for(suggestion), context.changed_by(suggestion).text
    changed = difference(text[edit.offset : edit.offset + edit.delete], edit.insert)
    return saved_keys(changed, jump) if changed else 0


def _file(context: EditContext) -> str:
    """The name of the file that the user is in; empty where no other is open."""
    return base_name(context.uri) if context.others else ""


def _jumps(edit: ProposedEdit, context: EditContext) -> bool:
    """Whether an edit is away from the cursor."""
    change = edit.change
    return edit.uri != context.uri or not change.offset <= context.offset <= change.offset + change.delete


def _record(asked: RequestRecord, answer: Answer, known: bool, context: EditContext) -> RequestRecord:
    suggestion = answer.suggestion
    edit = suggestion.edit if suggestion else None
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
        edit=edit.source.value if edit else None,
        jump=edit is not None and _jumps(edit, context),
        edit_file=base_name(edit.uri) if edit and edit.uri != context.uri else "",
    )
