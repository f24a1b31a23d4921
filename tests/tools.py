"""Programs that tests drive: editors and servers, installed by the Makefile's targets if they are missing."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TOOLS = REPOSITORY / ".tools"
# Seconds. `make test` installs in the background; code-server, which builds native modules, takes minutes.
INSTALLING = 1200


@cache
def make(target: str) -> None:
    """Make a target of the Makefile. Waits where another process installs it; its failure is the test's."""
    done = subprocess.run(
        ["make", "--silent", target], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=INSTALLING
    )
    assert done.returncode == 0, f"make {target} failed:\n{(done.stdout + done.stderr)[-4000:]}"


def installed(path: str) -> Path:
    """A program below ``.tools``, where the Makefile puts it."""
    make(f".tools/{path}")
    return TOOLS / path
