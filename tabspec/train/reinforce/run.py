"""A run of `tabspec train reinforce`: from a model and texts to a model folder."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from tabspec.errors import InputError
from tabspec.train.export import TOKENIZER, load_model
from tabspec.train.journal import Journal, read_lines
from tabspec.train.plot import picture
from tabspec.train.reinforce.pool import Source, Workers
from tabspec.train.reinforce.trainer import STATE, Measured, Progress, Reinforcer, Settings
from tabspec.train.runs import pick_device
from tabspec.train.schedule import Budget
from tabspec.train.trainer import LOG_NAME
from tabspec.train.tune.tuning import export_tuned

# Cursors of a hole, one after another: about five tokens, and as many as the prompt's computation is worth.
CURSORS = 16
# Tokens of a row at most: a full window and a hole.
LONGEST_ROW = 1_300
# Holes in a step, and at once. On a GPU, a second and 60 GB at most; on two CPU cores, a step of a minute.
HOLES = {"gpu": (256, 128), "cpu": (8, 4)}
# Holes that are measured before and after.
MEASURED = {"gpu": 512, "cpu": 8}
# The share of holes from additions, if there are any: files have more languages.
ADDED = 0.6


@dataclass(frozen=True, slots=True)
class ReinforcePlan:
    """Parameters of a run. ``corpus``: a folder of files; ``additions``: a file of what releases added. ``held_out``: a
    corpus for the measurements before and after. ``workers``: processes (None: by the machine)."""

    start: Path
    corpus: Path
    out: Path
    budget: Budget
    additions: Path | None = None
    held_out: Path | None = None
    device: str = "auto"
    workers: int | None = None
    samples: int = 0
    learning_rate: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ReinforceRecord:
    """A line of the log. ``reward``, ``shown``, ``taken``, ``saved``, ``truth`` and ``distance`` as in `Measured`.
    ``held_out``: the values are of held-out holes."""

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


def carry_out(plan: ReinforcePlan, console: Console) -> tuple[Path, Measured | None, Measured | None]:
    """Start or resume a run. Returns the folder of the model, and the measurements before and after.

    Raises `InputError` for unusable input, and `TrainingDiverged`.
    """
    device = pick_device(plan.device)
    kind = "gpu" if device.startswith("cuda") else "cpu"
    holes, micro = HOLES[kind]
    if plan.samples == 1:
        raise InputError("--samples must be 0, or at least 2: the baseline of a sample is the mean of the others")
    settings = Settings(samples=plan.samples, holes=holes, micro=micro, seed=plan.seed)
    if plan.learning_rate is not None:
        settings = replace(settings, learning_rate=plan.learning_rate)
    weights, shape, _ = load_model(plan.start)
    tokenizer = plan.start / TOKENIZER
    limit = min(LONGEST_ROW, shape.context - settings.tokens)
    source = Source(plan.corpus, plan.additions, ADDED, plan.seed, CURSORS, tokenizer, limit)
    held = Source(plan.held_out, None, 0.0, plan.seed, CURSORS, tokenizer, limit) if plan.held_out else None
    for each in (source, held):
        if each is not None:
            each.maker()  # a source that cannot be read is refused here: a process that cannot start is started anew
    workers = max((os.cpu_count() or 1) - 1, 0) if plan.workers is None else plan.workers
    run = {key: str(value) for key, value in asdict(source).items()}
    plan.out.mkdir(parents=True, exist_ok=True)
    trainer = Reinforcer(weights, shape, source.words(), settings, device, plan.out / STATE, run)
    numbers = range(MEASURED[kind])
    with Journal(plan.out / LOG_NAME, console) as journal:
        before = None
        if held and trainer.at.step == 0:
            with Workers(held, workers) as judges:
                before = trainer.measure(judges, numbers)
            journal.write(_record(before, trainer.at, 0.0, held_out=True), 0.0)
            (plan.out / "before.json").write_text(json.dumps(asdict(before)), encoding="utf-8")
        elif held and (plan.out / "before.json").is_file():
            before = Measured(**json.loads((plan.out / "before.json").read_text(encoding="utf-8")))
        last = [time.monotonic(), trainer.at.tokens]

        def show(mean: Measured, at: Progress, part: float) -> None:
            now = time.monotonic()
            journal.write(_record(mean, at, (at.tokens - last[1]) / max(now - last[0], 1e-9)), part)
            last[:] = [now, at.tokens]

        with Workers(source, workers) as pool:
            trainer.train(pool, plan.budget, show, log_every=5 if kind == "gpu" else 1)
        after = None
        if held:
            with Workers(held, workers) as judges:
                after = trainer.measure(judges, numbers)
            journal.write(_record(after, trainer.at, 0.0, held_out=True), 1.0)
    export_tuned(trainer.weights(), shape, tokenizer, plan.out / "model", plan.seed)
    draw(plan.out)
    return plan.out / "model", before, after


def _record(mean: Measured, at: Progress, speed: float, held_out: bool = False) -> ReinforceRecord:
    return ReinforceRecord(at.step, at.tokens, round(at.seconds, 1), round(speed, 1), **asdict(mean), held_out=held_out)


def draw(out: Path) -> Path:
    """Draw the rewards of the run in ``out``, and return the picture's path."""
    records = read_lines(out / LOG_NAME, ReinforceRecord)
    curves = {
        "training": [(float(r.tokens), r.reward) for r in records if not r.held_out],
        "held out": [(float(r.tokens), r.reward) for r in records if r.held_out],
    }
    drawn = out / "reward.svg"
    axes = "tokens seen; reward of a cursor in keys"
    drawn.write_text(picture(curves, "Reinforcement", axes), encoding="utf-8")
    return drawn
