"""Weights as a file has them, in the form that a decoder stores. What is in that form already is taken as it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tabspec.models.files.int4 import GroupedMatrix, quantize_groups
from tabspec.models.files.quantized import QuantizedMatrix, quantize
from tabspec.models.files.weights import Stored


def dense(weight: Stored) -> Tensor:
    """The numbers themselves, in float32 if they were quantized."""
    return weight if isinstance(weight, Tensor) else weight.dequantized(torch.float32)


def in_groups(weight: Stored) -> GroupedMatrix:
    """In four bits."""
    return weight if isinstance(weight, GroupedMatrix) else quantize_groups(dense(weight))


def in_rows(weight: Stored) -> QuantizedMatrix:
    """In eight bits."""
    return weight if isinstance(weight, QuantizedMatrix) else quantize(dense(weight))


def stacked(parts: Sequence[Stored]) -> Stored:
    """The rows of several matrices, one matrix after the other."""
    if len(parts) == 1:
        return parts[0]
    grouped = [part for part in parts if isinstance(part, GroupedMatrix)]
    if len(grouped) == len(parts):
        return GroupedMatrix(torch.cat([part.values for part in grouped]), torch.cat([part.scale for part in grouped]))
    return torch.cat([dense(part) for part in parts])
