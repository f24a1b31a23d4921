"""Weights in four bits: a matrix as integers from -8 to 7 with one scale for 64 neighbouring numbers of a row.

All decoders compute with these numbers, and tests compare them with transformers on `GroupedMatrix.dequantized`. Scales
are bfloat16 from the start, so that no decoder rounds them again: 4.25 bits a number.

The scale of a group is the one of `_LARGEST` that leaves the least squared error. What that gains over the plain rule
(the largest number becomes 7) and over groups of 32: docs/decisions/2026-11-28-int4.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 64
"""Numbers that share a scale: as many as the compiled decoder's activations do, so that a block's products are summed
as integers and scaled once."""
LOWEST, HIGHEST = -8, 7

# What a group's largest number becomes, before it is clipped to -8. Negative, whichever sign the number has (the scale
# takes the other one): of the sixteen levels, the one without a counterpart is then in use (as in llama.cpp's q4_0).
# Above 8 the largest numbers are clipped and the others are finer. Steps of a quarter, positive numbers in
# addition, and numbers from 5 to 13 lower the error of the bundled model's matrices by less than 1 %. Each number that
# is tried costs a pass over the weights when a model is loaded.
_LARGEST = (-7.0, -7.5, -8.0, -8.5, -9.0, -9.5, -10.0)
# Rows are searched a few at a time: half a million numbers stay in a processor's cache from pass to pass (measured:
# 1.3 times as fast as 64 Ki or 4 Mi numbers).
_AT_ONCE = 1 << 19


@dataclass(frozen=True, slots=True)
class GroupedMatrix:
    """A matrix as ``values`` (int8, -8 to 7, (rows, columns)) times ``scale`` (bfloat16, any sign, (rows, groups)): a
    scale for each `GROUP` columns, the last group as many as are left."""

    values: Tensor
    scale: Tensor

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The matrix itself."""
        scale = self.scale.float().repeat_interleave(GROUP, dim=1)[:, : self.values.shape[1]]
        return (self.values.float() * scale).to(dtype)


def quantize_groups(matrix: Tensor) -> GroupedMatrix:
    """The matrix in four bits, each group at the best of the scales that are tried. ``matrix``: (rows, columns), any
    float type. A matrix that is such a product already comes back as it is, where its groups use 7 levels or 8 to one
    side; what is infinite or no number makes its whole group no number."""
    rows, columns = matrix.shape
    groups = -(-columns // GROUP)
    values = torch.empty(rows, columns, dtype=torch.int8, device=matrix.device)
    scale = torch.empty(rows, groups, dtype=torch.bfloat16, device=matrix.device)
    some = max(_AT_ONCE // max(columns, 1), 1)
    for at in range(0, rows, some):
        part = matrix[at : at + some].detach().float()
        wide = torch.nn.functional.pad(part, (0, groups * GROUP - columns)).view(-1, groups, GROUP)
        levels, best = nearest_levels(wide)
        scale[at : at + some] = best[:, :, 0]
        values[at : at + some] = levels.to(torch.int8).view(len(part), -1)[:, :columns]
    return GroupedMatrix(values, scale)


def nearest_levels(groups: Tensor) -> tuple[Tensor, Tensor]:
    """The levels (float, -8 to 7) of ``groups``, float32 (rows, groups, GROUP), and of each group the scale, bfloat16
    (rows, groups, 1): the best of those that are tried."""
    scale = _best_scale(groups)
    return _levels(groups, scale), scale


def _best_scale(groups: Tensor) -> Tensor:
    """Of the scales that are tried the best, as bfloat16 (rows, groups, 1), for ``groups`` (rows, groups, GROUP)."""
    largest = groups.gather(2, groups.abs().argmax(2, keepdim=True))
    # A group of zeros has scale 1: nothing divides by zero.
    best = torch.where(largest == 0, 1.0, largest / LOWEST).to(torch.bfloat16)
    least = torch.full_like(largest, torch.inf)
    for level in _LARGEST:
        scale = (largest / level).to(torch.bfloat16)
        error = torch.addcmul(groups, _levels(groups, scale), scale.float(), value=-1).norm(dim=2, keepdim=True)
        better = error < least
        best, least = torch.where(better, scale, best), torch.where(better, error, least)
    return torch.where(largest.isfinite(), best, torch.nan)


def _levels(groups: Tensor, scale: Tensor) -> Tensor:
    return (groups / scale.float()).round_().clamp_(LOWEST, HIGHEST)
