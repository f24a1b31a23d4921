"""Starts other programs. Every call that makes a process is in this module.

An editor starts the language server in the folder that it has open, whose files may be hostile. ``python -m`` puts the
working directory first on its path, so a ``threading.py`` in that folder would run. Therefore a child gets another
working directory, an environment without the variables that name code, and a path without the working directory.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(sys.executable).anchor or os.sep
"""The working directory of children: it always exists, and only an administrator can put a file into it."""

NAMES_CODE = frozenset(
    {
        "PYTHONBREAKPOINT",
        "PYTHONEXECUTABLE",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONPYCACHEPREFIX",  # compiled modules are read from there, and run
        "PYTHONSTARTUP",
        "PYTHONWARNINGS",  # imports the module of a category
    }
)
"""Variables whose value Python runs, or searches for code. PYTHONUSERBASE is not removed: tabspec itself may be
installed there."""
# The folder that tabspec was imported from.
_OWN_FOLDER = str(Path(__file__).resolve().parents[2])


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module in this Python, without the working directory on its path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``given`` without the variables by which Python finds code, and with ``PYTHONSAFEPATH``, for grandchildren.

    The folder that tabspec itself was imported from stays in ``PYTHONPATH``: tabspec may not be installed elsewhere.
    """
    clean = {name: value for name, value in given.items() if name.upper() not in NAMES_CODE}
    if _OWN_FOLDER in given.get("PYTHONPATH", "").split(os.pathsep):
        clean["PYTHONPATH"] = _OWN_FOLDER
    return clean | {"PYTHONSAFEPATH": "1"}


def guard() -> None:
    """Set this process's environment to `environment`. For entry points, since libraries start processes, too."""
    clean = environment()
    for name in set(os.environ) - set(clean):
        del os.environ[name]
    os.environ.update(clean)


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program, and do not wait for its end. ``options``, here and below, are those of `subprocess.Popen`.
    ``cwd`` and ``env`` are given where the program needs others. Raises OSError if it cannot be started."""
    return subprocess.Popen(command, **_safe(options))


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, as `subprocess.run`, which has further options. Raises what that raises."""
    return subprocess.run(command, **_safe(options))  # noqa: PLW1510  the caller's `check`


async def open_process(command: Sequence[str], **options: Any) -> asyncio.subprocess.Process:
    """As `start`, for an event loop."""
    return await asyncio.create_subprocess_exec(*command, **_safe(options))


def _safe(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"cwd": FOLDER, "env": environment(), **options}
