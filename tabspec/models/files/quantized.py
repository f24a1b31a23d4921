"""Weights in eight bits: a matrix as integers with one scale a row.

Rounding to the nearest of 255 levels per row costs the bundled model next to nothing (its model card has the
figure), halves the file, and doubles decoding speed where the integers are used as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LEVELS = 127  # symmetric: -127 to 127, so that 0 is exact


@dataclass(frozen=True, slots=True)
class QuantizedMatrix:
    """A matrix as ``values`` (int8, (rows, columns)) times ``scale`` (float32, (rows,)), row by row."""

    values: Tensor
    scale: Tensor

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The matrix itself."""
        return (self.values.float() * self.scale[:, None]).to(dtype)


def quantize(matrix: Tensor, dither: torch.Generator | None = None) -> QuantizedMatrix:
    """The nearest quantized matrix. ``matrix``: (rows, columns), any float type.

    With ``dither``, each number is rounded up or down at random, so that the mean is the number itself. This keeps
    small changes of a matrix that was quantized before. Rounding to nearest would undo those of less than half a level.
    """
    wide = matrix.detach().float()
    # An all-zero row has scale 1, not 0: nothing divides by zero, and its values are 0 all the same.
    largest = wide.abs().amax(dim=1)
    scale = torch.where(largest > 0, largest / _LEVELS, torch.ones_like(largest))
    levels = wide / scale[:, None]
    if dither is not None:
        # A number on a level stays there: its quotient may differ from it in the last bits only.
        near = levels.round()
        levels = torch.where((levels - near).abs() < 1e-4, near, levels)
        levels = (levels + torch.rand(levels.shape, generator=dither)).floor()
    values = levels.round().clamp(-_LEVELS, _LEVELS).to(torch.int8)
    return QuantizedMatrix(values, scale)
