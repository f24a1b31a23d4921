"""Tunes a model on few examples, on a CPU: low-rank additions, stopped before they fit the examples too closely.

`Trainer` is for corpora and hours. Here all rows are in memory, and an epoch has a few hundred. Only middles are
learned: the text around them is in the prompt when serving, and a model that has learned it is too sure of it
(docs/decisions/2026-11-29-train-mine.md).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.examples.fim import Example, ExampleEncoder
from tabspec.train.examples.parts import Part, Rows, parts_of, tokens_of
from tabspec.train.examples.rows import pack
from tabspec.train.examples.tokenizer import PAD, special_id
from tabspec.train.network import Network, Shape
from tabspec.train.optimizers import restore, state_of
from tabspec.train.schedule import rate
from tabspec.train.tune.low_rank import add_low_rank, merged
from tabspec.train.weights.export import export_model
from tabspec.train.weights.saving import save_tensors, under

# Rows of watched examples: 10,000 tokens, which take as long as four steps.
MOST_WATCHED = 20


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of a tuning. Their values were measured (docs/decisions/2026-11-29-train-mine.md).

    ``rank``: of the additions. ``tokens``: in a row. ``rows``: in a step. ``epochs`` and ``seconds`` bound the tuning;
    the learning rate falls to 0 over its second half. ``check_every``: steps between two losses of the watched
    examples. After ``patience`` of these without a gain, it stops.
    """

    rank: int = 8
    learning_rate: float = 1e-3
    tokens: int = 512
    rows: int = 2
    epochs: int = 3
    seconds: float = 1_800.0
    check_every: int = 20
    patience: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TuningProgress:
    """How far a tuning is: steps, seconds, the best loss of the watched middles (nats a token), at which step, and that
    loss before the first step."""

    step: int = 0
    seconds: float = 0.0
    before: float = 0.0
    best: float = 0.0
    best_step: int = 0


class Tuner:
    """A tuning of ``weights``. With ``state``, a file, it is resumed from there, and written there at each check.

    ``learned`` are the examples that are learned, in any order. ``watched`` are later ones, which are only watched.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        shape: Shape,
        tokenizer: Tokenizer,
        learned: Sequence[Example],
        watched: Sequence[Example],
        tuning: Tuning,
        state: Path | None = None,
        run: Mapping[str, object] | None = None,
    ) -> None:
        """``run``: what must be the same for ``state`` to be resumed. If it is not, the tuning begins anew."""
        self._tuning, self._state = tuning, state
        self._run = json.dumps({**asdict(replace(tuning, seconds=0.0)), **(run or {})}, sort_keys=True)
        torch.manual_seed(tuning.seed)
        self._network = Network(shape)
        self._network.load_state_dict(dict(weights))
        self._trained = add_low_rank(self._network, tuning.rank)
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=tuning.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )
        encoder, pad = ExampleEncoder(tokenizer), special_id(tokenizer, PAD)
        self._learned = _rows(encoder, learned, tuning.tokens + 1, pad)
        self._watched = _rows(encoder, watched, tuning.tokens + 1, pad)[:MOST_WATCHED]
        if not all((parts_of(rows) == Part.MIDDLE).any() for rows in (self._learned, self._watched)):
            raise InputError("the sessions hold too little typed text to learn from; record more first")
        self.at = TuningProgress()
        self._best: list[Tensor] = []
        self._load()

    def tune(
        self, progress: Callable[[float, TuningProgress], None] = lambda part, at: None
    ) -> dict[str, Tensor] | None:
        """Tune until it no longer helps, or until the budget is used up. ``progress`` gets the part that is done (0 to
        1).

        Returns the weights with the lowest loss of the watched middles; None if no weights were better than those at
        the beginning.
        """
        tuning = self._tuning
        each = -(-len(self._learned) // tuning.rows)  # steps of an epoch
        begun, earlier = time.monotonic(), self.at.seconds
        if not self.at.step:
            loss = self.watched_loss()
            self.at = TuningProgress(before=loss, best=loss)
        while (part := self._part(each)) < 1:
            epoch, place = divmod(self.at.step, each)
            order = np.random.default_rng((tuning.seed, epoch)).permutation(len(self._learned))
            rows = self._learned[order[place * tuning.rows : (place + 1) * tuning.rows]]
            self._step(rows, rate(part, self.at.step, warmup=5, decay=0.5))
            self.at = replace(self.at, step=self.at.step + 1, seconds=earlier + time.monotonic() - begun)
            if self.at.step % tuning.check_every == 0 or self._part(each) >= 1:
                self._check()
                progress(self._part(each), self.at)
        if not self._best:
            return None
        with torch.no_grad():
            for parameter, best in zip(self._trained, self._best, strict=True):
                parameter.copy_(best)
        return merged(self._network)

    @torch.no_grad()
    def watched_loss(self) -> float:
        """The mean loss of the watched middles, in nats a token."""
        total, count = 0.0, 0
        for at in range(0, len(self._watched), self._tuning.rows):
            losses = self._losses(self._watched[at : at + self._tuning.rows])
            total, count = total + float(losses.sum()), count + len(losses)
        return total / count

    def _part(self, each: int) -> float:
        """The part of the tuning that is done. 1: it ends."""
        tuning = self._tuning
        if self.at.step - self.at.best_step >= tuning.patience * tuning.check_every:
            return 1.0
        return min(1.0, max(self.at.step / (each * tuning.epochs), self.at.seconds / tuning.seconds))

    def _step(self, rows: Rows, factor: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._tuning.learning_rate * factor
        losses = self._losses(rows)
        if not len(losses):
            return
        losses.mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _losses(self, rows: Rows) -> Tensor:
        """The loss of each token of a middle, and of each end: (places,). Other places need no logits."""
        tokens = torch.from_numpy(tokens_of(rows)).long()
        middles = torch.from_numpy(parts_of(rows))[:, 1:] == Part.MIDDLE
        states = self._network.hidden(tokens[:, :-1])[middles]
        logits = F.linear(states, self._network.model.embed_tokens.weight)
        return F.cross_entropy(logits.float(), tokens[:, 1:][middles], reduction="none")

    def _check(self) -> None:
        loss = self.watched_loss()
        if loss < self.at.best:  # never true of a loss that is not a number
            self.at = replace(self.at, best=loss, best_step=self.at.step)
            self._best = [parameter.detach().clone() for parameter in self._trained]
        self._save()

    def _save(self) -> None:
        if self._state is None:
            return
        tensors: dict[str, Tensor] = {f"now/{number}": each for number, each in enumerate(self._trained)}
        tensors |= {f"best/{number}": each for number, each in enumerate(self._best)}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in state_of(self._optimizer).items()}
        save_tensors(tensors, self._state, {"run": self._run, "progress": json.dumps(asdict(self.at))})

    def _load(self) -> None:
        if self._state is None or not self._state.is_file():
            return
        try:
            with safe_open(self._state, "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("run") != self._run:
                    return
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            restore(self._optimizer, under(tensors, "optimizer/"))
            self.at = TuningProgress(**json.loads(metadata["progress"]))
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            return  # a broken file: begin anew
        with torch.no_grad():
            for number, parameter in enumerate(self._trained):
                parameter.copy_(tensors[f"now/{number}"])
        if self.at.best_step:
            self._best = [tensors[f"best/{number}"] for number in range(len(self._trained))]


def export_tuned(weights: Mapping[str, Tensor], shape: Shape, tokenizer: Path, out: Path, seed: int) -> None:
    """Write the model folder ``out`` in int8, as `export_model`. The changes are mostly smaller than half a level of
    the original's rounding, so they are dithered."""
    export_model(weights, shape, tokenizer, out, bits=8, dither=torch.Generator().manual_seed(seed))


def _rows(encoder: ExampleEncoder, examples: Sequence[Example], length: int, pad: int) -> Rows:
    return pack([tokens for tokens in encoder.encode(examples, length) if tokens], [], length, pad)
