"""Training for weights in four bits: passes use the rounded weights, and steps change the exact ones.

The gradient at the rounded weights is taken as that of the exact ones (straight-through estimator, arXiv 1308.3432).
The rounding is that of the file (`tabspec.models.files.weights`), so that what is stored is what was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tabspec.models.files.int4 import GROUP, nearest_levels
from tabspec.models.files.quantized import quantize
from tabspec.train.weights.saving import in_four_bits


class Rounding:
    """Rounds the weights of a network and restores them.

    It is not compiled: compiled code may skip the rounding of scales to bfloat16, and so find other levels.
    """

    def __init__(self, network: nn.Module) -> None:
        matrices = [(name, weight) for name, weight in network.named_parameters() if weight.dim() == 2]
        self._four = [weight for name, weight in matrices if in_four_bits(name, weight)]
        self._eight = [weight for name, weight in matrices if not in_four_bits(name, weight)]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network's weights are the rounded ones until the end of the block."""
        kept = [weight.detach().clone() for weight in (*self._four, *self._eight)]
        with torch.no_grad():
            for weight, rounded in zip(self._four, _rounded(self._four), strict=True):
                weight.copy_(rounded)
            for weight in self._eight:
                weight.copy_(quantize(weight).dequantized(weight.dtype))
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, exact in zip((*self._four, *self._eight), kept, strict=True):
                    weight.copy_(exact)


def _rounded(matrices: Sequence[Tensor]) -> Iterator[Tensor]:
    """As `quantize_groups`, without the integers, and all matrices at once: a GPU prefers few large operations."""
    if not matrices:
        return
    parts = [F.pad(matrix.float(), (0, -matrix.shape[1] % GROUP)).view(-1, 1, GROUP) for matrix in matrices]
    levels, scale = nearest_levels(torch.cat(parts))
    rounded = torch.split(levels * scale.float(), [len(part) for part in parts])
    for matrix, part in zip(matrices, rounded, strict=True):
        yield part.view(len(matrix), -1)[:, : matrix.shape[1]]
