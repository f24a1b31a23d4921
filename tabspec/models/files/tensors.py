"""Reads safetensors files, with one clear message for what is none."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tabspec.errors import ModelNotUsable


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors by name. Raises `ModelNotUsable` if it is no safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise ModelNotUsable(f"{path}: cannot be read as safetensors: {error}") from error


def stored_format(path: Path) -> str:
    """``format`` in the metadata; "" without. Raises `ModelNotUsable` if it is no safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return str((file.metadata() or {}).get("format", ""))
    except (OSError, SafetensorError) as error:
        raise ModelNotUsable(f"{path}: cannot be read as safetensors: {error}") from error
