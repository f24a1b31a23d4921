"""`tabspec replay`: recorded edit sessions, played through the real engine."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tabspec.cli.report import show
from tabspec.config import EngineConfig, Policy
from tabspec.errors import InputError
from tabspec.lab.capacity.options import USUAL_POLICIES, check_users, with_users
from tabspec.machine import git_commit, machine
from tabspec.replay.clock import run_virtual
from tabspec.replay.jobs import Job, pace_name, play_recorded, play_timed, play_wall
from tabspec.replay.results.result import PERFECT, ReplayResult
from tabspec.replay.results.result_file import save
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.sessions.together import together
from tabspec.replay.users.thinking import QUICK
from tabspec.replay.users.user import User
from tabspec.system.outputs import OutputFile


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
@click.option(
    "--edit-model", default="", help="With --edits: what writes edits, `bundled`, `large` or a folder  [default: none]."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Replay the first N recorded edits only.")
@with_users
@click.option("--json", "json_out", type=OutputFile(), help="Write the result here.")
@click.option("--html", "html_out", type=OutputFile(), help="Write a report page here.")
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
    edit_model: str,
    seed: int,
    limit: int | None,
    json_out: Path | None,
    html_out: Path | None,
    **crowd: Any,
) -> int:
    """Replay recorded edit SESSIONS through the engine, and report the effect of speculation.

    Files of one recording (`tabspec-lsp --record`) are replayed together, as documents that are open at the same time.

    With --users, that many users work at the same time, each on a part of one of the sessions, with one service: the
    servers of --service on the virtual clock, or a real one (--clock wall).

    After an interruption (Ctrl-C), the report covers what was done.
    """
    check_users(crowd, latencies)
    if clock == "wall" and latencies:
        raise InputError("--latency needs the virtual clock; with --clock wall the model takes its real time")
    recorded = model == "recorded"
    if edit_model and (not edits or recorded or clock == "wall" or crowd["users"]):
        raise InputError("--edit-model needs --edits, a model that computes, one user and the virtual clock")
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
    loaded = loaded if recorded else together(loaded)  # a recorded assistant answers for one document
    jobs = [
        Job(session, replace(setting, latency=pace_name(pace)) if len(latencies) > 1 else setting, pace or None)
        for pace in dict.fromkeys(latencies or ("",))
        for session in loaded
        for setting in settings
    ]
    playing = (
        play_recorded(jobs)
        if recorded
        else play_wall(jobs, model)
        if clock == "wall"
        else play_timed(jobs, model, edit_model)
    )
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
    if json_out:
        save(result, json_out)
    show(result, html_out)
