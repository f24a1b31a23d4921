"""Drives the engine through a recorded session, as a simulated user does, and writes down what happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.edits.history import EMPTY
from tabspec.edits.hunks import step_of
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.speculation.speculator import Speculator
from tabspec.models.protocol import Model
from tabspec.replay.results.edits import EditResult, Effort, by_depth
from tabspec.replay.results.result import (
    PERFECT,
    TEXT_CHARS,
    CacheSample,
    CacheStats,
    KindResult,
    RequestRecord,
    Run,
    Tokens,
    aggregates,
    keystrokes_saved,
)
from tabspec.replay.sessions.session import Session
from tabspec.replay.users.oracle import OraclePredictor
from tabspec.replay.users.thinking import QUICK, Thinking
from tabspec.replay.users.user import Player, StepKind, User, UserStep
from tabspec.suggestion import Answer, Miss, Reason, Source, Suggestion

# Points of the completion cache's size over time that a run keeps: more than a picture has pixels for.
_CACHE_SAMPLES = 400

Check = Callable[[EditContext, Suggestion], Awaitable[bool]]
Knows = Callable[[EditContext], bool]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is told, and repeats in its result."""

    config: EngineConfig = field(default_factory=EngineConfig)
    user: User = User.TAB
    think_ms: float = 600.0
    jitter: float = 0.0
    burst: int = 1
    perfect: bool = False
    """Whether it is known beforehand which suggestions the user will take; the policy should be `Policy.CHAIN`."""
    speculator: type[Speculator] = Speculator
    """What decides what is asked ahead: the product's, or one of the laboratory."""
    named: bool = False
    """Whether the run is told apart by its economy."""
    latency: str = ""
    """How long the model takes, in words, where the runs of a result differ in it."""
    clock: str = "virtual"
    seed: int = 0
    limit: int | None = None
    git_commit: str = ""
    machine: str = ""
    command: str = ""
    slots: int = 1
    measured: bool = False
    """Whether effort and the depth of Tabs go into the result."""


async def replay(
    session: Session,
    model: Model,
    setting: Setting,
    progress: Callable[[float], None] = lambda part: None,
    check: Check | None = None,
    knows: Knows | None = None,
) -> Run:
    """Play ``session`` against an engine on ``model``, on the running loop's clock.

    ``progress`` is told the part that is done (0 to 1). ``check`` is asked of every suggestion that was served
    whether it is what the model says of that state now; those that are not count as stale. ``knows`` tells of a
    recorded assistant whether it was asked at a state. Cancelling ends the replay early: the run then says so, and
    holds what was done.
    """
    session = first_edits(session, setting.limit)
    think = Thinking(setting.think_ms / 1000, setting.jitter, setting.burst, seed=setting.seed)
    player = Player(session, setting.user, think)
    acceptance = OraclePredictor(player) if setting.perfect else None
    engine = CompletionEngine(
        model, setting.config, slots=setting.slots, acceptance=acceptance, speculator=setting.speculator
    )
    stage = _Stage(player, engine, check, knows, setting.measured)
    interrupted = False
    try:
        while await stage.step():
            progress(player.progress)
    except asyncio.CancelledError:
        interrupted = True
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()  # the interruption is taken note of, and the result goes out
    finally:
        await stage.end()
    return _run(session, model, setting, stage, interrupted)


def first_edits(session: Session, limit: int | None) -> Session:
    """The session up to its edit event number ``limit`` (None: all of it)."""
    if limit is None or limit >= len(session.edits):
        return session
    last = session.edits[limit - 1] if limit else None
    end = session.events.index(last) + 1 if last else 0
    return replace(session, events=session.events[:end])


class _Stage:
    """The editor's part: performs the user's steps, asks the engine after each, shows the answers."""

    def __init__(
        self,
        player: Player,
        engine: CompletionEngine,
        check: Check | None,
        knows: Knows | None,
        measured: bool = False,
    ) -> None:
        self.player, self.engine, self._check, self._knows = player, engine, check, knows
        self._measured = measured
        self.records: list[RequestRecord] = []
        self.samples: list[CacheSample] = []
        self.stale = 0
        self.failures: Counter[str] = Counter()  # what models that failed said
        self.rejected = 0
        self.edits = EditResult()
        self._history = EMPTY if engine.config.edits else None
        self._made: set[tuple[str, str]] = set()  # lines before and after each next edit that was accepted
        self._row = 0  # Tabs in a row
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._asked: _PendingRequest | None = None  # the request under way
        self._shown: _PendingRequest | None = None  # the one whose answer is on the screen
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        return self._loop.time() - self._began

    @property
    def context(self) -> EditContext:
        """The user's document and cursor, with the edit history if one is kept."""
        return replace(self.player.context, history=self._history)

    async def step(self) -> bool:
        """Wait for the user's next step or the engine's next answer, and do what follows. False at the end."""
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
        """Let no request hang."""
        await self.engine.close()
        if self._asking:
            await asyncio.wait(self._asking)
        self._sample()

    def _perform(self, step: UserStep) -> None:
        before, shown = self.context, self._shown
        step = self.player.perform(max(self.now, step.time))
        tab = step.kind is StepKind.ACCEPT
        self._remember(before, step, tab)
        context, self._shown = self.context, None
        self._row = self._row + 1 if tab else 0
        if shown is not None:
            assert shown.suggestion is not None
            self._taken(before, shown, tab)
        self._asked = None
        if step.kind is StepKind.SELECT:
            self.engine.rested(context)
            if suggestion := self.engine.next_edit(context):
                self._show_at_rest(context, suggestion)
        else:
            self._ask(context, tab)

    def _remember(self, before: EditContext, step: UserStep, tab: bool) -> None:
        """Keep the edit history."""
        if self._history is None:
            return
        after = self.player.document
        self._history = self._history.changed(before.document, step.edits, after, self.now, accepted=tab)
        if step.edits:
            undone = sum((each.old, each.new) in self._made for each in self._history.undone)
            self.edits = replace(self.edits, reverted=self.edits.reverted + undone)

    def _taken(self, before: EditContext, shown: _PendingRequest, tab: bool) -> None:
        """What was shown is gone: tell the engine what became of it."""
        suggestion = shown.suggestion
        assert suggestion is not None
        record = self.records[shown.number]
        if tab:
            self.engine.accepted(before, suggestion)
            self.records[shown.number] = replace(record, accepted=True)
            if suggestion.edit:
                made = step_of(before.document, suggestion.edit.change)
                self._made |= {(made.old, made.new)} if made else set()
                accepted, jumps = self.edits.accepted + 1, self.edits.jumps + record.jump
                self.edits = replace(self.edits, accepted=accepted, jumps=jumps)
        elif suggestion.edit is None:
            typed = self.player.context.typed_since(before)
            self.rejected += typed is None or not suggestion.text.startswith(typed)
        elif not shown.wanted:
            self.engine.rejected(before, suggestion)
            self.rejected += 1
            self.edits = replace(self.edits, refused=self.edits.refused + 1)

    def _ask(self, context: EditContext, tab: bool) -> None:
        number = len(self.records)
        position = context.document.position(context.offset)
        depth = self._row if self._measured else 0
        self.records.append(RequestRecord(self.now, 0.0, Source.NONE, tab=tab, line=position.line + 1, depth=depth))
        asked = _PendingRequest(number, context)
        asked.task = asyncio.create_task(self._answer(asked))
        self._asked = asked
        self._asking.add(asked.task)
        asked.task.add_done_callback(self._asking.discard)

    def _show_at_rest(self, context: EditContext, suggestion: Suggestion) -> None:
        """A next edit where the cursor was put: it is there at once."""
        shown = _PendingRequest(len(self.records), context)
        shown.suggestion = suggestion
        record = RequestRecord(self.now, 0.0, Source.NONE, line=context.document.position(context.offset).line + 1)
        answer = Answer(Source.EXACT, (suggestion,), cached=True)
        self.records.append(_record(record, answer, True, context))
        self._put_on_screen(shown)

    async def _answer(self, asked: _PendingRequest) -> None:
        answer = await self.engine.complete(asked.context)
        asked.suggestion = answer.suggestion
        if self._history is not None and (answer.suggestion is None or answer.suggestion.edit is None):
            self.edits = replace(self.edits, quiet=self.edits.quiet + 1)
        if answer.reason in (Reason.FAILED, Reason.UNAVAILABLE):
            self.failures[answer.detail] += 1
        known = self._knows is None or self._knows(asked.context)
        self.records[asked.number] = _record(self.records[asked.number], answer, known, asked.context)
        self._sample()

    async def _show(self, asked: _PendingRequest) -> None:
        """The latest request is answered: put the suggestion on the screen, and let the user see it."""
        asked.task.result()
        self._asked = None
        suggestion = asked.suggestion
        if suggestion is None:
            self.player.withdraw()
            return
        fresh = asked.context.same_place(self.player.context)
        check = self._check if suggestion.edit is None else None
        if not fresh or (check is not None and not await check(asked.context, suggestion)):
            self.stale += 1
        if fresh:
            self._put_on_screen(asked)

    def _put_on_screen(self, asked: _PendingRequest) -> None:
        suggestion = asked.suggestion
        assert suggestion is not None
        self._shown = asked
        self.records[asked.number] = replace(self.records[asked.number], shown=True)
        if suggestion.edit:
            asked.wanted = self.player.makes(suggestion)
            self.edits = replace(self.edits, shown=self.edits.shown + 1)
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
    """A request of the stage's: its number in the records, and its answer once there is one."""

    task: asyncio.Task[None]

    def __init__(self, number: int, context: EditContext) -> None:
        self.number, self.context = number, context
        self.suggestion: Suggestion | None = None
        self.wanted = False  # the recording makes the next edit that is shown


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
        jump=edit is not None and not edit.change.offset <= context.offset <= edit.change.offset + edit.change.delete,
    )


def _run(session: Session, model: Model, setting: Setting, stage: _Stage, interrupted: bool) -> Run:
    player, stats, cache = stage.player, stage.engine.stats, stage.engine.completion_cache
    notes = list(session.warnings)
    if session.synthetic:
        notes.append("a synthetic session: typed out by a program from a repository's history, not by a person")
    if session.spread:
        notes.append("recorded in whole seconds; the edits of each second were spread evenly over it")
    if session.cut_off:
        notes.append(f"the recording is cut off at {session.cut_off}")
    if setting.jitter:
        notes.append(f"thinking varies (log-normal, standard deviation of the logarithm {setting.jitter:g})")
    if setting.burst > 1:
        notes.append(f"bursts of {setting.burst} Tabs: after the first, {QUICK * 1000:g} ms each")
    if setting.limit is not None:
        notes.append(f"the first {setting.limit} recorded edits only")
    notes += [f"{count} requests failed: {detail}" for detail, count in stage.failures.items()]
    if interrupted:
        notes.append(f"interrupted after {player.progress:.0%} of the recording")
    speculative = stats.speculative_tokens
    tokens = Tokens(
        prefill=stats.usage.prefill,
        prefill_reused=stats.usage.reused,
        decoded_foreground=stats.usage.decoded - speculative,
        decoded_speculative=speculative,
        decoded_unused=stats.speculative_unused,
    )
    return Run(
        session=session.name or session.uri,
        language=session.language,
        policy=PERFECT if setting.perfect else setting.config.policy.value,
        economy=setting.config.economy if setting.named else None,
        model=model.info.name,
        clock=setting.clock,
        user=setting.user.value,
        think_ms=setting.think_ms,
        think_jitter=setting.jitter,
        burst=setting.burst,
        latency=setting.latency,
        seed=setting.seed,
        git_commit=setting.git_commit,
        machine=setting.machine,
        command=setting.command,
        rejected=stage.rejected,
        typed_chars=player.typed_chars,
        accepted_chars=player.accepted_chars,
        keystrokes_saved=keystrokes_saved(player.typed_chars, player.accepted_chars),
        tokens=tokens,
        cache=CacheStats(len(cache), cache.bytes, cache.evictions),
        kinds={
            kind: KindResult(item.asked, item.used, item.tokens, item.used_tokens)
            for kind, item in sorted(stats.kinds.items())
        },
        stale_served=stage.stale,
        duration_s=stage.now,
        synthetic=session.synthetic,
        interrupted=interrupted,
        notes=tuple(notes),
        cache_over_time=tuple(stage.samples),
        timeline=tuple(stage.records),
        edits=stage.edits if setting.config.edits else None,
        effort=Effort(player.keys, player.saved_keys) if setting.measured else None,
        by_depth=by_depth(stage.records),
        **aggregates(stage.records),
    )
