"""Replays a recorded session: a simulated user types it again in front of the real engine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tabspec.config import EngineConfig
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.speculation.speculator import Speculator
from tabspec.models.edit_protocol import EditModel
from tabspec.models.protocol import Model
from tabspec.replay.results.aggregates import aggregates, by_depth
from tabspec.replay.results.edits import Effort
from tabspec.replay.results.figures import keystrokes_saved
from tabspec.replay.results.result import (
    PERFECT,
    CacheStats,
    KindResult,
    Run,
    Tokens,
)
from tabspec.replay.sessions.session import EditEvent, Session, SessionEvent
from tabspec.replay.stage import EditorStage, Knows, RecordedEditAt
from tabspec.replay.users.oracle import OraclePredictor
from tabspec.replay.users.thinking import QUICK, Thinking
from tabspec.replay.users.user import Player, User


@dataclass(frozen=True, slots=True)
class Setting:
    """Parameters of a run; most are repeated in its result."""

    config: EngineConfig = field(default_factory=EngineConfig)
    user: User = User.TAB
    think_ms: float = 600.0
    jitter: float = 0.0
    burst: int = 1
    perfect: bool = False
    """Whether the engine knows which suggestions the user will accept. The policy should be `Policy.CHAIN`."""
    speculator: type[Speculator] = Speculator
    """The speculator: the product's, or one of the laboratory."""
    named: bool = False
    """Whether the result names the economy, because runs differ in it."""
    latency: str = ""
    """Name of the latency profile, if the runs differ in it."""
    clock: str = "virtual"
    seed: int = 0
    limit: int | None = None
    git_commit: str = ""
    machine: str = ""
    command: str = ""
    slots: int = 1
    edits: bool | None = None
    """Whether next edits are offered. Unless None, effort and the depth of Tabs go into the result."""
    writer: EditModel | None = None
    """What writes next edits that no pattern proposes."""


async def replay(
    session: Session,
    model: Model,
    setting: Setting,
    progress: Callable[[float], None] = lambda part: None,
    knows: Knows | None = None,
    recorded: RecordedEditAt | None = None,
) -> Run:
    """Play ``session`` against an engine on ``model``, on the running loop's clock.

    ``progress`` gets the part that is done (0 to 1). ``knows`` returns whether a recorded assistant was asked at a
    state, ``recorded`` the edit in another place that it proposed there. If the task is cancelled, the run holds what
    was done until then, and is marked as interrupted.
    """
    session = first_edits(session, setting.limit)
    think = Thinking(setting.think_ms / 1000, setting.jitter, setting.burst, seed=setting.seed)
    player = Player(session, setting.user, think)
    acceptance = OraclePredictor(player) if setting.perfect else None
    engine = CompletionEngine(
        model,
        setting.config,
        slots=setting.slots,
        acceptance=acceptance,
        speculator=setting.speculator,
        edits=setting.writer,
    )
    stage = EditorStage(player, engine, knows, setting.edits, recorded)
    interrupted = False
    try:
        while await stage.step():
            progress(player.progress)
    except asyncio.CancelledError:
        interrupted = True
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()  # so that the caller gets the result
    finally:
        await stage.end()
    return _run(session, model, setting, stage, interrupted)


def first_edits(session: Session, limit: int | None) -> Session:
    """The session up to its edit event number ``limit``, counted over all its documents (None: all of it)."""
    made = sorted((event.t, at) for at, part in enumerate(session.parts) for event in part.edits)
    if limit is None or limit >= len(made):
        return session
    kept = Counter(at for _, at in made[:limit])
    end = made[limit - 1][0]
    first, *others = (_until(part, kept[at], end) for at, part in enumerate(session.parts))
    return replace(first, others=tuple(others))


def _until(part: Session, edits: int, end: float) -> Session:
    """A document with its first ``edits`` edit events, and with its other events before ``end``. At ``end`` itself it
    may be closed."""
    events: list[SessionEvent] = []
    for event in part.events:
        if isinstance(event, EditEvent):
            if not edits:
                break
            edits -= 1
        elif not edits and (event.t > end or (event.t == end and event.kind != "close")):
            break
        events.append(event)
    return replace(part, events=tuple(events), others=())


def _run(session: Session, model: Model, setting: Setting, stage: EditorStage, interrupted: bool) -> Run:
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
        edits=stage.edits if setting.edits else None,
        effort=Effort(player.keys, player.saved_keys) if setting.edits is not None else None,
        by_depth=by_depth(stage.records),
        **aggregates(stage.records),
    )
