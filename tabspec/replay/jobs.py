"""The runs of `tabspec replay`: one after another, with the model and the clock that each of them needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tabspec.machine import machine
from tabspec.models.files.mine import MINE
from tabspec.models.load import BUNDLED, load_edits_alone, load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import Model, slots_of
from tabspec.replay.models.latency import LatencyProfile, TimedModel, parse_latency, read_latency
from tabspec.replay.models.measured import measured_profile
from tabspec.replay.models.memo import MemoModel
from tabspec.replay.models.recorded import RecordedModel
from tabspec.replay.models.timed_edits import TimedEdits
from tabspec.replay.results.result import Run
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a session, a setting, and ``pace``, the value of --latency (None: the default)."""

    session: Session
    setting: Setting
    pace: str | None


Jobs = Sequence[Job]
ModelFor = Callable[[Job], Awaitable[Model]]


async def play_recorded(jobs: Jobs) -> list[Run]:
    """Play the jobs with the assistant that each session recorded, with its recorded latencies or the given ones."""
    # A recorded answer has no tokens, so only the profile's time for a whole suggestion applies.
    given = {job.pace: parse_latency(job.pace).prefill_fixed_ms / 1000 for job in jobs if job.pace is not None}

    async def model_for(job: Job) -> Model:
        return RecordedModel(job.session, None if job.pace is None else given[job.pace])

    return await _play(jobs, model_for)


async def play_wall(jobs: Jobs, name: str | None) -> list[Run]:
    """Play the jobs in real time, with the model in its own process as in the language server."""
    worker = WorkerModel(name)
    await worker.start()
    try:
        return await _play(jobs, _always(worker))
    finally:
        await worker.close()


async def play_timed(jobs: Jobs, name: str | None, edit_model: str = "") -> list[Run]:
    """Play the jobs on the virtual clock. Answers are computed once; a latency profile gives their times.

    ``edit_model`` (`bundled`, `large` or a folder; "": none) writes next edits that no pattern proposes: at the pace of
    the job if it is the model at the cursor, too, else at that of the bundled model.
    """
    bundled = read_latency(BUNDLED / "latency.json") if name in (None, "bundled", MINE) else None
    given = {job.pace: bundled if job.pace is None else _profile(job.pace) for job in jobs}
    model = load_model(name)
    memo = MemoModel(model)
    measured: dict[str, LatencyProfile] = {}

    async def model_for(job: Job) -> Model:
        memo.fresh_kv()
        profile = given[job.pace] or measured.get(job.session.name)
        if profile is None:
            profile = measured[job.session.name] = await measured_profile(model, job.session, machine())
        return TimedModel(memo, profile)

    if edit_model:
        edits = load_edits_alone(edit_model)
        shared = TimedEdits(edits, read_latency(BUNDLED / "latency.json"))
        itself = given if edit_model == name and name != "bundled" else {}
        writers = {pace: TimedEdits(edits, profile) for pace, profile in itself.items() if profile}
        jobs = [replace(job, setting=replace(job.setting, writer=writers.get(job.pace, shared))) for job in jobs]
    try:
        return await _play(jobs, model_for)
    finally:
        await model.close()


def _profile(pace: str) -> LatencyProfile | None:
    """The profile that a value of --latency names; None if it is to be measured here."""
    return None if pace == "measured" else parse_latency(pace)


def pace_name(pace: str) -> str:
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
