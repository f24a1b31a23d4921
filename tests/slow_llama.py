"""A real llama-server with a tiny model: installed, filled and started once for all tests that need it."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from tabspec.models import llama_server as servers

REPOSITORY = Path(__file__).parent.parent
PREFIX = Path(os.environ.get("TABSPEC_LLAMA_SERVER", REPOSITORY / "build" / "llama-server"))


def install() -> Path:
    """The program, unpacked by the project's own script. A failure of the script fails the test."""
    script = REPOSITORY / "scripts" / "install-llama-server.sh"
    done = subprocess.run([script, PREFIX], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{script.name} failed: {done.stdout}{done.stderr}"
    return PREFIX / "bin" / "llama-server"


def llama_server(program: Path, model: Path, *options: str) -> AbstractContextManager[str]:
    """The address of a server with this model; it ends with the block."""
    # One thread: two that wait for each other in a busy loop are slower where other work runs.
    return servers.llama_server(program, model, "-t", "1", *options)
