"""Training in several processes, one for each GPU. torchrun starts them.

Every process has the whole network, and makes the same steps with its own rows (data parallelism). What they add up is
what one process would compute for all rows.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

# Its functions have the group of processes as a default argument. If it is imported when there is a group (the
# optimizer imports it), they keep the group after its end, and gloo's threads abort the process at its exit now and
# then.
import torch.distributed.nn.functional
from torch import Tensor

from tabspec.train.examples.parts import Rows
from tabspec.train.examples.stream import Maker, RowSource


@dataclass(frozen=True, slots=True)
class TrainingProcesses:
    """The processes of a run: this one's ``number``, from 0, and the ``count`` of all."""

    number: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: str) -> tuple[TrainingProcesses, str]:
        """Join the processes that torchrun has started. Returns them, and this process's device.

        Without torchrun, this process is the only one, and ``device`` is returned.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls(), device
        gpu = device.startswith("cuda")
        if gpu:
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
            torch.cuda.set_device(device)
        # Numbers of the host are added up without the GPU, which would have to be waited for.
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
        atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), count), device

    @property
    def first(self) -> bool:
        """Whether this process writes the log, the checkpoints and the model."""
        return self.number == 0

    def share_of(self, data: RowSource) -> RowSource:
        """The source of this process's rows: every ``count``-th chunk."""
        return data if self.count == 1 else _Share(data, self.number, self.count)

    def sums(self, values: Sequence[float]) -> list[float]:
        """The sums of these numbers over all processes."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in total]

    def of_first(self, value: float) -> float:
        """The first process's number."""
        return self.sums([value if self.first else 0.0])[0]

    def add_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace each gradient by the sum over all processes."""
        if self.count > 1:
            waiting = [dist.all_reduce(each.grad, async_op=True) for each in weights if each.grad is not None]
            for work in waiting:
                work.wait()

    def take_weights_of_first(self, weights: Iterable[Tensor]) -> None:
        """Replace the weights by those of the first process. Steps may differ by the order of sums in a GPU."""
        if self.count > 1:
            for each in weights:
                dist.broadcast(each.detach(), 0)


@dataclass(frozen=True, slots=True)
class _Share:
    data: RowSource
    number: int
    count: int

    @property
    def tokenizer(self) -> Path:
        return self.data.tokenizer

    @property
    def seed(self) -> int:
        return self.data.seed

    def maker(self) -> Maker:
        return _ShareMaker(self.data.maker(), self.number, self.count)


@dataclass(frozen=True, slots=True)
class _ShareMaker:
    maker: Maker
    number: int
    count: int

    @property
    def chunks_per_epoch(self) -> int:
        return max(1, self.maker.chunks_per_epoch // self.count)

    def chunk(self, number: int) -> Rows:
        return self.maker.chunk(number * self.count + self.number)
