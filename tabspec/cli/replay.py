"""`tabspec replay`: recorded edit sessions, played through the real engine."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tabspec.cli.replay_users import USUAL_POLICIES, check_users, with_users
from tabspec.config import EngineConfig, Policy
from tabspec.errors import InputError
from tabspec.machine import git_commit, machine
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import Model, slots_of
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.calibrate import calibrate
from tabspec.replay.models.latency import LatencyProfile, TimedModel, parse_latency, read_latency
from tabspec.replay.models.memo import MemoModel
from tabspec.replay.models.recorded import RecordedModel
from tabspec.replay.report import print_table, write
from tabspec.replay.results.result import PERFECT, ReplayResult, Run
from tabspec.replay.results.result_file import save
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.users.thinking import QUICK
from tabspec.replay.users.user import User


@click.command("replay")
@click.argument("sessions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Choice([*(policy.value for policy in Policy), PERFECT]),
    help="Speculation policy. May be repeated. `perfect` knows which suggestions will be accepted: the upper "
    "bound.  [default: adaptive]",
)
@click.option("--model", default=None, help="Name, folder or address of a model, or `recorded`  [default: bundled].")
@click.option(
    "--user",
    type=click.Choice([user.value for user in User]),
    default="tab",
    show_default=True,
    help="Simulated user: `tab` reads a suggestion and accepts it if the recording goes on to write it, `type` never "
    "presses Tab, `recorded` accepts where the recorded person did.",
)
@click.option("--think-ms", type=click.FloatRange(0), default=600, show_default=True, help="Reading time of `tab`.")
@click.option(
    "--think-jitter",
    type=click.FloatRange(0, 2),
    default=0,
    show_default=True,
    help="Variation of the reading time: standard deviation of its logarithm.",
)
@click.option(
    "--burst",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help=f"Tabs in a row: the first after the reading time, the others {QUICK * 1000:g} ms each.",
)
@click.option("--clock", type=click.Choice(["virtual", "wall"]), default="virtual", show_default=True, help="Clock.")
@click.option(
    "--latency",
    "latencies",
    multiple=True,
    metavar="FILE|MS|measured",
    help="Speed of the model on the virtual clock: a latency file, milliseconds for a suggestion, or as measured on "
    "this machine. May be repeated.  [default: the bundled model's file; measured for others]",
)
@click.option("--depth", type=click.IntRange(1, 16), default=None, help="Largest number of accepts to speculate ahead.")
@click.option(
    "--economy",
    "economies",
    multiple=True,
    type=click.FloatRange(0, 1),
    help="Price of speculative work for `adaptive`. May be repeated.",
)
@click.option(
    "--edits/--no-edits",
    default=None,
    help="Offer next edits, too, and measure the effort that Tab saves; --no-edits measures it without them.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Replay the first N recorded edits only.")
@with_users
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="Write the result here.")
@click.option("--html", "html_out", type=click.Path(path_type=Path), help="Write a report page here.")
def replay_command(
    sessions: tuple[Path, ...],
    policies: tuple[str, ...],
    model: str | None,
    user: str,
    think_ms: float,
    think_jitter: float,
    burst: int,
    clock: str,
    latencies: tuple[str, ...],
    depth: int | None,
    economies: tuple[float, ...],
    edits: bool | None,
    seed: int,
    limit: int | None,
    json_out: Path | None,
    html_out: Path | None,
    **crowd: Any,
) -> int:
    """Replay recorded edit SESSIONS through the engine, and report the effect of speculation.

    With --users, that many users work at the same time, each on a part of one of the sessions, with one service: the
    servers of --service on the virtual clock, or a real one (--clock wall).

    After an interruption (Ctrl-C), the report covers what was done.
    """
    check_users(crowd, latencies)
    if clock == "wall" and latencies:
        raise InputError("--latency needs the virtual clock; with --clock wall the model takes its real time")
    recorded = model == "recorded"
    if recorded and "measured" in latencies:
        raise InputError(
            "--latency measured: a recorded assistant computes nothing; give milliseconds, or leave it out"
        )
    given: dict[str, Any] = {"depth": depth}
    # The recorded assistant decided where its suggestions end, so the engine must not cut them.
    limits = {"max_lines": 64, "max_tokens": 1024} if recorded else {}
    chosen = limits | {name: value for name, value in given.items() if value is not None}
    base = Setting(
        user=User(user),
        think_ms=think_ms,
        jitter=think_jitter,
        burst=burst,
        clock=clock,
        seed=seed,
        limit=limit,
        git_commit=git_commit(),
        machine=machine(),
        command=shlex.join(["tabspec", *sys.argv[1:]]),
        edits=edits,
    )
    settings = list(_settings(base, policies, economies, chosen, USUAL_POLICIES if crowd["users"] else ("adaptive",)))
    if crowd["users"]:
        if PERFECT in policies:
            raise InputError(f"--policy {PERFECT} is for one user: leave it out with --users")
        from tabspec.lab.capacity.crowds import play_crowds

        result = ReplayResult(tuple(play_crowds([*map(read_session, sessions)], settings, model, crowd)))
        _report(result, json_out, html_out)
        return 0
    loaded = [read_session(path) for path in sessions]
    jobs = [
        Job(session, replace(setting, latency=_pace_name(pace)) if len(latencies) > 1 else setting, pace or None)
        for pace in dict.fromkeys(latencies or ("",))
        for session in loaded
        for setting in settings
    ]
    playing = _recorded(jobs) if recorded else _wall(jobs, model) if clock == "wall" else _timed(jobs, model)
    runs = asyncio.run(playing) if clock == "wall" else run_virtual(playing)
    _report(ReplayResult(tuple(runs)), json_out, html_out)
    return 0 if len(runs) == len(jobs) and not runs[-1].interrupted else 130


def _settings(
    base: Setting, policies: Sequence[str], economies: Sequence[float], chosen: dict[str, Any], usual: Sequence[str]
) -> Iterator[Setting]:
    """One setting for each policy; for `adaptive`, one for each economy."""
    for policy in policies or usual:
        if policy == PERFECT:
            # The largest depth, because its predictions are never wrong.
            config = EngineConfig(policy=Policy.CHAIN, depth=16).updated(chosen)
            yield replace(base, config=config, perfect=True)
            continue
        config = EngineConfig(policy=Policy(policy)).updated(chosen)
        if config.policy is Policy.TREE:
            from tabspec.lab.tree import speculator_for  # the laboratory

            yield replace(base, config=config, speculator=speculator_for(config.policy))
            continue
        if not economies or config.policy is not Policy.ADAPTIVE:
            yield replace(base, config=config)
            continue
        for economy in dict.fromkeys(economies):
            yield replace(base, config=config.updated({"economy": economy}), named=len(economies) > 1)


def _report(result: ReplayResult, json_out: Path | None, html_out: Path | None) -> None:
    print_table(result)
    if json_out:
        save(result, json_out)
    if html_out:
        write(result, html_out)
        click.echo(f"report written to {html_out}")


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a session, a setting, and ``pace``, the value of --latency (None: the default)."""

    session: Session
    setting: Setting
    pace: str | None


Jobs = Sequence[Job]
ModelFor = Callable[[Job], Awaitable[Model]]


async def _recorded(jobs: Jobs) -> list[Run]:
    """Play the jobs with the assistant that each session recorded, with its recorded latencies or the given ones."""
    # A recorded answer has no tokens, so only the profile's time for a whole suggestion applies.
    given = {job.pace: parse_latency(job.pace).prefill_fixed_ms / 1000 for job in jobs if job.pace is not None}

    async def model_for(job: Job) -> Model:
        return RecordedModel(job.session, None if job.pace is None else given[job.pace])

    return await _play(jobs, model_for)


async def _wall(jobs: Jobs, name: str | None) -> list[Run]:
    """Play the jobs in real time, with the model in its own process as in the language server."""
    worker = WorkerModel(name)
    await worker.start()
    try:
        return await _play(jobs, _always(worker))
    finally:
        await worker.close()


async def _timed(jobs: Jobs, name: str | None) -> list[Run]:
    """Play the jobs on the virtual clock. Answers are computed once; a latency profile gives their times."""
    bundled = read_latency(BUNDLED / "latency.json") if name in (None, "bundled") else None
    given = {job.pace: bundled if job.pace is None else _profile(job.pace) for job in jobs}
    model = load_model(name)
    memo = MemoModel(model)
    measured: dict[str, LatencyProfile] = {}

    async def model_for(job: Job) -> Model:
        memo.fresh_kv()
        profile = given[job.pace] or measured.get(job.session.name)
        if profile is None:
            profile = measured[job.session.name] = await calibrate(model, job.session, machine())
        return TimedModel(memo, profile)

    try:
        return await _play(jobs, model_for)
    finally:
        await model.close()


def _profile(pace: str) -> LatencyProfile | None:
    """The profile that a value of --latency names; None if it is to be measured here."""
    return None if pace == "measured" else parse_latency(pace)


def _pace_name(pace: str) -> str:
    """The name of a value of --latency in reports."""
    profile = _profile(pace)
    if profile is None:
        return "the model on this machine"
    return "the bundled model" if profile.model == "bundled" else profile.model or Path(pace).name


def _always(model: Model) -> ModelFor:
    async def model_for(_: Job) -> Model:
        return model

    return model_for


async def _play(jobs: Jobs, model_for: ModelFor) -> list[Run]:
    """Play the jobs one after another, with a progress bar, up to an interrupted one."""
    runs: list[Run] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=len(jobs))
        for number, job in enumerate(jobs):
            bars.update(task, description=f"{job.session.name} {job.setting.config.policy}")
            model = await model_for(job)
            setting = replace(job.setting, slots=slots_of(model))

            def progress(part: float, done: int = number) -> None:
                bars.update(task, completed=done + part)

            knows = model.knows if isinstance(model, RecordedModel) else None
            recorded = model.edit_at if isinstance(model, RecordedModel) else None
            run = await replay(job.session, model, setting, progress, knows=knows, recorded=recorded)
            if isinstance(model, RecordedModel):
                run = replace(run, notes=(*run.notes, model.note))
            runs.append(run)
            if run.interrupted:
                break
    return runs
