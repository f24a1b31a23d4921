"""Files that a command writes when its work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class OutputFile(click.Path):
    """The type of an option that names a file to write.

    A file that cannot be written is refused before the work begins, which may take hours.
    """

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Fails as click's types do."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.exists() and not os.access(path.parent, os.W_OK | os.X_OK):
            folder = "that folder may not be written to" if path.parent.is_dir() else "there is no such folder"
            self.fail(f"{path} cannot be written: {folder}", param, ctx)
        return path
