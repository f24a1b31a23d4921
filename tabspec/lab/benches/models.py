"""`tabspec bench models`: models of different size, with and without speculation, on recorded sessions."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from tabspec.config import EngineConfig, Policy
from tabspec.edits.edit import EditSource
from tabspec.machine import git_commit, machine
from tabspec.models.load import load_model, writes_edits
from tabspec.models.protocol import Usage
from tabspec.replay.clock import run_virtual
from tabspec.replay.jobs import Job, play_timed
from tabspec.replay.models.calibrate import calibrate
from tabspec.replay.models.latency import FORMAT, VERSION, LatencyProfile
from tabspec.replay.report.edits import saved_share
from tabspec.replay.results.aggregates import pooled
from tabspec.replay.results.figures import latency
from tabspec.replay.results.result import Run
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.system.tables import print_table

# `cache` keeps answers, and computes nothing ahead.
_POLICIES = {Policy.CACHE: "without", Policy.ADAPTIVE: "with"}
# Each model is measured so often, in turns. The fastest time counts: what else runs on the machine only adds to it.
_TURNS = 3
# Of the completions of a recorded session (Rust, 190 requests), nine in ten compute no more tokens of the prompt (the
# rest is kept), and take no more passes.
_TYPICAL = Usage(prefill=22, decoded=10)


@click.command("models")
@click.argument("sessions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", "models", multiple=True, required=True, help="Folder or `bundled`. May be repeated.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Replay the first N recorded edits only.")
@click.option("--edits/--no-edits", default=True, show_default=True, help="With next edits that a model writes, too.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def models_command(
    sessions: tuple[Path, ...], models: tuple[str, ...], limit: int | None, edits: bool, out: Path | None
) -> None:
    """Compare models of this machine on recorded SESSIONS: waits, and what Tab writes.

    Prefill and decode steps of each model are measured first, in turns. The sessions are then replayed on the virtual
    clock at these paces, with and without speculation. Edits are written by the model itself if it can, else by the
    bundled one.
    """
    read = [read_session(path) for path in sessions]
    paces = asyncio.run(measure_paces(models, read[0]))
    rows = [row for name in models for row in compare(name, paces[name], read, limit, edits)]
    print_table(
        f"{len(read)} sessions, milliseconds",
        ["model", "speculation", "wait p50", "p99", "after Tab p50", "p99", "at once", "chars by Tab", "effort saved"],
        [table_row(row) for row in rows],
    )
    if out:
        found = {
            "format": "tabspec-bench-models",
            "version": 1,
            "git_commit": git_commit(),
            "machine": machine(),
            "sessions": [session.name for session in read],
            "limit": limit,
            "paces": {name: latency_file(pace) for name, pace in paces.items()},
            "rows": rows,
        }
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


async def measure_paces(models: Sequence[str], session: Session) -> dict[str, LatencyProfile]:
    """How fast each model is on this machine. All are in memory while they are measured."""
    loaded = {name: load_model(name) for name in models}
    found: dict[str, list[LatencyProfile]] = {name: [] for name in models}
    for _ in range(_TURNS):
        for name, model in loaded.items():
            found[name].append(await calibrate(model, session, machine()))
    for model in loaded.values():
        await model.close()
    return {name: min(each, key=lambda pace: pace.seconds(_TYPICAL, True)) for name, each in found.items()}


def compare(
    name: str, pace: LatencyProfile, sessions: Sequence[Session], limit: int | None, edits: bool
) -> list[dict[str, Any]]:
    """The figures of one model at this pace: a row without speculation, and one with it."""
    base = Setting(limit=limit, edits=edits, git_commit=git_commit(), machine=machine())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "latency.json"
        file.write_text(json.dumps(latency_file(pace)), encoding="utf-8")
        jobs = [
            Job(session, replace(base, config=EngineConfig(policy=policy)), str(file))
            for session in sessions
            for policy in _POLICIES
        ]
        writer = name if writes_edits(name) else "bundled"
        runs = run_virtual(play_timed(jobs, name, writer if edits else ""))
    return [_row(name, words, [run for run in runs if run.policy == policy]) for policy, words in _POLICIES.items()]


def _row(name: str, speculation: str, runs: Sequence[Run]) -> dict[str, Any]:
    """``wait_ms`` is that for the completions that were shown, ``edit_ms`` for the next edits that the model wrote and
    that were shown, ``next_ms`` for what came next after a Tab."""
    run = pooled(runs)
    assert run is not None, "every run has its requests"
    shown = [record for record in run.timeline if record.shown]
    return {
        "model": name,
        "speculation": speculation,
        "wait_ms": asdict(latency(record.ms for record in shown if record.edit is None)),
        "edit_ms": asdict(latency(record.ms for record in shown if record.edit == EditSource.MODEL)),
        "next_ms": asdict(run.next_latency_ms),
        "tabs": run.tabs,
        "next": run.tabs - run.silent_tabs,
        "instant": run.instant_next,
        "shown": run.shown,
        "accepted": run.accepted,
        "characters": run.keystrokes_saved,
        "effort": saved_share(run),
        "tokens": asdict(run.tokens),
    }


def table_row(row: dict[str, Any]) -> list[str]:
    """The cells of a row, as text; docs/benchmarks has the same table."""
    waits = [f"{row[which][share]:.0f}" for which in ("wait_ms", "next_ms") for share in ("p50", "p99")]
    shares = [f"{100 * row[which]:.1f} %" for which in ("characters", "effort")]
    return [row["model"], row["speculation"], *waits, f"{row['instant']} of {row['next']}", *shares]


def latency_file(pace: LatencyProfile) -> dict[str, Any]:
    """The content of a latency file."""
    times = {
        "prefill_fixed_ms": round(pace.prefill_fixed_ms, 3),
        "prefill_ms_per_token": round(pace.prefill_ms_per_token, 4),
        "decode_ms_per_token": round(pace.decode_ms_per_token, 3),
    }
    return {"format": FORMAT, "version": VERSION, "model": pace.model, "machine": pace.machine, **times}
