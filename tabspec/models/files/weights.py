"""Reads the weights of a safetensors file: in eight bits, in four, or ordinary (written by `tabspec.train.weights`).

Both formats of our own have transformers' names; tied output weights are not repeated, and vectors (the gains of the
norms) are float32. The metadata name the format.

``tabspec-int8``: for each matrix ``NAME`` of shape (rows, columns) the int8 tensor ``NAME`` and the float32 tensor
``NAME.scale`` of shape (rows,), `tabspec.models.files.quantized.QuantizedMatrix`.

``tabspec-int4``: the matrices of layers, as the int4 decoders compute with them: the uint8 tensor ``NAME`` of shape
(rows, columns / 2) and the bfloat16 tensor ``NAME.scale`` of shape (rows, groups),
`tabspec.models.files.int4.GroupedMatrix`. A byte has two neighbouring numbers, each plus 8, that of the even column in
the lower half. Other matrices (the embedding, with the output weights that are tied to it) are as in ``tabspec-int8``.
A number takes 4.25 bits. A model should be trained for it (`tabspec train run --four-bits`): rounding the bundled one
changes one token of seven (docs/decisions/2026-11-28-int4.md).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tabspec.errors import ModelNotUsable
from tabspec.models.files.int4 import GROUP, LOWEST, GroupedMatrix
from tabspec.models.files.quantized import QuantizedMatrix
from tabspec.models.files.tensors import read_tensors, stored_format

INT8, INT4 = "tabspec-int8", "tabspec-int4"
SCALE = ".scale"

Stored = GroupedMatrix | QuantizedMatrix | Tensor
"""A weight as a file has it."""


def is_quantized(path: Path) -> bool:
    """Whether a safetensors file is in one of our own formats. Raises `ModelNotUsable` if it is no safetensors file."""
    return stored_format(path) in (INT8, INT4)


def is_packed(path: Path) -> bool:
    """Whether the layers' matrices in a safetensors file are in four bits. Raises as `is_quantized`."""
    return stored_format(path) == INT4


def load_stored(path: Path) -> dict[str, Stored]:
    """The weights by transformers' names, as the file has them: matrices in eight or four bits, or tensors.

    Raises `ModelNotUsable` if the file cannot be read.
    """
    kind, tensors = stored_format(path), read_tensors(path)
    if kind not in (INT8, INT4):
        return {**tensors}
    found: dict[str, Stored] = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in tensors:
            continue
        scale = tensors.get(name + SCALE)
        matrix = tensor if tensor.dim() != 2 and scale is None else _matrix(tensor, scale)
        if matrix is None:
            raise ModelNotUsable(f"{path}: {name} has not the type or the scales of {kind}")
        found[name] = matrix
    return found


def load_llama_state_dict(path: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """All weights as ``dtype`` by transformers' names.

    Output weights (``lm_head.weight``) of an ordinary file are not in it: they are taken to be tied to the embedding.
    Raises `ModelNotUsable` if the file cannot be read.
    """
    return {
        name: weight.to(dtype) if isinstance(weight, Tensor) else weight.dequantized(dtype)
        for name, weight in load_stored(path).items()
        if name != "lm_head.weight" or not isinstance(weight, Tensor)
    }


def _matrix(tensor: Tensor, scale: Tensor | None) -> GroupedMatrix | QuantizedMatrix | None:
    """A matrix in four or eight bits; None if type and scales do not fit together."""
    if scale is None or tensor.dim() != 2:
        return None
    rows, width = tensor.shape
    if tensor.dtype is torch.uint8 and scale.shape == (rows, -(-2 * width // GROUP)):
        return GroupedMatrix(_unpacked(tensor), scale)
    return QuantizedMatrix(tensor, scale) if tensor.dtype is torch.int8 and scale.shape == (rows,) else None


def _unpacked(halves: Tensor) -> Tensor:
    """Two numbers a byte, uint8 (rows, columns / 2), to int8 (rows, columns), -8 to 7."""
    both = torch.stack((halves & 15, halves >> 4), dim=2).view(len(halves), -1)
    return both.to(torch.int8) + LOWEST
