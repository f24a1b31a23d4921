"""The training loop. It resumes a run from its last checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from tabspec.errors import TabspecError
from tabspec.train import checkpoint
from tabspec.train.checkpoint import RunPosition
from tabspec.train.examples.parts import MIDDLE_WEIGHT, Part, Rows, parts_of, tokens_of
from tabspec.train.examples.rows import Batches
from tabspec.train.examples.stream import DataConfig, RowStream
from tabspec.train.examples.tokenizer import EOM, load_tokenizer, special_id
from tabspec.train.journal import Journal, Record
from tabspec.train.network import IGNORED, Network, Shape
from tabspec.train.optimizers import Optimizers
from tabspec.train.schedule import Budget, rate

LOG_NAME = "log.jsonl"


class TrainingDiverged(TabspecError):
    """The loss is not finite. The last checkpoint was written before that."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Settings of a run.

    ``rows``: rows in a step, each of ``shape.context`` tokens. ``micro_rows``: rows in one pass. ``learning_rate``: the
    highest rate. It is reached after ``warmup`` steps, and falls to 0 over the last share ``decay`` of the run.
    ``device``: torch's name. ``workers``: processes that make rows (0: this process makes them). ``compile``: use
    torch.compile, which takes a minute. ``log_every`` and ``validate_every``: in steps (0: never validate).
    ``save_every``: in seconds. ``pause_after``: seconds until this part of the run pauses (None: never).
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

    def must_agree(self, data: DataConfig) -> dict[str, object]:
        """Settings that must be the same in a resumed run."""
        return {"shape": asdict(self.shape), "rows": self.rows, "seed": data.seed}


class Trainer:
    """A run in the folder ``out``, with ``log.jsonl`` and ``checkpoint.safetensors``.

    If the folder holds a checkpoint, the run is resumed. ``start``: initial weights, for tuning.
    """

    def __init__(self, config: RunConfig, data: DataConfig, out: Path, start: dict[str, Tensor] | None = None) -> None:
        self.config, self.data, self.out = config, data, out
        torch.manual_seed(data.seed)
        self.network = Network(config.shape)
        self.at = RunPosition()
        path = out / checkpoint.NAME
        weights, optimizer = start, None
        if path.is_file():
            weights, optimizer, self.at = checkpoint.load_checkpoint(path, config.must_agree(data))
        if weights is not None:
            self.network.load_state_dict(weights)
        self.network.to(config.device)
        self._optimizers = Optimizers(self.network, config.learning_rate)
        if optimizer:
            self._optimizers.load(optimizer)
        if config.device.startswith("cuda"):
            torch.set_float32_matmul_precision("high")  # operations that autocast keeps in fp32 may use tf32
        end = special_id(load_tokenizer(data.tokenizer), EOM)

        def losses(ids: Tensor, targets: Tensor, parts: Tensor) -> Tensor:
            return self.network.losses(ids, targets, parts == Part.PREFIX, end)

        def loss(ids: Tensor, targets: Tensor, parts: Tensor) -> Tensor:
            return (losses(ids, targets, parts) * _weights(parts)).sum()

        self._end = end
        self._losses: Callable[[Tensor, Tensor, Tensor], Tensor] = losses
        self._loss = torch.compile(loss, dynamic=False) if config.compile else loss

    @property
    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self.config.budget.progress(self.at.step, self.at.seconds) >= 1

    def train(self, validation: Rows | None = None, console: Console | None = None) -> None:
        """Train until the budget is used up, or until the pause.

        ``validation``: rows of held-out projects for the validation loss. Raises `TrainingDiverged`. If the process is
        interrupted, only the steps since the last checkpoint are lost.
        """
        config = self.config
        self.out.mkdir(parents=True, exist_ok=True)
        with (
            RowStream(self.data, self.at.chunk, config.workers) as stream,
            Journal(self.out / LOG_NAME, console or Console(stderr=True)) as journal,
        ):
            batches = Batches(iter(stream), config.rows, self.at.chunk, self.at.skip)
            self._loop(batches, journal, validation)
        self.save()

    def _loop(self, batches: Batches, journal: Journal, validation: Rows | None) -> None:
        config, budget = self.config, self.config.budget
        begun = saved = logged = time.monotonic()
        before = self.at.seconds
        total = torch.zeros((), device=config.device)
        counted, steps_counted = 0, 0
        while not self.finished and (config.pause_after is None or self.at.seconds - before < config.pause_after):
            factor = rate(budget.progress(self.at.step, self.at.seconds), self.at.step, config.warmup, config.decay)
            loss, tokens = self._step(batches.take(), factor)
            total += loss
            counted, steps_counted = counted + tokens, steps_counted + 1
            now = time.monotonic()
            chunk, skip = batches.position
            self.at = RunPosition(self.at.step + 1, self.at.tokens + tokens, before + now - begun, chunk, skip)
            progress = budget.progress(self.at.step, self.at.seconds)
            if self.at.step % config.log_every and progress < 1:
                continue
            # This is the only place where the host waits for the accelerator.
            mean = total.item() / max(steps_counted, 1)
            if not math.isfinite(mean):
                raise TrainingDiverged(
                    f"the loss is not a number at step {self.at.step}: start again with a lower learning rate "
                    f"(it is {config.learning_rate:g}); the last checkpoint is kept"
                )
            now = time.monotonic()
            checked: dict[str, float] = {}
            if validation is not None and config.validate_every:
                due = self.at.step % config.validate_every < config.log_every or progress >= 1
                checked = self.validate(validation) if due else {}
            speed = counted / max(now - logged, 1e-9)
            record = Record(self.at.step, self.at.tokens, round(self.at.seconds, 1), mean, factor, speed, **checked)
            journal.write(record, progress)
            total.zero_()
            counted, steps_counted, logged = 0, 0, time.monotonic()
            if now - saved > config.save_every and progress < 1:
                self.save()
                saved = time.monotonic()

    def _step(self, rows: Rows, factor: float) -> tuple[Tensor, int]:
        """One step on a batch. Returns the weighted mean loss (nats per token, on the device) and the token count."""
        ids, targets, parts = self._on_device(rows)
        there = tokens_of(rows)[:, 1:] != 0
        counted, in_middles = int(there.sum()), int((parts_of(rows)[:, 1:] == Part.MIDDLE).sum())
        weight = max(counted + (MIDDLE_WEIGHT - 1) * in_middles, 1.0)
        total = torch.zeros((), device=self.config.device)
        for part in range(0, len(rows), self.config.micro_rows):
            chosen = slice(part, part + self.config.micro_rows)
            with self._autocast():
                loss = self._loss(ids[chosen], targets[chosen], parts[chosen]) / weight
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimizers.step(factor)
        return total, counted

    def _on_device(self, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets, and the parts of the targets, each of shape (rows, length)."""
        both = torch.from_numpy(np.stack((tokens_of(rows), parts_of(rows))))
        if self.config.device.startswith("cuda"):
            both = both.pin_memory().to(self.config.device, non_blocking=True)
        tokens, parts = both.long()
        targets = tokens[:, 1:].masked_fill(tokens[:, 1:] == 0, IGNORED)  # 0 is the pad token
        return tokens[:, :-1].contiguous(), targets.contiguous(), parts[:, 1:].contiguous()

    def _autocast(self) -> AbstractContextManager[object]:
        kind = torch.device(self.config.device).type
        return torch.autocast(kind, torch.bfloat16) if kind in {"cuda", "cpu"} else nullcontext()

    @torch.no_grad()
    def validate(self, rows: Rows) -> dict[str, float]:
        """Mean losses in nats per token, by the field names of `Record`. Parts without tokens are left out."""
        ids, targets, parts = self._on_device(rows)
        pieces = []
        for part in range(0, len(rows), self.config.micro_rows):
            chosen = slice(part, part + self.config.micro_rows)
            with self._autocast():
                pieces.append(self._losses(ids[chosen], targets[chosen], parts[chosen]))
        losses = torch.cat(pieces)
        kinds = {
            "validation": targets != IGNORED,
            "prefixes": parts == Part.PREFIX,
            "middles": parts == Part.MIDDLE,
            "ends": targets == self._end,
        }
        return {name: float(losses[kind].mean().item()) for name, kind in kinds.items() if bool(kind.any())}

    def save(self) -> None:
        """Write a checkpoint. It replaces the previous one."""
        checkpoint.save_checkpoint(
            self.out / checkpoint.NAME,
            self.network.state_dict(),
            self._optimizers.state(),
            self.at,
            self.config.must_agree(self.data),
        )


def _weights(parts: Tensor) -> Tensor:
    """The weight of each target in the loss."""
    return 1.0 + (MIDDLE_WEIGHT - 1.0) * (parts == Part.MIDDLE)
