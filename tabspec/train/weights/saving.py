"""Writes safetensors files: tensors as they are, or a model's weights in eight or four bits (the formats are described
in `tabspec.models.files.weights`, which reads them).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from tabspec.errors import InputError
from tabspec.models.files.int4 import LOWEST, quantize_groups
from tabspec.models.files.quantized import quantize
from tabspec.models.files.weights import INT4, INT8, SCALE

_LAYERS = ".layers."  # in the names of the matrices that get four bits


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file under a temporary name and rename it. Raises `InputError` if it cannot be written."""
    aside = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, aside, dict(metadata))
        aside.replace(path)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error}") from error


def in_four_bits(name: str, weight: Tensor) -> bool:
    """Whether a weight of this name is stored in four bits: the matrices of layers are."""
    return weight.dim() == 2 and _LAYERS in name


def save_quantized(
    weights: Mapping[str, Tensor], path: Path, *, bits: int = 8, dither: torch.Generator | None = None
) -> None:
    """Write ``weights`` (a Llama's state dict) in 8 or 4 ``bits``. ``dither``, for eight bits: see `quantize`.

    Written aside and renamed. Raises `InputError` if a matrix has an odd number of columns, which four bits cannot
    hold, or if the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() != 2:
            tensors[name] = weight.float()
        elif bits == 4 and in_four_bits(name, weight):
            if weight.shape[1] % 2:
                raise InputError(f"{name} has an odd number of columns: it cannot be stored in four bits; use eight")
            groups = quantize_groups(weight)
            tensors[name], tensors[name + SCALE] = _packed(groups.values), groups.scale
        else:
            rows = quantize(weight, dither)
            tensors[name], tensors[name + SCALE] = rows.values, rows.scale
    save_tensors(tensors, path, {"format": INT4 if bits == 4 else INT8, "version": "1"})


def _packed(values: Tensor) -> Tensor:
    """Two numbers a byte: (rows, columns), -8 to 7, to uint8 (rows, columns / 2)."""
    halves = (values - LOWEST).to(torch.uint8).view(len(values), -1, 2)
    return halves[:, :, 0] | halves[:, :, 1] << 4


def under(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """Those of the tensors whose names begin with ``start``, by the rest of their names."""
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
