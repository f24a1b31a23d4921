"""Drives the engine through a recorded session, as a simulated user does, and writes down what happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.speculation.speculator import Speculator
from tabspec.models.protocol import Model
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
    stage = _Stage(player, engine, check, knows)
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

    def __init__(self, player: Player, engine: CompletionEngine, check: Check | None, knows: Knows | None) -> None:
        self.player, self.engine, self._check, self._knows = player, engine, check, knows
        self.records: list[RequestRecord] = []
        self.samples: list[CacheSample] = []
        self.stale = 0
        self.failures: Counter[str] = Counter()  # what models that failed said
        self.rejected = 0
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._asked: _PendingRequest | None = None  # the request under way
        self._shown: _PendingRequest | None = None  # the one whose answer is on the screen
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        return self._loop.time() - self._began

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
        """The latest request is answered: put the suggestion on the screen, and let the user see it."""
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
    """A request of the stage's: its number in the records, and its answer once there is one."""

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
        **aggregates(stage.records),
    )
