"""A workspace with a fake of every module that Python, tabspec or its libraries may import. Each records a run."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions
from pathlib import Path

CODE = "def area(width, height):\n    return width * "


def plant(folder: Path) -> Path:
    """Fill ``folder``; the file that a module of it writes its name into when it is imported."""
    marker = folder.parent / f"{folder.name}-ran"
    betrayal = f"with open({str(marker)!r}, 'a') as file:\n    file.write(__name__ + '\\n')\n"
    libraries = {name for name in packages_distributions() if name.isidentifier()}
    libraries |= {"tabspec", "tabspec_lsp", "sitecustomize", "usercustomize"}
    assert {"torch", "numpy", "pygls", "transformers"} <= libraries
    for name in sys.stdlib_module_names - libraries:
        (folder / f"{name}.py").write_text(betrayal)
    for name in libraries:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(betrayal)
    (folder / "area.py").write_text(CODE)
    return marker


def ran(marker: Path) -> list[str]:
    """The modules that ran."""
    return marker.read_text().split() if marker.exists() else []
