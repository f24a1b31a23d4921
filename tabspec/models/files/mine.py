"""The user's own model: the bundled one as `tabspec train mine` has tuned it, in the user's data folder.

It is one folder, for the user alone. ``mine.json`` in it names the bundled model that it was made from. The tuned
weights of another bundled model are not used, because the two would no longer be compared. The folder is written by
`tabspec.train.mine.keeping`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tabspec.errors import InputError
from tabspec.system.regular import read_regular

MINE = "mine"
"""The name of the user's own model, as ``--model`` and the setting ``model`` take it."""
RECORD = "mine.json"
FORMAT = "tabspec-mine"
_RECORD_BYTES = 1 << 16


def data_folder() -> Path:
    """tabspec's folder for the user's data: in ``$XDG_DATA_HOME`` (``~/.local/share``), on Windows in
    ``%LOCALAPPDATA%``. It may not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        base = os.environ.get("XDG_DATA_HOME") or ""
        if not Path(base).is_absolute():  # the specification ignores relative paths
            base = str(Path.home() / ".local" / "share")
    return Path(base) / "tabspec"


def mine_folder() -> Path:
    """The folder of the user's own model. It may not exist."""
    return data_folder() / MINE


def problem_of_mine(bundled: Path) -> str:
    """Why the user's own model cannot be used with this bundled one, as a line for the user; "" if it can."""
    folder = mine_folder()
    if not folder.is_dir():
        return "there is no model of your own yet; make one with: tabspec train mine --sessions DIR"
    try:
        base = read_record(folder)["base"]
    except InputError as error:
        return f"{error}; make your own model again with: tabspec train mine --sessions DIR"
    if base != base_of(bundled):
        return (
            "your own model was made from another version of the bundled model; make it again with: tabspec train mine "
            "--sessions DIR"
        )
    return ""


def read_record(folder: Path) -> dict[str, Any]:
    """What ``mine.json`` in ``folder`` holds. Raises `InputError` if it is not there or broken."""
    path = folder / RECORD
    try:
        record = json.loads(read_regular(path, _RECORD_BYTES).decode("utf-8"))
        if record["format"] != FORMAT or record["version"] != 1 or not isinstance(record["base"], str):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path} cannot be read") from None
    return dict(record)


def base_of(bundled: Path) -> str:
    """What `RECORD` names the bundled model in this folder by: its fingerprint."""
    from tabspec.models.files.folder import ModelFolder  # imports the tokenizers library, which the front does not need

    return ModelFolder(bundled).fingerprint()
