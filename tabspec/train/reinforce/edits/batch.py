"""Rows of moments as tensors on the device that computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tabspec.train.examples.parts import Part
from tabspec.train.goals import SpecialIds, goals_of
from tabspec.train.reinforce.edits.moments import EditRow


@dataclass(frozen=True, slots=True)
class MomentBatch:
    """``ids`` (rows, length), padded. Goals of answers: ``places`` (input positions, in the rows one after another),
    ``targets`` and ``weights`` in the loss, (goals,) each; and the same of tags, whose targets are 0 to 2.

    Of each question: its ``row``, the index ``at`` in it of the true answer's first token; the ``first`` of its goals
    and their ``count``; and the goals of the ``tags`` of its window, (questions, most), the first one repeated."""

    ids: Tensor
    places: Tensor
    targets: Tensor
    weights: Tensor
    tag_places: Tensor
    tag_targets: Tensor
    tag_weights: Tensor
    row: Tensor
    at: Tensor
    first: Tensor
    count: Tensor
    tags: Tensor

    @classmethod
    def of(cls, rows: Sequence[EditRow], special: SpecialIds, device: str) -> MomentBatch:
        """The rows as one batch."""
        length = max(len(row.tokens) for row in rows) - 1
        marked = np.zeros((len(rows), length + 1), np.uint32)
        for number, row in enumerate(rows):
            marked[number, : len(row.tokens)] = row.tokens
        ids = (marked & 0xFFFF).astype(np.int64)[:, :-1]
        goals = goals_of(marked, special)
        tag = goals.parts >= Part.TAG_STAYS
        answers, tags = goals.places[~tag], goals.places[tag]
        asked = [(number, each) for number, row in enumerate(rows) for each in row.asked]
        most = max(len(each.tags) for _, each in asked)
        where = np.array([[n * length + t for t in (*e.tags, *e.tags[:1] * (most - len(e.tags)))] for n, e in asked])
        firsts = np.array([number * length + each.start - 1 for number, each in asked])
        arrays = (
            ids,
            answers,
            goals.targets[~tag],
            goals.weights[~tag],
            tags,
            goals.parts[tag] - Part.TAG_STAYS,
            goals.weights[tag],
            np.array([number for number, _ in asked]),
            np.array([each.start for _, each in asked]),
            np.searchsorted(answers, firsts),
            np.array([each.stop - each.start for _, each in asked]),
            np.searchsorted(tags, where),
        )
        return cls(*(torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in arrays))

    def goals(self) -> tuple[Tensor, Tensor]:
        """The goals of each question, (questions, most), and which of them are there."""
        step = torch.arange(int(self.count.max().item()), device=self.count.device)
        there = step < self.count[:, None]
        return torch.where(there, self.first[:, None] + step, self.first[:, None]), there
