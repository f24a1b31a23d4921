"""Where a result was measured: commit, processor, Python."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import tabspec
from tabspec.system import processes


def git_commit() -> str:
    """The commit of tabspec's own checkout, with "+" if it has changes; the version if it is not a checkout."""
    folder = Path(tabspec.__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return tabspec.__version__
    try:
        described = processes.run(
            ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,  # git may hang on a network file system, which must not block a replay
        )
    except (OSError, subprocess.SubprocessError):
        return tabspec.__version__
    return str(described.stdout).strip()


def machine() -> str:
    """Processor, cores and Python, in one line."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, Python {platform.python_version()}"
