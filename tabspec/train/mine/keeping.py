"""Puts a tuned model in the place of the user's own model (`tabspec.models.files.mine`), or removes that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabspec.errors import InputError
from tabspec.models.files.mine import FORMAT, RECORD, base_of, mine_folder


def write_record(folder: Path, bundled: Path, figures: Mapping[str, Any]) -> None:
    """Write ``mine.json`` for a model that was made from ``bundled``."""
    record = {"format": FORMAT, "version": 1, "base": base_of(bundled), **figures}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def private_folder(folder: Path) -> Path:
    """Make ``folder`` for the user alone (mode 0700). Raises `InputError` if that fails."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); set XDG_DATA_HOME to a folder of yours"
        ) from None
    return folder


def keep_mine(made: Path) -> Path:
    """Put the model folder ``made`` in the place of the user's own model, which it replaces. Its files become readable
    by the user only. Raises `InputError` if that fails."""
    target = mine_folder()
    old = target.with_name(target.name + ".old")
    try:
        made.chmod(0o700)
        for file in made.iterdir():
            file.chmod(0o600)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        made.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
    return target


def remove_mine() -> bool:
    """Remove the user's own model. False if there is none. Raises `InputError` if it cannot be removed."""
    target = mine_folder()
    if not target.exists():
        return False
    try:
        shutil.rmtree(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be removed ({error.strerror})") from None
    return True
