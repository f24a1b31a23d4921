"""Weights in eight bits: a matrix as integers with one scale a row, in a safetensors file.

A file of this kind holds, for each matrix ``NAME`` of shape (rows, columns), the int8 tensor ``NAME`` and the float32
tensor ``NAME.scale`` of shape (rows,); the matrix is their product, row by row. Vectors (the gains of the norms) are
float32. Names are those of transformers' Llama; tied output weights are not repeated. The metadata has
``format: tabspec-int8``.

Rounding to the nearest of 255 levels per row costs the bundled model next to nothing (its model card has the
figure), halves the file, and doubles decoding speed where the integers are used as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tabspec.errors import ModelNotUsable
from tabspec.models.files.tensors import format_of, read_tensors, save_tensors

FORMAT = "tabspec-int8"
_LEVELS = 127  # symmetric: -127 to 127, so that 0 is exact
_SCALE = ".scale"


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


def save_quantized(weights: Mapping[str, Tensor], path: Path, dither: torch.Generator | None = None) -> None:
    """Write ``weights`` (a Llama's state dict) quantized: matrices to int8, the rest as float32. ``dither``: see
    `quantize`.

    Written aside and renamed. Raises `InputError` if there is no room or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() == 2:
            matrix = quantize(weight, dither)
            tensors[name], tensors[name + _SCALE] = matrix.values, matrix.scale
        else:
            tensors[name] = weight.float()
    save_tensors(tensors, path, {"format": FORMAT, "version": "1"})


def load_quantized(path: Path) -> dict[str, QuantizedMatrix | Tensor]:
    """Matrices as `QuantizedMatrix`, vectors as float32, by name. Raises `ModelNotUsable` for any other file."""
    if format_of(path) != FORMAT:
        raise ModelNotUsable(f"{path}: not in the format {FORMAT}")
    tensors = read_tensors(path)
    found: dict[str, QuantizedMatrix | Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(_SCALE) and name.removesuffix(_SCALE) in tensors:
            continue
        scale = tensors.get(name + _SCALE)
        if tensor.dtype is torch.int8 and (scale is None or scale.shape != tensor.shape[:1]):
            raise ModelNotUsable(f"{path}: {name} has no scale for each row")
        found[name] = tensor if scale is None else QuantizedMatrix(tensor, scale)
    return found
