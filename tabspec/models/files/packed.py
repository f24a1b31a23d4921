"""Weights in four bits in a safetensors file, as the int4 decoders compute with them.

For each matrix ``NAME`` of a layer, of shape (rows, columns), the file holds the uint8 tensor ``NAME`` of shape (rows,
columns / 2) and the bfloat16 tensor ``NAME.scale`` of shape (rows, groups): `tabspec.models.files.int4.GroupedMatrix`.
A byte has two neighbouring numbers, each plus 8, that of the even column in the lower half. Other matrices (the
embedding, with the output weights that are tied to it) are int8 with a scale a row, and vectors are float32, as in
`tabspec.models.files.quantized`. The metadata has ``format: tabspec-int4``.

A number takes 4.25 bits. A model should be trained for it (`tabspec train run --four-bits`): rounding the bundled one
changes one token of seven (docs/decisions/2026-11-28-int4.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.files.int4 import GROUP, LOWEST, GroupedMatrix, quantize_groups
from tabspec.models.files.quantized import QuantizedMatrix, quantize
from tabspec.models.files.tensors import format_of, read_tensors, save_tensors

FORMAT = "tabspec-int4"
_SCALE = ".scale"
_LAYERS = ".layers."  # in the names of the matrices that get four bits

Stored = GroupedMatrix | QuantizedMatrix | Tensor
"""A weight as a file has it."""


def in_four_bits(name: str, weight: Tensor) -> bool:
    """Whether a weight of this name is stored in four bits: the matrices of layers are."""
    return weight.dim() == 2 and _LAYERS in name


def save_packed(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write ``weights`` (a Llama's state dict). Raises `InputError` if a matrix has an odd number of columns, or if the
    file cannot be written."""
    tensors: dict[str, Tensor] = {}
    for name, weight in weights.items():
        matrix: GroupedMatrix | QuantizedMatrix
        if in_four_bits(name, weight):
            if weight.shape[1] % 2:
                raise InputError(f"{name} has an odd number of columns: it cannot be stored in four bits; use eight")
            matrix = quantize_groups(weight)
            tensors[name], tensors[name + _SCALE] = _packed(matrix.values), matrix.scale
        elif weight.dim() == 2:
            matrix = quantize(weight)
            tensors[name], tensors[name + _SCALE] = matrix.values, matrix.scale
        else:
            tensors[name] = weight.float()
    save_tensors(tensors, path, {"format": FORMAT, "version": "1"})


def load_packed(path: Path) -> dict[str, Stored]:
    """The weights by name: matrices as `GroupedMatrix` or `QuantizedMatrix`, vectors as float32. Raises
    `ModelNotUsable` for any other file."""
    if format_of(path) != FORMAT:
        raise ModelNotUsable(f"{path}: not in the format {FORMAT}")
    tensors = read_tensors(path)
    found: dict[str, Stored] = {}
    for name, tensor in tensors.items():
        if name.endswith(_SCALE) and name.removesuffix(_SCALE) in tensors:
            continue
        if tensor.dim() != 2:
            found[name] = tensor
            continue
        scale = tensors.get(name + _SCALE)
        rows, width = tensor.shape
        if tensor.dtype is torch.uint8 and scale is not None and scale.shape == (rows, -(-2 * width // GROUP)):
            found[name] = GroupedMatrix(_unpacked(tensor), scale)
        elif tensor.dtype is torch.int8 and scale is not None and scale.shape == (rows,):
            found[name] = QuantizedMatrix(tensor, scale)
        else:
            raise ModelNotUsable(f"{path}: {name} has not the type or the scales of {FORMAT}")
    return found


def _packed(values: Tensor) -> Tensor:
    """Two numbers a byte: (rows, columns), -8 to 7, to uint8 (rows, columns / 2)."""
    halves = (values - LOWEST).to(torch.uint8).view(len(values), -1, 2)
    return halves[:, :, 0] | halves[:, :, 1] << 4


def _unpacked(halves: Tensor) -> Tensor:
    """The inverse of `_packed`, as int8."""
    both = torch.stack((halves & 15, halves >> 4), dim=2).view(len(halves), -1)
    return both.to(torch.int8) + LOWEST
