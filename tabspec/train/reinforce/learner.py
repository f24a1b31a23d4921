"""What learning completions and learning edits share: the networks, the optimizer, the loop and the checkpoint."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.network import Network, Shape
from tabspec.train.optimizers import restore, state_of
from tabspec.train.reinforce.pool import Waiting, Workers
from tabspec.train.schedule import Budget, rate
from tabspec.train.trainer import TrainingDiverged
from tabspec.train.tune.low_rank import add_low_rank, merged
from tabspec.train.weights.saving import save_tensors, under

STATE = "reinforce.safetensors"


class LearnerSettings(Protocol):
    """What a `Learner` reads of the settings of a run, a dataclass: the ``rank`` of the additions, how many ``rows`` a
    step has."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def rank(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...

    @property
    def rows(self) -> int: ...

    @property
    def seed(self) -> int: ...


class HasTokens(Protocol):
    """A row of tokens."""

    @property
    def tokens(self) -> Sequence[int]: ...


R = TypeVar("R", bound=HasTokens)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over visited places (cursors, or questions about edits), with the rule by which it is shown: the ``reward``
    of a place, the shares ``shown`` and ``taken`` (of all places; an edit that is right is taken), and what is
    ``saved`` at a place (characters of completions, keys of edits). ``truth`` and ``distance``: nats a token.
    ``visited``: places."""

    reward: float
    shown: float
    taken: float
    saved: float
    truth: float = 0.0
    distance: float = 0.0
    visited: int = 0


def mean_of(found: Sequence[Measured]) -> Measured:
    """The means over all places of some measurements."""
    if not found:
        raise InputError("none of the places that were drawn can be shown to the model: use other data")
    total = sum(each.visited for each in found)
    names = ("reward", "shown", "taken", "saved", "truth", "distance")
    means = {name: sum(getattr(each, name) * each.visited for each in found) / max(total, 1) for name in names}
    return replace(found[0], **means, visited=total)


class Learner(Generic[R]):
    """A run from ``weights``. With ``state``, a file, it is resumed from there. A subclass says what is learned from
    rows."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        shape: Shape,
        settings: LearnerSettings,
        device: str,
        state: Path | None = None,
        run: Mapping[str, object] | None = None,
    ) -> None:
        """``run``: what else must be the same for ``state`` to be resumed."""
        self._device, self._state, self._learning = device, state, settings
        self._run = json.dumps({**asdict(settings), **(run or {})}, sort_keys=True)
        torch.manual_seed(settings.seed)
        self.network = Network(shape)
        self.network.load_state_dict(dict(weights))
        # Decoding and the distance need no gradients: on a GPU, 16 bits are enough for their weights.
        self._start = self._frozen()
        self._acting = self._frozen()
        self._trained = add_low_rank(self.network, settings.rank)
        self.network.to(device)
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self.at = Progress()
        self._load()

    def learn(self, workers: Workers[R], rows: list[R]) -> Measured:
        """Add the gradients of a step's rows. The network that acts has the weights as they are now."""
        raise NotImplementedError

    def judge(self, workers: Workers[R], rows: list[R]) -> Measured:
        """What would be shown at ``rows``, without learning."""
        raise NotImplementedError

    def weights(self) -> dict[str, Tensor]:
        """The weights as they are now, without additions, on the CPU."""
        return {name: weight.cpu() for name, weight in merged(self.network).items()}

    def train(
        self,
        workers: Workers[R],
        budget: Budget,
        show: Callable[[Measured, Progress, float], None],
        log_every: int = 1,
        save_every: float = 120.0,
    ) -> None:
        """Train until the budget is used up. ``show`` gets the means since the last call, how far it is, and the part
        that is done."""
        begun, earlier = time.monotonic(), self.at.seconds
        saved, seen = begun, []
        coming = self._coming(workers, self.at.step)
        while budget.progress(self.at.step, self.at.seconds) < 1:
            rows = coming.get()
            coming = self._coming(workers, self.at.step + 1)
            factor = rate(budget.progress(self.at.step, self.at.seconds), self.at.step, warmup=5, decay=0.4)
            if rows:  # of a step of few, all may be left out
                seen.append(self._step(workers, rows, factor))
            tokens = self.at.tokens + sum(len(row.tokens) for row in rows)
            self.at = Progress(self.at.step + 1, earlier + time.monotonic() - begun, tokens)
            part = budget.progress(self.at.step, self.at.seconds)
            if seen and (len(seen) >= log_every or part >= 1):
                mean = mean_of(seen)
                if not math.isfinite(mean.truth):
                    raise TrainingDiverged("the loss is not a number: start again with a lower --learning-rate")
                show(mean, self.at, part)
                seen = []
            if time.monotonic() - saved > save_every:
                self.save()
                saved = time.monotonic()
        self.save()

    def measure(self, workers: Workers[R], numbers: range) -> Measured:
        """What would be shown at rows that are not learned."""
        rows = workers.rows(numbers).get()
        self._act()
        return self.judge(workers, rows)

    def _coming(self, workers: Workers[R], step: int) -> Waiting[R]:
        each = self._learning.rows
        return workers.rows(range(step * each, (step + 1) * each))

    def _step(self, workers: Workers[R], rows: list[R], factor: float) -> Measured:
        self._act()
        found = self.learn(workers, rows)
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning.learning_rate * factor
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return found

    def _frozen(self) -> Network:
        network = copy.deepcopy(self.network).requires_grad_(False).to(self._device)
        if self._device.startswith("cuda"):
            for weight in network.parameters():
                weight.data = weight.data.bfloat16()
        return network

    def _act(self) -> None:
        """Decode with the weights as they are now."""
        with torch.no_grad():
            now = merged(self.network)
            for name, weight in self._acting.named_parameters():
                weight.copy_(now[name])

    def _autocast(self) -> AbstractContextManager[object]:
        kind = torch.device(self._device).type
        return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")

    def save(self) -> None:
        """Write the state, if there is a file for it."""
        if self._state is None:
            return
        tensors: dict[str, Tensor] = {f"now/{number}": each for number, each in enumerate(self._trained)}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in state_of(self._optimizer).items()}
        save_tensors(tensors, self._state, {"run": self._run, "progress": json.dumps(asdict(self.at))})

    def _load(self) -> None:
        if self._state is None or not self._state.is_file():
            return
        try:
            with safe_open(self._state, "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("run") != self._run:
                    raise InputError(f"{self._state} was made with other settings: use the same, or another --out")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            restore(self._optimizer, under(tensors, "optimizer/"))
            self.at = Progress(**json.loads(metadata["progress"]))
            with torch.no_grad():
                for number, parameter in enumerate(self._trained):
                    parameter.copy_(tensors[f"now/{number}"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"{self._state}: cannot be resumed: {error}") from error
