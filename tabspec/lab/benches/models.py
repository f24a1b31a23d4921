"""`tabspec bench models`: models of different size on recorded sessions, with and without speculation."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import click

from tabspec.config import EngineConfig, Policy
from tabspec.machine import git_commit, machine
from tabspec.models.load import load_edits_alone, load_model, writes_edits
from tabspec.models.local.speed import TYPICAL
from tabspec.replay.clock import run_virtual
from tabspec.replay.jobs import Job, play_timed
from tabspec.replay.models.latency import FORMAT, VERSION, LatencyProfile
from tabspec.replay.models.measured import measured_profile
from tabspec.replay.models.timed_edits import TimedEdits
from tabspec.replay.report.edits import saved_share
from tabspec.replay.results.aggregates import pooled
from tabspec.replay.results.figures import latency
from tabspec.replay.results.result import Run
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.sessions.together import together
from tabspec.system.tables import print_table

# `cache` keeps answers, and computes nothing ahead.
_POLICIES = {Policy.CACHE: "without speculation", Policy.ADAPTIVE: "with speculation"}
# Each model is measured so often, in turns. The fastest time counts: what else runs on the machine only adds to it.
_TURNS = 3
# Standard deviation of the logarithm of the reading time, as in the other tables of docs/benchmarks.
_JITTER = 0.5
_COLUMNS = ("", "wait p50, ms", "p99", "after Tab p50, ms", "p99", "at once", "characters by Tab", "effort saved")


@click.command("models")
@click.argument("sessions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("bundled", "large"),
    show_default=True,
    help="`bundled`, `large` or a folder. May be repeated.",
)
@click.option("--limit", type=click.IntRange(1), default=None, help="Replay the first N recorded edits only.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def models_command(sessions: tuple[Path, ...], models: tuple[str, ...], limit: int | None, out: Path | None) -> None:
    """Compare models of this machine on recorded SESSIONS: waits, and what Tab writes.

    Prefill and decode steps of each model are measured first, in turns. The sessions are then replayed on the virtual
    clock at these paces, with and without speculation. Next edits are offered, too: the model writes them itself if it
    can, else the bundled edit model, at the same pace.
    """
    read = together([read_session(path) for path in sessions])
    paces = asyncio.run(measure_paces(models, read[0]))
    rows = [row for name in models for row in compare(name, paces[name], read, limit)]
    cells = [_cells(row) for row in rows]
    print_table(f"sessions: {len(read)}", list(_COLUMNS), cells)
    if out:
        names = "".join(f" --model {name}" for name in models) if models != ("bundled", "large") else ""
        found = {
            "format": "tabspec-figures",
            "version": 1,
            "machine": machine(),
            "commit": git_commit(),
            "date": time.strftime("%Y-%m-%d"),
            "command": f"tabspec bench models SESSIONS{names}{f' --limit {limit}' if limit else ''}",
            "tables": [{"columns": list(_COLUMNS), "rows": cells}],
            "notes": [_pace(name, pace) for name, pace in paces.items()],
            "paces": {name: _latency_file(pace) for name, pace in paces.items()},
            "sessions": [session.name for session in read],
            "rows": rows,
        }
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


async def measure_paces(models: Sequence[str], session: Session) -> dict[str, LatencyProfile]:
    """How fast each model is on this machine. All are in memory while they are measured."""
    loaded = {name: load_model(name) for name in models}
    found: dict[str, list[LatencyProfile]] = {name: [] for name in models}
    for _ in range(_TURNS):
        for name, model in loaded.items():
            found[name].append(await measured_profile(model, session, machine()))
    for model in loaded.values():
        await model.close()
    return {name: min(each, key=lambda pace: pace.seconds(TYPICAL, True)) for name, each in found.items()}


def compare(name: str, pace: LatencyProfile, sessions: Sequence[Session], limit: int | None) -> list[dict[str, Any]]:
    """The figures of one model at this pace: without speculation, and with it."""
    edits = TimedEdits(load_edits_alone(name if writes_edits(name) else "bundled"), pace)
    base = Setting(limit=limit, edits=True, writer=edits, jitter=_JITTER, git_commit=git_commit(), machine=machine())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "latency.json"
        file.write_text(json.dumps(_latency_file(pace)), encoding="utf-8")
        jobs = [
            Job(session, replace(base, config=EngineConfig(policy=policy)), str(file))
            for session in sessions
            for policy in _POLICIES
        ]
        runs = run_virtual(play_timed(jobs, name))
    return [_row(f"{name}, {words}", [run for run in runs if run.policy == each]) for each, words in _POLICIES.items()]


def _row(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    """``wait_ms``: for the completions that were shown; ``next_ms``: for what came next after a Tab."""
    run = pooled(runs)
    assert run is not None, "every run has its requests"
    return {
        "name": name,
        "wait_ms": asdict(latency(record.ms for record in run.timeline if record.shown and record.edit is None)),
        "next_ms": asdict(run.next_latency_ms),
        "next": run.tabs - run.silent_tabs,
        "instant": run.instant_next,
        "shown": run.shown,
        "accepted": run.accepted,
        "characters": run.keystrokes_saved,
        "effort": saved_share(run),
        "tokens": asdict(run.tokens),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    waits = [f"{row[which][share]:.0f}" for which in ("wait_ms", "next_ms") for share in ("p50", "p99")]
    shares = [f"{100 * row[which]:.1f} %" for which in ("characters", "effort")]
    return [row["name"], *waits, f"{row['instant']} of {row['next']}", *shares]


def _pace(name: str, pace: LatencyProfile) -> str:
    return (
        f"`{name}`: {pace.prefill_ms_per_token:.2f} ms for a token of the prompt, {pace.decode_ms_per_token:.2f} for a "
        f"step, {pace.prefill_fixed_ms:.1f} for a request"
    )


def _latency_file(pace: LatencyProfile) -> dict[str, Any]:
    times = {item.name: getattr(pace, item.name) for item in fields(pace) if "_ms" in item.name}
    rounded = {name: round(ms, 4) for name, ms in times.items()}
    return {"format": FORMAT, "version": VERSION, "model": pace.model, "machine": pace.machine, **rounded}
