"""Distillation: a model learns the probabilities that a larger one of the same tokenizer states.

The part of the loss is the cross entropy with the teacher's whole distribution, at temperature 1 (Hinton et al. 2015,
arXiv 1503.02531; Busbridge et al. 2025, arXiv 2502.08606, find temperature 1 best for language models).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.network import Network
from tabspec.train.weights.export import TOKENIZER, load_model

# What a token excludes has a logit of -inf. A probability of 0 times that would be no number.
_LOWEST = -1e4


class Teacher:
    """The larger model, on the same device. It does not learn."""

    def __init__(self, folder: Path, tokenizer: Path, device: str, compile: bool) -> None:
        """Raises `InputError` if the models have different tokens, or if it is no model of ours."""
        weights, shape, _ = load_model(folder)
        if load_tokenizer(folder / TOKENIZER).get_vocab() != load_tokenizer(tokenizer).get_vocab():
            raise InputError(f"{folder} has other tokens than the model that learns: use a teacher of its tokenizer")
        self.network = Network(shape)
        self.network.load_state_dict(weights)
        self.network.to(device).requires_grad_(False)
        self._hidden: Callable[[Tensor], Tensor] = self.network.hidden
        if compile:
            self._hidden = torch.compile(self._hidden, dynamic=False)

    @torch.no_grad()
    def hidden(self, ids: Tensor) -> Tensor:
        """The teacher's last hidden states of token ids (rows, length): (rows, length, the teacher's hidden)."""
        return self._hidden(ids)


def divergence(logits: Tensor, taught: Tensor) -> Tensor:
    """Cross entropy in nats of the logits (goals, vocabulary) with the distributions of ``taught``: (goals,)."""
    return -(taught.softmax(1) * logits.log_softmax(1).clamp_min(_LOWEST)).sum(1)
