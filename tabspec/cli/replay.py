"""`tabspec replay`: recorded edit sessions through the real engine."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tabspec.cli.machine import git_commit, machine
from tabspec.config import EngineConfig, Policy
from tabspec.errors import InputError
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.protocol import Model
from tabspec.replay.clock import run_virtual
from tabspec.replay.latency import TimedModel, parse_latency, read_latency
from tabspec.replay.memo import MemoModel
from tabspec.replay.recorded import RecordedModel
from tabspec.replay.report import print_table, write
from tabspec.replay.result import ReplayResult, Run, save
from tabspec.replay.runner import Setting, replay
from tabspec.replay.session import Session
from tabspec.replay.session_file import read_session
from tabspec.replay.user import User


@click.command("replay")
@click.argument("sessions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Choice([policy.value for policy in Policy]),
    help="How much is asked ahead; may be given several times.  [default: adaptive]",
)
@click.option(
    "--model", default=None, help="Name or folder of a model, or `recorded`; the bundled one if none is named."
)
@click.option(
    "--user",
    type=click.Choice([user.value for user in User]),
    default="tab",
    show_default=True,
    help="Who presses Tab: `tab` reads a suggestion and takes it if the recording goes on to write it, `type` never "
    "does, `recorded` where the recorded person did.",
)
@click.option("--think-ms", type=click.FloatRange(0), default=600, show_default=True, help="Reading time of `tab`.")
@click.option("--clock", type=click.Choice(["virtual", "wall"]), default="virtual", show_default=True, help="Time.")
@click.option(
    "--latency",
    default=None,
    metavar="FILE|MS|measured",
    help="Service times on the virtual clock: a latency file, milliseconds a suggestion, or as measured here.  "
    "[default: the file of the bundled model; measured for others]",
)
@click.option("--depth", type=click.IntRange(1, 16), default=None, help="How many accepts ahead at most.")
@click.option("--economy", type=click.FloatRange(0, 1), default=None, help="What speculation costs (`adaptive`).")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of whatever is random.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Replay the first N recorded edits only.")
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="Write the result here.")
@click.option("--html", "html_out", type=click.Path(path_type=Path), help="Write a report page here.")
def replay_command(
    sessions: tuple[Path, ...],
    policies: tuple[str, ...],
    model: str | None,
    user: str,
    think_ms: float,
    clock: str,
    latency: str | None,
    depth: int | None,
    economy: float | None,
    seed: int,
    limit: int | None,
    json_out: Path | None,
    html_out: Path | None,
) -> int:
    """Replay recorded edit SESSIONS through the engine, and report what speculation brought.

    Interrupting (Ctrl-C) ends with the report of what was done.
    """
    if clock == "wall" and latency is not None:
        raise InputError("--latency belongs to the virtual clock; with --clock wall the model takes the time it takes")
    profile = parse_latency(latency) if latency not in (None, "measured") else None
    if latency is None and model is None:
        profile = read_latency(BUNDLED / "latency.json")
    given = {name: value for name, value in (("depth", depth), ("economy", economy)) if value is not None}
    base = Setting(
        user=User(user),
        think_ms=think_ms,
        clock=clock,
        seed=seed,
        limit=limit,
        git_commit=git_commit(),
        machine=machine(),
        command=shlex.join(["tabspec", *sys.argv[1:]]),
    )
    jobs = [
        (session, replace(base, config=EngineConfig(policy=Policy(policy)).updated(given)))
        for session in map(read_session, sessions)
        for policy in policies or (Policy.ADAPTIVE.value,)
    ]
    if model == "recorded":
        if latency == "measured":
            raise InputError("--latency measured: a recorded assistant computes nothing; give milliseconds, or nothing")
        # A recorded answer is one piece: of a profile, only the time of a whole suggestion applies.
        seconds = None if profile is None else profile.prefill_fixed_ms / 1000
        runs = (run_virtual if clock == "virtual" else asyncio.run)(
            _play(jobs, lambda session: RecordedModel(session, seconds))
        )
    elif clock == "wall":
        worker = load_model(model)
        runs = asyncio.run(_play(jobs, lambda _: worker))
    else:
        memo = MemoModel(load_model(model))

        def fresh(_: Session) -> Model:
            memo.fresh_kv()
            return TimedModel(memo, profile)

        runs = run_virtual(_play(jobs, fresh))
    result = ReplayResult(tuple(runs))
    print_table(result)
    if json_out:
        save(result, json_out)
    if html_out:
        write(result, html_out)
        click.echo(f"report written to {html_out}")
    return 0 if len(runs) == len(jobs) and not runs[-1].interrupted else 130


async def _play(jobs: Sequence[tuple[Session, Setting]], model_for: Callable[[Session], Model]) -> list[Run]:
    """Run the jobs one after another, with a progress bar; an interrupted one is the last."""
    runs: list[Run] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=len(jobs))
        for number, (session, setting) in enumerate(jobs):
            bars.update(task, description=f"{session.name} {setting.config.policy}")
            model = model_for(session)

            def progress(part: float, done: int = number) -> None:
                bars.update(task, completed=done + part)

            knows = model.knows if isinstance(model, RecordedModel) else None
            runs.append(await replay(session, model, setting, progress, knows=knows))
            if runs[-1].interrupted:
                break
            await model.close()
    return runs
