"""A run for edits: from a model and moments between releases to a model folder."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from tabspec.errors import InputError
from tabspec.models.files.folder import EDIT_CALIBRATION
from tabspec.models.local.edits.calibration import UNFITTED, load_edit_calibration
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.edits.encoder import MOST_TOKENS
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.goals import SpecialIds
from tabspec.train.reinforce.edits.answers import LONGEST
from tabspec.train.reinforce.edits.moments import MomentSource
from tabspec.train.reinforce.edits.trainer import EditReinforcer, EditSettings
from tabspec.train.reinforce.learner import STATE, Measured
from tabspec.train.reinforce.run import ReinforcePlan, carried, written
from tabspec.train.runs import pick_device
from tabspec.train.weights.export import TOKENIZER, load_model

# Moments in a step, and at once. Each has some 860 tokens and two or three questions. On two CPU cores, a step of a
# minute.
MOMENTS = {"gpu": (512, 128), "cpu": (4, 2)}
# Moments that are measured before and after. A twentieth of their questions are shown an answer: with 20,000 questions,
# the share of the right ones is known to plus or minus 3 points.
MEASURED = {"gpu": 8_192, "cpu": 8}


def carry_out(plan: ReinforcePlan, console: Console) -> tuple[Path, Measured | None, Measured | None]:
    """Start or resume a run. Returns the folder of the model, and the measurements before and after.

    Raises `InputError` for unusable input, and `TrainingDiverged`.
    """
    if plan.edits is None or plan.corpus or plan.additions or plan.samples:
        raise InputError("--edits goes without --corpus, --additions and --samples: these are of completions")
    device = pick_device(plan.device)
    kind = "gpu" if device.startswith("cuda") else "cpu"
    rows, micro = MOMENTS[kind]
    settings = EditSettings(rows=rows, micro=micro, seed=plan.seed)
    if plan.learning_rate is not None:
        settings = replace(settings, learning_rate=plan.learning_rate)
    weights, shape, _ = load_model(plan.start)
    if shape.context < MOST_TOKENS + LONGEST:
        raise InputError(f"{plan.start}: its context is too short; edits need {MOST_TOKENS + LONGEST} tokens")
    tokenizer, calibration = plan.start / TOKENIZER, plan.start / EDIT_CALIBRATION
    source = MomentSource(plan.edits, tokenizer, plan.seed)
    held = MomentSource(plan.held_out, tokenizer, plan.seed) if plan.held_out else None
    for each in (source, held):
        if each is not None:
            each.cutter()  # one that cannot be read is refused here: a process that cannot start is started anew
    plan.out.mkdir(parents=True, exist_ok=True)
    reinforcer = EditReinforcer(
        weights,
        shape,
        Vocabulary(tokenizer.read_text("utf-8")),
        SpecialIds.of(load_tokenizer(tokenizer)),
        load_edit_calibration(calibration) if calibration.is_file() else UNFITTED,
        settings,
        device,
        plan.out / STATE,
        {key: str(value) for key, value in asdict(source).items()},
    )
    before, after = carried(plan, reinforcer, source, held, MEASURED[kind], 5 if kind == "gpu" else 1, console)
    model = written(plan, reinforcer, shape, "question")
    if calibration.is_file():
        shutil.copyfile(calibration, model / EDIT_CALIBRATION)
    return model, before, after
