"""The training loop. It resumes a run from its last checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from tabspec.errors import InputError, TabspecError
from tabspec.train import checkpoint
from tabspec.train.checkpoint import RunPosition
from tabspec.train.examples.parts import Rows, tokens_of
from tabspec.train.examples.rows import Batches
from tabspec.train.examples.stream import RowSource, RowStream
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.goals import Goals, SpecialIds, goals_of
from tabspec.train.held_out import Judged, figures
from tabspec.train.journal import Journal, Record
from tabspec.train.network import Network, Shape
from tabspec.train.optimizers import Optimizers
from tabspec.train.processes import TrainingProcesses
from tabspec.train.schedule import Budget, rate
from tabspec.train.weights.four_bits import Rounding
from tabspec.train.weights.teacher import Teacher, divergence

LOG_NAME = "log.jsonl"
# Goals for which the output layer is computed at once. Their logits need half a gigabyte, and so few are added to a
# batch to fill the last piece that they cost no time. A compiled graph needs one number.
PIECE = {"gpu": 8_192, "cpu": 1_024}


class TrainingDiverged(TabspecError):
    """The loss is not finite. The last checkpoint was written before that."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Settings of a run.

    ``rows``: rows in a step of one process, each of ``shape.context`` tokens. ``micro_rows``: rows in one pass.
    ``learning_rate``: the highest rate. It is reached after ``warmup`` steps, and falls to 0 over the last share
    ``decay`` of the run. ``device``: torch's name. ``workers``: processes that make rows (0: this process makes them).
    ``compile``: use torch.compile, which takes a minute. ``log_every`` and ``validate_every``: in steps (0: never
    validate). ``save_every``: in seconds. ``pause_after``: seconds until this part of the run pauses (None: never).
    ``four_bits``: the last share of the run in which the weights are rounded to four bits in each pass.
    ``middles_weight``: see `goals_of`. ``teacher_share``: the share of the loss that is the teacher's, if there is one.
    """

    shape: Shape
    budget: Budget
    rows: int = 192
    micro_rows: int = 64
    learning_rate: float = 3e-3
    warmup: int = 200
    decay: float = 0.4
    device: str = "cpu"
    workers: int = 0
    compile: bool = False
    log_every: int = 20
    validate_every: int = 200
    save_every: float = 120.0
    pause_after: float | None = None
    four_bits: float = 0.0
    middles_weight: float = 1.0
    teacher_share: float = 0.5

    def must_agree(self, data: RowSource) -> dict[str, object]:
        """Settings that must be the same in a resumed run."""
        return {"shape": asdict(self.shape), "rows": self.rows, "seed": data.seed}


class Trainer:
    """A run in the folder ``out``, with ``log.jsonl`` and ``checkpoint.safetensors``.

    If the folder holds a checkpoint, the run is resumed. ``start``: initial weights, for tuning. ``teacher``: a larger
    model to learn from. ``processes``: those that train together; the first one writes the files.
    """

    def __init__(
        self,
        config: RunConfig,
        data: RowSource,
        out: Path,
        start: dict[str, Tensor] | None = None,
        teacher: Teacher | None = None,
        processes: TrainingProcesses | None = None,
    ) -> None:
        self.config, self.data, self.out = config, data, out
        self._teacher, self._processes = teacher, processes or TrainingProcesses()
        if teacher and (most := teacher.network.shape.context) < config.shape.context:
            raise InputError(f"the teacher has a context of {most} tokens: train with --context {most} or less")
        torch.manual_seed(data.seed)
        self.network = Network(config.shape)
        self.at = RunPosition()
        path = out / checkpoint.NAME
        weights, optimizer = start, None
        if path.is_file():
            weights, optimizer, self.at = checkpoint.load_checkpoint(path, self._must_agree())
        if weights is not None:
            self.network.load_state_dict(weights)
        self.network.to(config.device)
        self._optimizers = Optimizers(self.network, config.learning_rate)
        if optimizer:
            self._optimizers.load(optimizer)
        if config.device.startswith("cuda"):
            torch.set_float32_matmul_precision("high")  # operations that autocast keeps in fp32 may use tf32
        self._rounding = Rounding(self.network)
        self._special = SpecialIds.of(load_tokenizer(data.tokenizer))
        self._piece = PIECE["gpu" if config.device.startswith("cuda") else "cpu"]

        def loss(states: Tensor, targets: Tensor, parts: Tensor, weights: Tensor, taught: Tensor | None) -> Tensor:
            logits = self.network.choices(states, parts, self._special)
            losses = F.cross_entropy(logits, targets, reduction="none")
            if teacher is not None and taught is not None:
                other = divergence(logits, teacher.network.choices(taught, parts, self._special))
                losses = torch.lerp(losses, other, config.teacher_share)
            return (losses * weights).sum()

        self._hidden: Callable[[Tensor], Tensor] = self.network.hidden
        self._loss: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None], Tensor] = loss
        if config.compile:
            self._hidden = torch.compile(self._hidden, dynamic=False)
            self._loss = torch.compile(loss, dynamic=False)

    def _must_agree(self) -> dict[str, object]:
        """Settings that must be the same in a resumed run. A position counts the chunks of one process."""
        return self.config.must_agree(self.data) | {"processes": self._processes.count}

    @property
    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self._progress >= 1

    @property
    def _progress(self) -> float:
        return self.config.budget.progress(self.at.step, self.at.seconds)

    def _as_stored(self) -> AbstractContextManager[None]:
        """In the last part of a run that trains for four bits, the weights are rounded within this block."""
        four_bits = self.config.four_bits
        return self._rounding.applied() if four_bits and self._progress >= 1 - four_bits else nullcontext()

    def train(self, validation: Rows | None = None, console: Console | None = None) -> None:
        """Train until the budget is used up, or until the pause.

        ``validation``: rows of held-out projects for the validation loss. Raises `TrainingDiverged`. If the process is
        interrupted, only the steps since the last checkpoint are lost.
        """
        config = self.config
        self.out.mkdir(parents=True, exist_ok=True)
        journal = Journal(self.out / LOG_NAME, console or Console(stderr=True)) if self._processes.first else None
        rows = self._processes.share_of(self.data)
        with RowStream(rows, self.at.chunk, config.workers) as stream, journal or nullcontext():
            batches = Batches(iter(stream), config.rows, self.at.chunk, self.at.skip)
            self._loop(batches, journal, validation)
        self.save()

    def _loop(self, batches: Batches, journal: Journal | None, validation: Rows | None) -> None:
        config, budget = self.config, self.config.budget
        begun = saved = logged = time.monotonic()
        before = self.at.seconds
        total = torch.zeros((), device=config.device)
        counted, steps_counted, waited = 0, 0, 0.0
        while not self.finished and (config.pause_after is None or self.at.seconds - before < config.pause_after):
            factor = rate(budget.progress(self.at.step, self.at.seconds), self.at.step, config.warmup, config.decay)
            asked = time.monotonic()
            rows = batches.take()
            waited += time.monotonic() - asked
            loss, tokens = self._step(rows, factor)
            total += loss
            counted, steps_counted = counted + tokens, steps_counted + 1
            # All processes must decide alike how far the run is.
            seconds = self._processes.of_first(before + time.monotonic() - begun)
            self.at = RunPosition(self.at.step + 1, self.at.tokens + tokens, seconds, *batches.position)
            progress = budget.progress(self.at.step, self.at.seconds)
            if self.at.step % config.log_every and progress < 1:
                continue
            # This is the only place where the host waits for the accelerator.
            mean = self._processes.sums([total.item()])[0] / max(steps_counted, 1)
            self._processes.take_weights_of_first(self.network.parameters())
            if not math.isfinite(mean):
                raise TrainingDiverged(
                    f"the loss is not a number at step {self.at.step}: start again with a lower learning rate "
                    f"(it is {config.learning_rate:g}); the last checkpoint is kept"
                )
            now = time.monotonic()
            checked: dict[str, float] = {}
            if journal and validation is not None and config.validate_every:
                due = self.at.step % config.validate_every < config.log_every or progress >= 1
                checked = self.validate(validation) if due else {}
            took = max(now - logged, 1e-9)
            shares = (factor, counted / took, round(waited / took, 3))
            record = Record(self.at.step, self.at.tokens, round(self.at.seconds, 1), mean, *shares, **checked)
            if journal:
                journal.write(record, progress)
            total.zero_()
            counted, steps_counted, waited, logged = 0, 0, 0.0, time.monotonic()
            if now - saved > config.save_every and progress < 1:
                self.save()
                saved = time.monotonic()

    def _step(self, rows: Rows, factor: float) -> tuple[Tensor, int]:
        """One step on a batch of each process. Returns the weighted mean loss (nats per goal, on the device; this
        process's part of the sum), and the token count of all processes."""
        passes = [rows[at : at + self.config.micro_rows] for at in range(0, len(rows), self.config.micro_rows)]
        goals = [goals_of(each, self._special, self.config.middles_weight) for each in passes]
        tokens = float((tokens_of(rows)[:, 1:] != 0).sum())
        weight, tokens = self._processes.sums([float(sum(each.weights.sum() for each in goals)), tokens])
        weight = max(weight, 1.0)
        total = torch.zeros((), device=self.config.device)
        with self._as_stored():
            for each, learned in zip(passes, goals, strict=True):
                with self._autocast():
                    losses = [self._loss(*piece) for piece in self._pieces(self._hidden, each, learned, self._teacher)]
                    loss = torch.stack(losses).sum() / weight
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        self._processes.add_gradients(self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimizers.step(factor)
        return total, int(tokens)

    def _pieces(
        self, hidden: Callable[[Tensor], Tensor], rows: Rows, goals: Goals, teacher: Teacher | None = None
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]]:
        """Last hidden states, targets, parts and weights of the goals, and the teacher's states, `_piece` at a time."""
        filled, size = goals.filled(self._piece), self._piece
        ids, places = self._on_device(tokens_of(rows)[:, :-1]).long(), self._on_device(filled.places)
        chosen = hidden(ids).flatten(0, 1).index_select(0, places)
        taught = teacher.hidden(ids).flatten(0, 1).index_select(0, places) if teacher else None
        targets, parts = self._on_device(filled.targets), self._on_device(filled.parts)
        weights = self._on_device(filled.weights)
        for at in range(0, len(chosen), size):
            piece = slice(at, at + size)
            other = None if taught is None else taught[piece]
            yield chosen[piece], targets[piece], parts[piece], weights[piece], other

    def _on_device(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.config.device.startswith("cuda"):
            return tensor.pin_memory().to(self.config.device, non_blocking=True)
        return tensor.to(self.config.device)

    def _autocast(self) -> AbstractContextManager[object]:
        kind = torch.device(self.config.device).type
        return torch.autocast(kind, torch.bfloat16) if kind in {"cuda", "cpu"} else nullcontext()

    @torch.no_grad()
    def validate(self, rows: Rows) -> dict[str, float]:
        """Held-out figures, by the field names of `Record`. Those without goals are left out."""
        with self._as_stored():
            size = self.config.micro_rows
            judged = [self._judged(rows[at : at + size]) for at in range(0, len(rows), size)]
        return figures(judged, self._special)

    def _judged(self, rows: Rows) -> Judged:
        goals = goals_of(rows, self._special)
        losses, chosen = [], []
        with self._autocast():
            # not the compiled network: for a last pass of another size, it would be compiled again
            for states, targets, parts, *_ in self._pieces(self.network.hidden, rows, goals):
                logits = self.network.choices(states, parts, self._special)
                losses.append(F.cross_entropy(logits, targets, reduction="none"))
                chosen.append(logits.argmax(1))
        whole = (torch.cat(each)[: len(goals.places)].cpu().numpy() for each in (losses, chosen))
        return Judged(goals, *whole)

    def save(self) -> None:
        """Write a checkpoint. It replaces the previous one. Only the first process does."""
        if not self._processes.first:
            return
        checkpoint.save_checkpoint(
            self.out / checkpoint.NAME,
            self.network.state_dict(),
            self._optimizers.state(),
            self.at,
            self._must_agree(),
        )
