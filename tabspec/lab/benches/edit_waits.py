"""`tabspec bench edit-waits`: how long Tab waits for what follows a next edit."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random

import click

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.edits.edit import EditSource
from tabspec.edits.history import EMPTY
from tabspec.engine.engine import CompletionEngine
from tabspec.errors import InputError
from tabspec.lab.evaluation.next_edit.releases.asked import lines_of_history
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep, read_steps
from tabspec.machine import git_commit, machine
from tabspec.models.edit_protocol import EditModel
from tabspec.models.load import load_edits_alone, load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.process_edits import ProcessEdits
from tabspec.models.protocol import Model
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer
from tabspec.system.tables import print_table
from tabspec.text import Document, difference

# Seconds for which an edit is read before Tab: log-normal, as the replays of docs/benchmarks have it.
READING_S, SPREAD = 0.6, 0.5
# Edits that are taken one after another. A chain that the model writes rarely has more.
MOST_TABS = 6
# Seconds between two edits of the history: more than within a step (`tabspec.edits.history`).
APART_S = 10.0
POLICIES = (Policy.ADAPTIVE, Policy.NONE)
# Steps whose next edit has to do with one before. At others hardly any edit is offered.
KINDS = (Novelty.ECHO, Novelty.NAMES, Novelty.PARTLY)
# A Tab waits for the next edit if it takes longer. The server itself takes about one millisecond.
AT_ONCE_MS = 5.0

Lines = tuple[str, ...]
BusySeconds = Callable[[], float]
"""Returns how many seconds the models have computed so far."""

_COLUMNS = ("", "Tabs", "within 5 ms", "wait p50, ms", "p90", "p99", "most")


@dataclass
class EditWaits:
    """Milliseconds from each accepted edit until an edit that the model wrote (``ms``), until nothing followed
    (``silent``), or until a pattern or a completion (``other``). ``work_s``: seconds that the models computed from the
    moment at which an edit was shown until the answer after its Tab, for all Tabs together."""

    ms: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    work_s: float = 0.0

    @property
    def all(self) -> list[float]:
        return [*self.ms, *self.silent, *self.other]

    def add(self, answer: Answer, ms: float) -> None:
        suggestion = answer.suggestion
        if suggestion is None:
            self.silent.append(ms)
        elif suggestion.edit is None or suggestion.edit.source is not EditSource.MODEL:
            self.other.append(ms)
        else:
            self.ms.append(ms)


@click.command("edit-waits")
@click.argument("steps", type=click.Path(path_type=Path))
@click.option("--most", type=click.IntRange(2), help="The first so many steps  [default: all].")
@click.option("--real", is_flag=True, help="Measure in real time, with the models in a worker process.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads of the worker.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def edit_waits_command(steps: Path, most: int | None, real: bool, threads: int, out: Path | None) -> None:
    """Measure how long Tab waits for what follows a next edit, with speculation and without.

    STEPS are moments between releases of held-out projects (`tabspec train edits` writes `steps.jsonl.gz`). At each of
    them whose next edit has to do with an earlier one, the bundled models are asked. A user takes each edit that is
    offered, up to six of them, 0.6 s after it was shown (median, log-normal). The time is that from the accept to the
    next answer. The models compute in this process, and their passes take a fixed time on a virtual clock, so that the
    result is the same on a busy machine; with --real they are measured as they are. The two policies take turns, at
    steps that are far from each other, so that none finds what the other has left in the KV cache.
    """
    found = [step for step in read_steps(steps) if step.kind in KINDS]
    Random(0).shuffle(found)
    found = found[:most]
    if len(found) < 2:
        raise InputError(f"{steps}: holds fewer than two steps whose edit has to do with an earlier one")
    measured = asyncio.run(_in_real_time(found, threads)) if real else _on_the_virtual_clock(found)
    rows = [row for policy, waits in measured.items() for row in rows_of(policy, waits)]
    print_table(f"from a Tab that accepts a next edit to the next answer, {len(found)} steps", list(_COLUMNS), rows)
    for policy, waits in measured.items():
        if not real:
            click.echo(f"{policy.value}: {_work(waits)} ms of passes for each Tab")
    if out:
        command = f"tabspec bench edit-waits STEPS{f' --most {most}' if most else ''}"
        command += f" --real --threads {threads}" if real else ""
        out.write_text(json.dumps(figures(measured, len(found), command, real), indent=1) + "\n", encoding="utf-8")


async def _in_real_time(steps: Sequence[ReleaseStep], threads: int) -> dict[Policy, EditWaits]:
    worker = WorkerModel(threads=threads)
    try:
        return await measure(worker, ProcessEdits(worker), steps)
    finally:
        await worker.close()


def _on_the_virtual_clock(steps: Sequence[ReleaseStep]) -> dict[Policy, EditWaits]:
    from tabspec.lab.measuring.timed_decoding import EPYC, Processor, TimedEditRequests, on_processor
    from tabspec.models.local.model import LocalModel

    model, edits, processor = load_model(), load_edits_alone(), Processor(EPYC)
    assert isinstance(model, LocalModel)
    on_processor(model, edits, processor)
    return run_virtual(measure(model, TimedEditRequests(model), steps, lambda: processor.busy_s))


async def measure(
    model: Model, edits: EditModel, steps: Sequence[ReleaseStep], busy: BusySeconds = lambda: 0.0
) -> dict[Policy, EditWaits]:
    """The waits of each policy. Raises `TabspecError` if a model does not load."""
    engines = {policy: CompletionEngine(model, EngineConfig(policy=policy), edits=edits) for policy in POLICIES}
    waits = {policy: EditWaits() for policy in POLICIES}
    await engines[Policy.NONE].complete(start(steps[0], -1))  # loads both models
    for turn in range(len(steps)):
        for place, policy in enumerate(POLICIES):
            number = (turn + place * (len(steps) // 2)) % len(steps)
            await _walk(engines[policy], start(steps[number], number), waits[policy], Random(number), busy)
    for engine in engines.values():
        await engine.close()
    return waits


async def _walk(
    engine: CompletionEngine, context: EditContext, waits: EditWaits, rng: Random, busy: BusySeconds
) -> None:
    """Accept what is offered, edit after edit."""
    now = asyncio.get_running_loop().time
    answer = await engine.complete(context)
    for _ in range(MOST_TABS):
        suggestion = answer.suggestion
        if suggestion is None or suggestion.edit is None:
            break
        worked = busy()
        engine.shown(context, suggestion)
        await asyncio.sleep(READING_S * math.exp(rng.gauss(0.0, SPREAD)))
        began = now()
        engine.accepted(context, suggestion)
        context = context.after_accept(suggestion)
        answer = await engine.complete(context)
        waits.add(answer, (now() - began) * 1e3)
        waits.work_s += busy() - worked
    engine.closed(context.uri)


def start(step: ReleaseStep, number: int) -> EditContext:
    """The state at a step, in a document of its own: the user has just made the newest edit. Edits before one whose
    place is not known are not in the history."""
    uri = f"file:///{number}/{PurePosixPath(step.path).name}"
    made: list[tuple[int, Lines, Lines]] = []
    lines = step.lines
    for edit, line in reversed(list(zip(step.history, lines_of_history(step), strict=True))):
        if edit.path or line > len(lines):
            break
        old, new = (() if text is None else tuple(text.split("\n")) for text in (edit.old, edit.new))
        made.append((line, old, new))
        lines = (*lines[:line], *old, *lines[line + len(new) :])
    document, history = Document(uri, "\n".join(lines), "python"), EMPTY
    for count, (line, old, new) in enumerate(reversed(made), 1):
        lines = (*lines[:line], *new, *lines[line + len(old) :])
        change = difference(document.text, "\n".join(lines))
        if change is not None:
            before, document = document, document.edited(change)
            history = history.changed(before, [change], document, count * APART_S)
    return EditContext(document, document.line_starts[min(step.last, document.line_count - 1)], history)


def rows_of(policy: Policy, waits: EditWaits) -> list[list[str]]:
    """The rows of the table."""
    name = "without speculation" if policy is Policy.NONE else "with speculation"
    rows = []
    for title, times in (
        ("all Tabs", waits.all),
        ("an edit by the model follows", waits.ms),
        ("nothing follows", waits.silent),
        ("a pattern or a completion follows", waits.other),
    ):
        ready = f"{sum(ms <= AT_ONCE_MS for ms in times)} of {len(times)}"
        rows.append([f"{name}: {title}", str(len(times)), ready, *(_ms(each) for each in _percentiles(times))])
    return rows


def _work(waits: EditWaits) -> str:
    return f"{waits.work_s * 1e3 / max(len(waits.all), 1):.0f}"


def _percentiles(times: Sequence[float]) -> tuple[float, ...]:
    if len(times) < 2:
        return (times[0] if times else math.nan,) * 4
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[89], cuts[98], max(times)


def _ms(each: float) -> str:
    return "" if math.isnan(each) else f"{each:.1f}"


def figures(measured: dict[Policy, EditWaits], steps: int, command: str, real: bool) -> dict[str, object]:
    """In the format of docs/benchmarks/data (scripts/make_results.py)."""
    rows = [row for policy, waits in measured.items() for row in rows_of(policy, waits)]
    title = f"From a Tab that accepts a next edit to the next answer; {steps} steps between releases"
    work = [] if real else [f"{_work(waits)} ms of passes for each Tab: {policy}" for policy, waits in measured.items()]
    return {
        "format": "tabspec-figures",
        "version": 1,
        "machine": machine(),
        "commit": git_commit(),
        "date": time.strftime("%Y-%m-%d"),
        "command": command,
        "tables": [{"title": title, "columns": list(_COLUMNS), "rows": rows}],
        "waits": {policy.value: [round(ms, 2) for ms in waits.all] for policy, waits in measured.items()},
        "notes": work,
    }
