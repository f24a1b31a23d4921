"""A run for completions: from a model and texts to a model folder."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from tabspec.errors import InputError
from tabspec.train.reinforce.completions.source import HoleSource
from tabspec.train.reinforce.completions.trainer import Reinforcer, Settings
from tabspec.train.reinforce.learner import STATE, Measured
from tabspec.train.reinforce.run import ReinforcePlan, carried, written
from tabspec.train.runs import pick_device
from tabspec.train.weights.export import TOKENIZER, load_model

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


def carry_out(plan: ReinforcePlan, console: Console) -> tuple[Path, Measured | None, Measured | None]:
    """Start or resume a run. Returns the folder of the model, and the measurements before and after.

    Raises `InputError` for unusable input, and `TrainingDiverged`.
    """
    if plan.corpus is None:
        raise InputError("there is nothing to learn from: give --corpus or --edits")
    device = pick_device(plan.device)
    kind = "gpu" if device.startswith("cuda") else "cpu"
    holes, micro = HOLES[kind]
    if plan.samples == 1:
        raise InputError("--samples must be 0, or at least 2: the baseline of a sample is the mean of the others")
    settings = Settings(samples=plan.samples, rows=holes, micro=micro, seed=plan.seed)
    if plan.learning_rate is not None:
        settings = replace(settings, learning_rate=plan.learning_rate)
    weights, shape, _ = load_model(plan.start)
    tokenizer = plan.start / TOKENIZER
    limit = min(LONGEST_ROW, shape.context - settings.tokens)
    source = HoleSource(plan.corpus, plan.additions, ADDED, plan.seed, CURSORS, tokenizer, limit)
    held = HoleSource(plan.held_out, None, 0.0, plan.seed, CURSORS, tokenizer, limit) if plan.held_out else None
    for each in (source, held):
        if each is not None:
            each.maker()  # read before anything is written
    plan.out.mkdir(parents=True, exist_ok=True)
    run = {key: str(value) for key, value in asdict(source).items()}
    reinforcer = Reinforcer(weights, shape, source.words(), settings, device, plan.out / STATE, run)
    log_every = 5 if kind == "gpu" else 1
    before, after = carried(plan, reinforcer, source, held, MEASURED[kind], log_every, console)
    return written(plan, reinforcer, shape, "cursor"), before, after
