"""A real llama-server, installed if it is missing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from tabspec.lab.baselines import llama_server as servers
from tests.tools import installed


def llama_server(model: Path, *options: str) -> AbstractContextManager[str]:
    """The address of a server with this model; it ends with the block."""
    program = installed("llama-server/bin/llama-server")
    # One thread: two that wait for each other in a busy loop are slower where other work runs.
    return servers.llama_server(program, model, "-t", "1", *options)
