"""Checkpoints: safetensors files with weights, optimizer state and position. They are replaced atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.weights.saving import save_tensors, under

NAME = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class RunPosition:
    """The progress of a run: steps, tokens, seconds, and the position in the data (`Batches.position`)."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    chunk: int = 0
    skip: int = 0


def save_checkpoint(
    path: Path,
    weights: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor],
    at: RunPosition,
    run: Mapping[str, object],
) -> None:
    """Write a checkpoint. ``run``: settings that must be the same in a resumed run (architecture, seed, ...)."""
    tensors = {f"weights/{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer.items()}
    save_tensors(tensors, path, {"position": json.dumps(asdict(at)), "run": json.dumps(dict(run))})


def load_checkpoint(path: Path, run: Mapping[str, object]) -> tuple[dict[str, Tensor], dict[str, Tensor], RunPosition]:
    """Weights, optimizer state and position. Raises `InputError` if it is no checkpoint with the settings ``run``."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            stored = {"processes": 1, **json.loads(metadata["run"])}  # older ones do not state it
            at = RunPosition(**json.loads(metadata["position"]))
            for key, value in json.loads(json.dumps(dict(run))).items():
                if stored.get(key) != value:
                    raise InputError(
                        f"{path} was made with {key} = {stored.get(key)}, this run has {value}: "
                        "use the same settings, or another output folder"
                    )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a checkpoint of 'tabspec train run': {error}") from error
    return under(tensors, "weights/"), under(tensors, "optimizer/"), at


def checkpoint_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights, and the fields of `Shape`. Raises `InputError` if ``path`` is not a checkpoint."""
    try:
        with safe_open(path, "pt") as file:
            shape = json.loads((file.metadata() or {})["run"])["shape"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a checkpoint of 'tabspec train run': {error}") from error
    return under(tensors, "weights/"), shape
