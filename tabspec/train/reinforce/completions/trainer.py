"""Learns completions: decodes at the cursors of holes, has them judged, and follows the gradient of the reward.

A step decodes all of its holes with the weights of its beginning, so it is on-policy. While processes judge the first
micro-batches, the device decodes the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tabspec.train.network import Shape
from tabspec.train.reinforce.completions import decode, objective
from tabspec.train.reinforce.completions.forward import forward
from tabspec.train.reinforce.completions.rows import Batch, HoleRow, SortedTokens, batch_of
from tabspec.train.reinforce.completions.shown import Decoded, Outcomes, judged
from tabspec.train.reinforce.learner import Learner, Measured, mean_of
from tabspec.train.reinforce.pool import Waiting, Workers


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a run. ``samples``: texts drawn at each cursor; 0: the exact objective, of the greedy text.

    ``chars``: what a character that comes by Tab is worth in addition to the reward, so that the model does not become
    more silent than it has to.

    Weights in the loss: ``gain`` of the reward, ``truth`` of the loss of the true text, ``distance`` of the divergence
    from the start. ``rows`` in a step, each a hole, ``micro`` of them at once. ``tokens``: of a text.
    """

    samples: int = 0
    rank: int = 16
    learning_rate: float = 1.2e-3
    gain: float = 1.0
    chars: float = 0.1
    truth: float = 1.0
    distance: float = 0.3
    rows: int = 256
    micro: int = 64
    tokens: int = 16
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _DecodedBatch:
    batch: Batch
    places: decode.CursorTensors
    written: decode.Written
    waiting: Waiting[Outcomes]


class Reinforcer(Learner[HoleRow]):
    """A run for completions."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        shape: Shape,
        words: SortedTokens,
        settings: Settings,
        device: str,
        state: Path | None = None,
        run: Mapping[str, object] | None = None,
    ) -> None:
        self._settings, self._row_words = settings, words
        self._words = decode.TokenTensors.of(words.rank, words.bytes_of, device)
        super().__init__(weights, shape, settings, device, state, run)

    def judge(self, workers: Workers[HoleRow], rows: list[HoleRow]) -> Measured:
        found = []
        for at in range(0, len(rows), self._settings.micro):
            done = self._decoded(workers, sorted(rows[at : at + self._settings.micro], key=_length), 0, greedy=True)
            with torch.no_grad(), self._autocast():
                passed = forward(self.network, done.places, self._words, done.written, self._start)
            parts = self._parts(done)
            hard = objective.shown(parts, done.written.logprobs)
            found.append(_measured(hard, parts.visited, passed.truth, passed.distance))
        return mean_of(found)

    def learn(self, workers: Workers[HoleRow], rows: list[HoleRow]) -> Measured:
        settings = self._settings
        rows = sorted(rows, key=_length)
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
        return mean_of(found)

    def _decoded(self, workers: Workers[HoleRow], rows: list[HoleRow], number: int, greedy: bool) -> _DecodedBatch:
        settings = self._settings
        batch = batch_of(rows, self._row_words, 1 if greedy else settings.samples)
        places = decode.CursorTensors.of(batch, self._device)
        generator = None
        if not greedy:
            seed = hash((settings.seed, self.at.step, number)) & 0xFFFFFFFF
            generator = torch.Generator(self._device).manual_seed(seed)
        with self._autocast():
            written = decode.decode(self._acting, places, self._words, settings.tokens, generator)
        return _DecodedBatch(
            batch, places, written, judged(workers, [row.hole for row in rows], self._texts(batch, written), greedy)
        )

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

    def _parts(self, done: _DecodedBatch) -> objective.Parts:
        first = done.written.tokens[..., 0]
        begin = (self._words.size[first] <= done.places.typed).long()
        return objective.Parts.of(done.waiting.get(), begin)


def _length(row: HoleRow) -> int:
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
