"""The larger model, which the package tabspec-large holds. It writes at the cursor and edits elsewhere.

tabspec itself does not need the package: it is found if it is installed.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tabspec.errors import ModelNotUsable

LARGE = "large"
"""The model's name, as ``--model`` and the setting ``model`` take it."""
AUTO = "auto"
"""The name that stands for the larger model where it is installed and fast enough, else for the bundled one."""
PACKAGE = "tabspec_large"


def large_folder() -> Path | None:
    """The folder of the larger model; None if it is not installed."""
    if find_spec(PACKAGE) is None:
        return None
    folder: Path = import_module(PACKAGE).FOLDER
    return folder


def installed_large() -> Path:
    """The folder of the larger model. Raises `ModelNotUsable` if it is not installed."""
    if (folder := large_folder()) is None:
        raise ModelNotUsable("the larger model is not installed; run: pip install tabspec-large")
    return folder
