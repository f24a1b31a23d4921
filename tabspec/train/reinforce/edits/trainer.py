"""Learns edits: decodes the answers of a step's questions, has them judged, and follows the gradient of the reward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tabspec.models.local.edits.calibration import EditCalibration
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.goals import SpecialIds
from tabspec.train.network import Network, Shape
from tabspec.train.reinforce.edits.answers import Greedy, RowsRead, decoded, extended, rows_of
from tabspec.train.reinforce.edits.batch import MomentBatch
from tabspec.train.reinforce.edits.moments import NOTHING, Asked, Earned, EditRow, all_earned, plain
from tabspec.train.reinforce.edits.objective import Brings, Gate, expected, possible, shown
from tabspec.train.reinforce.learner import Learner, Measured, mean_of
from tabspec.train.reinforce.pool import TASK, Workers


@dataclass(frozen=True, slots=True)
class EditSettings:
    """Settings of a run. Weights in the loss: ``gain`` of the reward in keys, ``truth`` of the loss of the true answers
    and tags, ``distance`` of the divergence from the start. ``rows`` in a step, each a moment, ``micro`` of them at
    once."""

    rank: int = 16
    learning_rate: float = 1.2e-3
    gain: float = 0.5
    truth: float = 1.0
    distance: float = 0.3
    rows: int = 512
    micro: int = 128
    seed: int = 0


@dataclass(frozen=True, slots=True)
class GreedyAnswer:
    """A greedy answer that changes something: the first ``agreed`` tokens of the true one, then ``tokens``; and what it
    brings. Nothing, and no ``tokens``, if it is too unlikely to be shown."""

    agreed: int
    tokens: tuple[int, ...] = ()
    earned: Earned = NOTHING


@dataclass(frozen=True, slots=True)
class _EditsPassed:
    gain: Tensor
    truth: Tensor
    distance: Tensor
    measured: Measured


class EditReinforcer(Learner[EditRow]):
    """A run for edits, whose answers are shown by ``calibration``."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        shape: Shape,
        vocabulary: Vocabulary,
        special: SpecialIds,
        calibration: EditCalibration,
        settings: EditSettings,
        device: str,
        state: Path | None = None,
        run: Mapping[str, object] | None = None,
    ) -> None:
        self._settings, self._special, self._gate = settings, special, Gate(calibration)
        self._micro = settings.micro
        self._bytes_of = vocabulary.bytes_of
        self._control = torch.tensor([not data for data in vocabulary.bytes_of], device=device)
        super().__init__(weights, shape, settings, device, state, run)

    def learn(self, workers: Workers[EditRow], rows: list[EditRow]) -> Measured:
        try:
            return self._learn(workers, rows)
        except torch.OutOfMemoryError:
            if self._micro == 1:
                raise
            self._micro = -(-self._micro // 2)
        self._optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        return self.learn(workers, rows)

    def _learn(self, workers: Workers[EditRow], rows: list[EditRow]) -> Measured:
        settings, found = self._settings, []
        for part, answers in self._parts(workers, rows):
            with self._autocast():
                passed = self._passed(part, answers)
            loss = settings.truth * passed.truth + settings.distance * passed.distance - settings.gain * passed.gain
            (loss * (len(part) / len(rows))).backward()  # type: ignore[no-untyped-call]
            found.append(passed.measured)
        return mean_of(found)

    def judge(self, workers: Workers[EditRow], rows: list[EditRow]) -> Measured:
        found, each = [], self._settings.rows
        with torch.no_grad(), self._autocast():
            for at in range(0, len(rows), each):
                found += [self._passed(*part).measured for part in self._parts(workers, rows[at : at + each])]
        return mean_of(found)

    def _parts(
        self, workers: Workers[EditRow], rows: list[EditRow]
    ) -> Iterator[tuple[list[EditRow], list[list[GreedyAnswer]]]]:
        """The rows in parts of similar length, with the answers to their questions."""
        rows = sorted(rows, key=lambda row: len(row.tokens))
        answers = self.answers(workers, rows)
        for at in range(0, len(rows), self._micro):
            yield rows[at : at + self._micro], answers[at : at + self._micro]

    @torch.no_grad()
    def answers(self, workers: Workers[EditRow], rows: Sequence[EditRow]) -> list[list[GreedyAnswer]]:
        """The answers to the questions of each row, with the weights as they are now."""
        batch = MomentBatch.of(rows, self._special, self._device)
        with self._autocast():
            read = RowsRead.of(self._acting, batch, self._special)
            greedy, place = Greedy.of(read, batch, self._special), read.place(batch)
            says, floor = greedy.begins - read.same(batch, self._special), self._gate.floor(place)
            branches = (possible(says) & (greedy.least >= floor) & ~greedy.right).nonzero()[:, 0]
            row, at, begun = batch.row[branches], (batch.at + greedy.agreed)[branches], greedy.at(branches)
            tokens, least = decoded(self._acting, read.cache, row, at, begun, floor[branches], self._control)
        asked = [(row, each) for row in rows for each in row.asked]
        agreed, right = greedy.agreed.tolist(), greedy.right.tolist()
        found = [GreedyAnswer(agreed[n], (), each.truth if right[n] else NOTHING) for n, (_, each) in enumerate(asked)]
        numbers = branches.tolist()
        texts = [self._text(asked[n][0], asked[n][1], agreed[n], own) for n, own in zip(numbers, tokens, strict=True)]
        size = 8 * TASK
        tasks = [
            ([asked[n][1] for n in numbers[at : at + size]], texts[at : at + size])
            for at in range(0, len(numbers), size)
        ]
        judged = workers.all(all_earned, tasks).get()
        if judged:
            brings = Brings.of(judged, self._device)
            above = self._gate.above(place[branches], least, brings.repeats, brings.partly)
            for each in (possible(above) & brings.shown).nonzero()[:, 0].tolist():
                found[numbers[each]] = GreedyAnswer(agreed[numbers[each]], tokens[each], judged[each])
        ends = iter(found)
        return [[next(ends) for _ in row.asked] for row in rows]

    def _text(self, row: EditRow, asked: Asked, agreed: int, tokens: tuple[int, ...]) -> str | None:
        """The text of an answer; None if it is none."""
        if tokens[-1:] != (self._special.end,):
            return None
        ids = [*plain(row.tokens[asked.start : asked.start + agreed]), *tokens[:-1]]
        with contextlib.suppress(UnicodeDecodeError):
            return b"".join(self._bytes_of[token] for token in ids).decode("utf-8")
        return None

    def _passed(self, rows: Sequence[EditRow], answers: Sequence[Sequence[GreedyAnswer]]) -> _EditsPassed:
        """A pass over rows and their answers: the mean gain of a question, and the losses."""
        special, network = self._special, self.network
        flat = [each for own in answers for each in own]
        batch = MomentBatch.of(rows, special, self._device)
        read = RowsRead.of(network, batch, special)
        with torch.no_grad():
            start = RowsRead.of(self._start, batch, special)
        true = read.answers.gather(-1, batch.targets[:, None])[:, 0]
        tagged = read.tags.gather(-1, batch.tag_targets[:, None])[:, 0]
        weight = batch.weights.sum() + batch.tag_weights.sum()
        truth = -((true * batch.weights).sum() + (tagged * batch.tag_weights).sum()) / weight
        distance = _divergence(start.answers, read.answers) / max(len(true), 1)
        distance = distance + _divergence(start.tags, read.tags) / max(len(tagged), 1)

        brings = Brings.of([each.earned for each in flat], self._device)
        agreed = torch.tensor([each.agreed for each in flat], device=self._device)
        index, _ = batch.goals()
        within = torch.arange(index.shape[1], device=index.device) < agreed[:, None]
        least = true[index].masked_fill(~within, 0.0).amin(-1)
        begins = true[batch.first]
        some = [number for number, each in enumerate(flat) if each.tokens]
        if some:
            which = torch.tensor(some, device=self._device)
            tokens = [flat[number].tokens for number in some]
            differs = torch.tensor([each[0] for each in tokens], device=self._device)
            first = read.answers[batch.first[which] + agreed[which], differs]
            later, apart = self._branches(read, start, batch.row[which], (batch.at + agreed)[which], tokens)
            least = least.scatter(0, which, torch.minimum(torch.minimum(least[which], first), later))
            begins = begins.scatter(0, which, torch.where(agreed[which] > 0, begins[which], first))
            distance = distance + apart
        above = self._gate.above(read.place(batch), least, brings.repeats, brings.partly)
        says = begins - read.same(batch, special)
        gain = expected(brings, above, says).mean()
        return _EditsPassed(gain, truth, distance, _measured(brings, shown(brings, above, says), truth, distance))

    def _branches(
        self, read: RowsRead, start: RowsRead, row: Tensor, at: Tensor, tokens: Sequence[tuple[int, ...]]
    ) -> tuple[Tensor, Tensor]:
        """The lowest log-probability of each branch's tokens after the first, 0 without any; and the divergence from
        the start, in nats a token."""
        longest = max(map(len, tokens))
        if longest == 1:
            return read.answers.new_zeros(len(tokens)), read.answers.new_zeros(())
        ids = torch.tensor([[*each, *[0] * (longest - len(each))] for each in tokens], device=at.device)
        sizes = torch.tensor([len(each) for each in tokens], device=at.device)
        there = torch.arange(1, longest, device=at.device) < sizes[:, None]
        own = self._after(self.network, read, row, at, ids, there)
        with torch.no_grad():
            base = self._after(self._start, start, row, at, ids, there)
        logprobs = own.gather(-1, ids[:, 1:][there][:, None])[:, 0]
        later = torch.zeros_like(there, dtype=logprobs.dtype).masked_scatter(there, logprobs).amin(-1)
        return later, _divergence(base, own) / max(len(own), 1)

    @staticmethod
    def _after(network: Network, read: RowsRead, row: Tensor, at: Tensor, ids: Tensor, there: Tensor) -> Tensor:
        hidden, _ = extended(network, rows_of(read.cache, row), at, ids[:, :-1])
        return F.linear(hidden[there], network.model.embed_tokens.weight).float().log_softmax(-1)


def _divergence(base: Tensor, own: Tensor) -> Tensor:
    return F.kl_div(own, base, reduction="sum", log_target=True)


def _measured(brings: Brings, on: Tensor, truth: Tensor, distance: Tensor) -> Measured:
    def mean(values: Tensor) -> float:
        return float(values.float().mean().item())

    right = on & brings.right
    return Measured(
        mean(brings.reward * on),
        mean(on),
        mean(right),
        mean(brings.saves * right),
        float(truth.detach()),
        float(distance.detach()),
        len(on),
    )
