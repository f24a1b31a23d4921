"""A run of `tabspec train reinforce`: measured before and after, logged, drawn, and written as a model folder."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from tabspec.train.journal import Journal, read_lines
from tabspec.train.network import Shape
from tabspec.train.plot import picture
from tabspec.train.reinforce.learner import Learner, Measured, Progress, R
from tabspec.train.reinforce.pool import HasCutter, Workers
from tabspec.train.schedule import Budget
from tabspec.train.trainer import LOG_NAME
from tabspec.train.tune.tuning import export_tuned
from tabspec.train.weights.export import TOKENIZER

MODEL = "model"
_BEFORE = "before.json"


@dataclass(frozen=True, slots=True)
class ReinforcePlan:
    """Parameters of a run. ``corpus``: a folder of files; ``additions``: a file of what releases added. ``edits``: a
    folder of edits, to learn these instead. ``held_out``: a corpus, or a folder of edits, for the measurements before
    and after. ``workers``: processes (None: by the machine)."""

    start: Path
    out: Path
    budget: Budget
    corpus: Path | None = None
    additions: Path | None = None
    edits: Path | None = None
    held_out: Path | None = None
    device: str = "auto"
    workers: int | None = None
    samples: int = 0
    learning_rate: float | None = None
    seed: int = 0

    @property
    def processes(self) -> int:
        """How many processes make and judge rows."""
        return max((os.cpu_count() or 1) - 1, 0) if self.workers is None else self.workers


@dataclass(frozen=True, slots=True)
class ReinforceRecord:
    """A line of the log. ``reward``, ``shown``, ``taken``, ``saved``, ``truth`` and ``distance`` as in `Measured`.
    ``held_out``: the values are of held-out places."""

    step: int
    tokens: int
    seconds: float
    tokens_per_second: float
    reward: float
    shown: float
    taken: float
    saved: float
    truth: float
    distance: float
    visited: int
    held_out: bool = False

    @property
    def summary(self) -> str:
        """The step and the means in one line."""
        return (
            f"{'held out, ' * self.held_out}step {self.step}  reward {self.reward:.3f}  shown {self.shown:.1%}  "
            f"taken {self.taken:.1%}  distance {self.distance:.4f}  {self.tokens_per_second:,.0f} tokens/s"
        )


def carried(
    plan: ReinforcePlan,
    learner: Learner[R],
    source: HasCutter[R],
    held: HasCutter[R] | None,
    measured: int,
    log_every: int,
    console: Console,
) -> tuple[Measured | None, Measured | None]:
    """Measure, learn, and measure again; returns the measurements. ``measured``: rows of ``held``.

    Raises `InputError` for unusable input, and `TrainingDiverged`."""
    kept = plan.out / _BEFORE
    # the processes read their source while the model is measured
    with Journal(plan.out / LOG_NAME, console) as journal, Workers(source, plan.processes) as pool:

        def measured_now(part: float) -> Measured | None:
            if held is None:
                return None
            with Workers(held, plan.processes) as judges:
                found = learner.measure(judges, range(measured))
            journal.write(_record(found, learner.at, 0.0, held_out=True), part)
            return found

        before = None
        if learner.at.step == 0:
            before = measured_now(0.0)
            if before:
                kept.write_text(json.dumps(asdict(before)), encoding="utf-8")
        elif held and kept.is_file():
            before = Measured(**json.loads(kept.read_text(encoding="utf-8")))
        last = [time.monotonic(), learner.at.tokens]

        def show(mean: Measured, at: Progress, part: float) -> None:
            now = time.monotonic()
            journal.write(_record(mean, at, (at.tokens - last[1]) / max(now - last[0], 1e-9)), part)
            last[:] = [now, at.tokens]

        learner.train(pool, plan.budget, show, log_every)
        after = measured_now(1.0)
    return before, after


def written(plan: ReinforcePlan, learner: Learner[R], shape: Shape, place: str) -> Path:
    """Write the model's folder, and draw the rewards of a ``place``. Returns the folder."""
    export_tuned(learner.weights(), shape, plan.start / TOKENIZER, plan.out / MODEL, plan.seed)
    draw(plan.out, place)
    return plan.out / MODEL


def _record(mean: Measured, at: Progress, speed: float, held_out: bool = False) -> ReinforceRecord:
    return ReinforceRecord(at.step, at.tokens, round(at.seconds, 1), round(speed, 1), **asdict(mean), held_out=held_out)


def draw(out: Path, place: str) -> Path:
    """Draw the rewards of the run in ``out``, and return the picture's path."""
    records = read_lines(out / LOG_NAME, ReinforceRecord)
    curves = {
        "training": [(float(r.tokens), r.reward) for r in records if not r.held_out],
        "held out": [(float(r.tokens), r.reward) for r in records if r.held_out],
    }
    drawn = out / "reward.svg"
    axes = f"tokens seen; reward of a {place} in keys"
    drawn.write_text(picture(curves, "Reinforcement", axes), encoding="utf-8")
    return drawn
