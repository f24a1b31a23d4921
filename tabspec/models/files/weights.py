"""Reads the weights of a safetensors file, whether in eight bits, in four, or ordinary ones."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tabspec.models.files import packed, quantized
from tabspec.models.files.packed import Stored, load_packed
from tabspec.models.files.quantized import load_quantized
from tabspec.models.files.tensors import format_of, read_tensors


def is_quantized(path: Path) -> bool:
    """Whether a safetensors file is in one of our own formats. Raises `ModelNotUsable` if it is no safetensors file."""
    return format_of(path) in (quantized.FORMAT, packed.FORMAT)


def is_packed(path: Path) -> bool:
    """Whether the layers' matrices in a safetensors file are in four bits. Raises as `is_quantized`."""
    return format_of(path) == packed.FORMAT


def load_stored(path: Path) -> dict[str, Stored]:
    """The weights by transformers' names, as the file has them: matrices in eight or four bits, or tensors.

    Raises `ModelNotUsable` if the file cannot be read.
    """
    kind = format_of(path)
    if kind == packed.FORMAT:
        return load_packed(path)
    if kind == quantized.FORMAT:
        return {**load_quantized(path)}
    return {**read_tensors(path)}


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
