"""A run of `tabspec train run`: from a corpus, by a tokenizer and training, to a model folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.checkpoint import NAME as CHECKPOINT
from tabspec.train.checkpoint import checkpoint_weights
from tabspec.train.corpus.store import Corpus
from tabspec.train.edits.rows import MIDDLES_SHARE, EditDataConfig
from tabspec.train.examples.parts import Rows
from tabspec.train.examples.stream import DataConfig, RowSource
from tabspec.train.examples.tokenizer import (
    EOM,
    VOCABULARY,
    load_tokenizer,
    save_tokenizer,
    special_id,
    train_tokenizer,
)
from tabspec.train.journal import read_journal
from tabspec.train.network import Network, Shape
from tabspec.train.plot import loss_curve
from tabspec.train.processes import TrainingProcesses
from tabspec.train.schedule import Budget
from tabspec.train.trainer import LOG_NAME, RunConfig, Trainer
from tabspec.train.tune.stopping import collect, fit_row
from tabspec.train.weights.export import TOKENIZER, export_model, load_model
from tabspec.train.weights.teacher import Teacher
from tabspec.train.weights.widen import widened, widened_shape

# Shapes for `--size`: the bundled model's, and two that two CPU cores train in an hour and in minutes.
SIZES = {
    "bundled": Shape(),
    "small": Shape(hidden=320, layers=6, heads=5, kv_heads=1, mlp=896),
    "tiny": Shape(hidden=192, layers=4, heads=3, kv_heads=1, mlp=512, context=512),
}
# 0.003 is usual in the literature for Muon at this width and batch size. It was not tuned here. Tuning a model uses a
# tenth of it, so that the model keeps what it has learned.
SCRATCH_RATE, TUNING_RATE = 3e-3, 3e-4
# Tokens in a step, and in one pass of it. On a GPU, measured on one H100 (17 GB of GPU memory). On a CPU, small enough
# for a step of reasonable time and for logits of 270 MB.
STEP_TOKENS = {"gpu": 192 * 1024, "cpu": 16 * 1024}
MICRO_TOKENS = {"gpu": 96 * 1024, "cpu": 8 * 1024}
# Tokens for the held-out loss: on a GPU, enough to measure the loss of middles to about 1 %.
VALIDATION_TOKENS = {"gpu": 768 * 1024, "cpu": 96 * 1024}
_TOKENIZER_SAMPLE = 120_000_000  # bytes; more text hardly changes the 8,192 entries


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Parameters of a run. None means the default for the device or the model.

    ``corpus``: a corpus folder. ``edits``: a folder of `tabspec train edits` to learn from; then ``corpus`` is only for
    rows that fill in the middle, and None is the folder's own texts. ``held_out`` is of the same kind.
    ``start``: a model folder to tune, or None for a new model of ``size``. ``held_out``: data for the
    validation loss. ``device``: torch's name, or "auto" for a GPU if there is one. ``context``: tokens in a row, if not
    the model's. ``pause_after``: seconds until this part of the run pauses (None: never). ``kv_heads``: key-value heads
    of a new model (`Shape.with_kv_heads`). ``warmup``: steps in which the learning rate rises.

    ``widen``: train a model of twice the width of ``start``, which computes the same at first. ``four_bits``: the last
    share of the run that trains for weights in four bits; then the model is stored so. ``middles_share`` and
    ``middles_weight``, with ``edits``: the share of the rows that fill in the middle, and how much their goals weigh,
    relative to the usual. ``held_out_corpus``: for such rows in the validation loss, if not ``held_out``'s own texts.
    ``teacher``: the folder of a larger model to learn from, and ``teacher_share`` how much of the loss that is.
    """

    corpus: Path | None
    out: Path
    budget: Budget
    start: Path | None = None
    size: str = "bundled"
    held_out: Path | None = None
    tokenizer: Path | None = None
    device: str = "auto"
    workers: int | None = None
    rows: int | None = None
    learning_rate: float | None = None
    compile: bool | None = None
    seed: int = 0
    context: int | None = None
    pause_after: float | None = None
    kv_heads: int | None = None
    warmup: int | None = None
    edits: Path | None = None
    widen: bool = False
    four_bits: float = 0.0
    middles_share: float = MIDDLES_SHARE
    middles_weight: float = 1.0
    held_out_corpus: Path | None = None
    teacher: Path | None = None
    teacher_share: float = 0.5


def pick_device(name: str) -> str:
    """``name``, or the best device for "auto". Raises `InputError` if ``name`` is a CUDA device and there is none."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("there is no CUDA GPU here that torch can use; leave --device out, or use --device cpu")
    return name


def carry_out(plan: RunPlan, console: Console) -> Path | None:
    """Start or resume a run. Returns the folder of the finished model, or None if the run has paused.

    Of several processes (torchrun), the first one writes the model. ``plan.rows`` are those of a step of all.
    Raises `InputError` for unusable input, and `TrainingDiverged` if the loss is not finite.
    """
    processes, device = TrainingProcesses.join(pick_device(plan.device))
    weights, shape = None, SIZES[plan.size]
    tokenizer = plan.tokenizer or plan.out / TOKENIZER
    plan.out.mkdir(parents=True, exist_ok=True)
    if plan.start is not None:
        weights, shape, _ = load_model(plan.start)
        tokenizer = plan.start / TOKENIZER
        if plan.widen:
            weights, shape = widened(weights, plan.seed), widened_shape(shape)
    elif not tokenizer.is_file():
        console.print("learning the tokenizer", highlight=False)
        learn_tokenizer(_given(plan.corpus), tokenizer)
    if plan.start is None and plan.kv_heads is not None:
        shape = shape.with_kv_heads(plan.kv_heads)
    vocabulary = load_tokenizer(tokenizer).get_vocab_size()
    shape = replace(shape, vocabulary=vocabulary, context=plan.context or shape.context)
    gpu = device.startswith("cuda")
    kind = "gpu" if gpu else "cpu"
    if plan.rows and plan.rows % processes.count:
        raise InputError(
            f"--rows {plan.rows}: the rows of a step must be a multiple of the {processes.count} processes"
        )
    rows = max(1, (plan.rows or STEP_TOKENS[kind] // shape.context) // processes.count)
    tuned = SCRATCH_RATE if plan.start is None else TUNING_RATE
    config = RunConfig(
        shape=shape,
        budget=plan.budget,
        rows=rows,
        micro_rows=min(rows, max(1, MICRO_TOKENS[kind] // shape.context)),
        learning_rate=plan.learning_rate or tuned,
        warmup=plan.warmup or (200 if gpu else 50),
        device=device,
        workers=(8 if gpu else 0) if plan.workers is None else plan.workers,
        compile=gpu if plan.compile is None else plan.compile,
        log_every=20 if gpu else 5,
        validate_every=500 if gpu else 100,
        pause_after=plan.pause_after,
        four_bits=plan.four_bits,
        middles_weight=plan.middles_weight,
        teacher_share=plan.teacher_share,
    )
    teacher = Teacher(plan.teacher, tokenizer, device, config.compile) if plan.teacher else None
    rest = (tokenizer, shape.context)
    data: RowSource
    held_out: RowSource | None = None
    if plan.edits is not None:
        data = EditDataConfig(plan.edits, *rest, plan.seed, plan.corpus, plan.middles_share)
        if plan.held_out is not None:
            held_out = EditDataConfig(plan.held_out, *rest, 7, plan.held_out_corpus, plan.middles_share)
    else:
        data = DataConfig(_given(plan.corpus), *rest, plan.seed)
        held_out = None if plan.held_out is None else DataConfig(plan.held_out, *rest, seed=7)
    trainer = Trainer(config, data, plan.out, weights, teacher, processes)
    watched = max(1, VALIDATION_TOKENS[kind] // shape.context)
    trainer.train(validation_rows(held_out, watched) if processes.first else None, console)
    if not trainer.finished:
        return None
    if not processes.first:
        return plan.out / "model"
    bits = 4 if plan.four_bits else 8
    export_model(trainer.network.state_dict(), shape, tokenizer, plan.out / "model", bits)
    draw(plan.out, "Training")
    return plan.out / "model"


def _given(corpus: Path | None) -> Path:
    if corpus is None:
        raise InputError("there is no corpus to learn from; give one, or a model to start from and a folder of edits")
    return corpus


def interrupted(out: Path) -> tuple[dict[str, Tensor], Shape, Path]:
    """Weights, shape and tokenizer file of the last checkpoint of a stopped run.

    Raises `InputError` if there is none, or if its tokenizer is not in the folder.
    """
    weights, shape = checkpoint_weights(out / CHECKPOINT)
    if not (out / TOKENIZER).is_file():
        raise InputError(f"{out}: has no {TOKENIZER}; copy the tokenizer of the run to this folder")
    return weights, Shape(**shape), out / TOKENIZER


def with_fitted_stop(
    model: Path, corpus: Path, examples: int, seed: int, progress: Callable[[int], None]
) -> tuple[dict[str, Tensor], Shape, float, float]:
    """Fit the embedding row of the end-of-middle token of ``model``.

    Returns the weights with the new row, the shape, and the loss before and after the fit. The loss is in nats per
    place, on the examples of the fit.
    """
    weights, shape, tokenizer = load_model(model)
    network = Network(shape)
    network.load_state_dict(weights)
    network.to(torch.bfloat16).eval()
    endings = collect(network, tokenizer, Corpus(corpus), examples, seed, progress)
    eom = special_id(tokenizer, EOM)
    table = weights["model.embed_tokens.weight"].clone()
    before = float(endings.loss(table[eom]))
    table[eom] = fit_row(table[eom], endings)
    return {**weights, "model.embed_tokens.weight": table}, shape, before, float(endings.loss(table[eom]))


def draw(out: Path, title: str) -> Path:
    """Draw the loss curve of the run in ``out``, and return its path."""
    picture = out / "loss.svg"
    picture.write_text(loss_curve(read_journal(out / LOG_NAME), title), encoding="utf-8")
    return picture


def learn_tokenizer(corpus: Path, path: Path, vocabulary: int = VOCABULARY) -> None:
    """Train a tokenizer on a sample of a corpus, and write it."""
    opened = Corpus(corpus)
    order = np.random.default_rng(0).permutation(len(opened))
    chosen, size = [], 0
    for index in order:
        entry = opened[int(index)]
        if size > _TOKENIZER_SAMPLE:
            break
        chosen.append(int(index))
        size += entry.end - entry.start
    save_tokenizer(train_tokenizer((opened.text(index) for index in chosen), vocabulary), path)


def validation_rows(held_out: RowSource | None, count: int) -> Rows | None:
    """At most ``count`` rows, the same ones each time. None if there is nothing held out."""
    if held_out is None:
        return None
    maker = held_out.maker()
    parts: list[Rows] = []
    for number in range(maker.chunks_per_epoch):
        parts.append(maker.chunk(number))
        if sum(map(len, parts)) >= count:
            break
    return np.concatenate(parts)[:count]
