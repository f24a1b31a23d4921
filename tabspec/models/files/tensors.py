"""Safetensors files: written whole or not at all, and read with one clear message for what is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tabspec.errors import InputError, ModelNotUsable


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


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors by name. Raises `ModelNotUsable` if it is no safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise ModelNotUsable(f"{path}: cannot be read as safetensors: {error}") from error


def format_of(path: Path) -> str:
    """``format`` in the metadata; "" without. Raises `ModelNotUsable` if it is no safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return str((file.metadata() or {}).get("format", ""))
    except (OSError, SafetensorError) as error:
        raise ModelNotUsable(f"{path}: cannot be read as safetensors: {error}") from error
