"""The loop of `tabspec train reinforce`: decode, judge, learn.

A step decodes all of its holes with the weights of its beginning, so it is on-policy. While processes judge the first
micro-batches, the device decodes the others.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.network import Network, Shape
from tabspec.train.reinforce import decode, objective
from tabspec.train.reinforce.forward import forward
from tabspec.train.reinforce.pool import Outcomes, Waiting, Workers
from tabspec.train.reinforce.rows import Batch, Row, batch_of
from tabspec.train.reinforce.rows import Words as RowWords
from tabspec.train.reinforce.shown import Decoded
from tabspec.train.schedule import Budget, rate
from tabspec.train.trainer import TrainingDiverged
from tabspec.train.tune.low_rank import add_low_rank, merged
from tabspec.train.weights.saving import save_tensors

STATE = "reinforce.safetensors"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a run. ``samples``: texts drawn at each cursor; 0: the exact objective, of the greedy text.

    ``chars``: what a character that comes by Tab is worth in addition to the reward, so that the model does not become
    more silent than it has to.

    Weights in the loss: ``gain`` of the reward, ``truth`` of the loss of the true text, ``distance`` of the divergence
    from the start. ``holes`` in a step, ``micro`` of them at once. ``tokens``: of a text.
    """

    samples: int = 0
    rank: int = 16
    learning_rate: float = 1.2e-3
    gain: float = 1.0
    chars: float = 0.1
    truth: float = 1.0
    distance: float = 0.3
    holes: int = 256
    micro: int = 64
    tokens: int = 16
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over the visited cursors of some holes, with the engine's own rule: the ``reward`` of a cursor, the shares
    ``shown`` and ``taken`` (of all cursors), the characters ``saved`` (of a cursor). ``truth`` and ``distance``: nats a
    token. ``visited``: cursors."""

    reward: float
    shown: float
    taken: float
    saved: float
    truth: float = 0.0
    distance: float = 0.0
    visited: int = 0


@dataclass(frozen=True, slots=True)
class _Decoded:
    batch: Batch
    places: decode.Places
    written: decode.Written
    waiting: Waiting[Outcomes]


class Reinforcer:
    """A run from ``weights``. With ``state``, a file, it is resumed from there."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        shape: Shape,
        words: RowWords,
        settings: Settings,
        device: str,
        state: Path | None = None,
        run: Mapping[str, object] | None = None,
    ) -> None:
        """``run``: what else must be the same for ``state`` to be resumed."""
        self._settings, self._device, self._state, self._row_words = settings, device, state, words
        self._run = json.dumps({**asdict(settings), **(run or {})}, sort_keys=True)
        torch.manual_seed(settings.seed)
        self.network = Network(shape)
        self.network.load_state_dict(dict(weights))
        # Decoding and the distance need no gradients: on a GPU, 16 bits are enough for their weights.
        self._start = self._frozen(device)
        self._acting = self._frozen(device)
        self._trained = add_low_rank(self.network, settings.rank)
        self.network.to(device)
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self._words = decode.Words.of(words.rank, words.bytes_of, device)
        self.at = Progress()
        self._load()

    def weights(self) -> dict[str, Tensor]:
        """The weights as they are now, without additions, on the CPU."""
        return {name: weight.cpu() for name, weight in merged(self.network).items()}

    def train(
        self,
        workers: Workers,
        budget: Budget,
        show: Callable[[Measured, Progress, float], None],
        log_every: int = 1,
        save_every: float = 120.0,
    ) -> None:
        """Train until the budget is used up. ``show`` gets the means since the last call, how far it is, and the part
        that is done."""
        begun, earlier = time.monotonic(), self.at.seconds
        saved, seen = begun, []
        coming = self._rows(workers, self.at.step)
        while budget.progress(self.at.step, self.at.seconds) < 1:
            rows = coming.get()
            coming = self._rows(workers, self.at.step + 1)
            factor = rate(budget.progress(self.at.step, self.at.seconds), self.at.step, warmup=5, decay=0.4)
            seen.append(self._step(workers, rows, factor))
            tokens = self.at.tokens + sum(len(row.tokens) for row in rows)
            self.at = Progress(self.at.step + 1, earlier + time.monotonic() - begun, tokens)
            part = budget.progress(self.at.step, self.at.seconds)
            if len(seen) >= log_every or part >= 1:
                mean = _mean(seen)
                if not math.isfinite(mean.truth):
                    raise TrainingDiverged("the loss is not a number: start again with a lower --learning-rate")
                show(mean, self.at, part)
                seen = []
            if time.monotonic() - saved > save_every:
                self.save()
                saved = time.monotonic()
        self.save()

    def measure(self, workers: Workers, numbers: range) -> Measured:
        """What the engine would show at holes that are not learned."""
        rows = workers.rows(numbers).get()
        self._act()
        found = []
        for at in range(0, len(rows), self._settings.micro):
            done = self._decoded(workers, sorted(rows[at : at + self._settings.micro], key=_length), 0, greedy=True)
            with torch.no_grad(), self._autocast():
                passed = forward(self.network, done.places, self._words, done.written, self._start)
            parts = self._parts(done)
            hard = objective.shown(parts, done.written.logprobs)
            found.append(_measured(hard, parts.visited, passed.truth, passed.distance))
        return _mean(found)

    def _frozen(self, device: str) -> Network:
        network = copy.deepcopy(self.network).requires_grad_(False).to(device)
        if device.startswith("cuda"):
            for weight in network.parameters():
                weight.data = weight.data.bfloat16()
        return network

    def _act(self) -> None:
        """Decode with the weights as they are now."""
        with torch.no_grad():
            now = merged(self.network)
            for name, weight in self._acting.named_parameters():
                weight.copy_(now[name])

    def _rows(self, workers: Workers, step: int) -> Waiting[Row]:
        return workers.rows(range(step * self._settings.holes, (step + 1) * self._settings.holes))

    def _step(self, workers: Workers, rows: list[Row], factor: float) -> Measured:
        settings = self._settings
        rows = sorted(rows, key=_length)
        self._act()
        done = [
            self._decoded(workers, rows[at : at + settings.micro], at // settings.micro, greedy=not settings.samples)
            for at in range(0, len(rows), settings.micro)
        ]
        found = []
        for each in done:
            parts = self._parts(each)
            hard = objective.shown(parts, each.written.logprobs)
            visited = parts.visited
            places, written = each.places, each.written
            if not settings.samples:
                parts, places, written = objective.useful(parts, places, written)
            with self._autocast():
                passed = forward(self.network, places, self._words, written, self._start)
            if settings.samples:
                gain = objective.sampled(hard.reward, passed.logprobs, visited, settings.samples)
            else:
                gain = objective.expected(parts, passed.logprobs, settings.chars).sum() / visited.sum().clamp(min=1)
            loss = settings.truth * passed.truth + settings.distance * passed.distance - settings.gain * gain
            (loss * (len(each.batch.rows) / len(rows))).backward()  # type: ignore[no-untyped-call]
            found.append(_measured(hard, visited, passed.truth.detach(), passed.distance.detach()))
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return _mean(found)

    def _decoded(self, workers: Workers, rows: list[Row], number: int, greedy: bool) -> _Decoded:
        settings = self._settings
        batch = batch_of(rows, self._row_words, 1 if greedy else settings.samples)
        places = decode.Places.of(batch, self._device)
        generator = None
        if not greedy:
            seed = hash((settings.seed, self.at.step, number)) & 0xFFFFFFFF
            generator = torch.Generator(self._device).manual_seed(seed)
        with self._autocast():
            written = decode.decode(self._acting, places, self._words, settings.tokens, generator)
        return _Decoded(batch, places, written, workers.judged(rows, self._texts(batch, written), greedy))

    def _texts(self, batch: Batch, written: decode.Written) -> list[list[Decoded]]:
        """What was written, as bytes, for each valid branch in order."""
        data = self._row_words.bytes_of
        tokens, logprobs, counts = written.tokens.tolist(), written.logprobs.tolist(), written.count.tolist()
        found = []
        for r, row in enumerate(batch.rows):
            copies = int(batch.valid[r].sum()) // len(row.branches)
            found.append(
                [
                    Decoded(
                        row.branches[b // copies].cursor,
                        row.branches[b // copies].rest,
                        tuple(data[token] for token in tokens[r][b][: counts[r][b]]),
                        tuple(logprobs[r][b][: counts[r][b]]),
                    )
                    for b in range(len(row.branches) * copies)
                ]
            )
        return found

    def _parts(self, done: _Decoded) -> objective.Parts:
        first = done.written.tokens[..., 0]
        begin = (self._words.size[first] <= done.places.typed).long()
        return objective.Parts.of(done.waiting.get(), begin)

    def _autocast(self) -> AbstractContextManager[object]:
        kind = torch.device(self._device).type
        return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")

    def save(self) -> None:
        """Write the state, if there is a file for it."""
        if self._state is None:
            return
        tensors: dict[str, Tensor] = {f"now/{number}": each for number, each in enumerate(self._trained)}
        for number, values in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{name}": torch.as_tensor(value) for name, value in values.items()}
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
            self.at = Progress(**json.loads(metadata["progress"]))
            with torch.no_grad():
                for number, parameter in enumerate(self._trained):
                    parameter.copy_(tensors[f"now/{number}"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"{self._state}: cannot be resumed: {error}") from error
        values: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer/"):
                _, number, key = name.split("/")
                values.setdefault(int(number), {})[key] = tensor
        if values:
            self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": values})


def _length(row: Row) -> int:
    return len(row.tokens)


def _measured(shown: objective.Shown, visited: Tensor, truth: Tensor, distance: Tensor) -> Measured:
    def mean(values: Tensor) -> float:
        return float(values[visited].float().mean().item())

    return Measured(
        mean(shown.reward),
        mean(shown.shown),
        mean(shown.taken),
        mean(shown.chars),
        float(truth),
        float(distance),
        int(visited.sum()),
    )


def _mean(found: list[Measured]) -> Measured:
    total = sum(each.visited for each in found)
    names = ("reward", "shown", "taken", "saved", "truth", "distance")
    means = {name: sum(getattr(each, name) * each.visited for each in found) / max(total, 1) for name in names}
    return replace(found[0], **means, visited=total)
