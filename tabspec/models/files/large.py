"""The larger model, which the package tabspec-large holds. It fills in at the cursor, and writes edits elsewhere.

The package is optional, and has files only: it is found where it is installed, and not imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tabspec.errors import ModelNotUsable

LARGE = "large"
"""The model's name, as ``--model`` and the setting ``model`` take it."""
AUTO = "auto"
"""The name of the bundled model whose edits the larger one writes, where that is installed and fast enough."""
PACKAGE = "tabspec_large"
INSTALL = "run: pip install tabspec-large (in a checkout: pip install ./large)"


def large_folder() -> Path | None:
    """The folder of the larger model; None if it is not installed."""
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def installed_large() -> Path:
    """The folder of the larger model. Raises `ModelNotUsable` if it is not installed."""
    if (folder := large_folder()) is None:
        raise ModelNotUsable(f"the larger model is not installed; {INSTALL}")
    return folder
