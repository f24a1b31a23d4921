"""Starts a llama-server for a measurement or a test, and stops it afterwards."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tabspec.errors import ModelNotUsable
from tabspec.lab.baselines.ports import free_port
from tabspec.system import processes

# The time limit for the start. It ends hangs only: a model of 30 MB is loaded in a second, a large one on a busy
# machine in minutes.
_START_S = 300.0


@contextmanager
def llama_server(program: Path, model: Path, *options: str) -> Iterator[str]:
    """Start a server of ``model`` (a GGUF file) with one slot, and yield its address.

    ``options`` are added to its command line. Raises `ModelNotUsable` if it does not start.
    """
    port = free_port()
    command = [
        str(Path(shutil.which(program) or program).absolute()),
        "-m",
        str(model.absolute()),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "-np",
        "1",
    ]
    command += ["--offline", "--log-verbosity", "1", *options]
    try:
        process = processes.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise ModelNotUsable(f"{program}: cannot be run ({error.strerror or error})") from None
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, program)
        yield url
    finally:
        process.kill()
        process.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes], program: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ModelNotUsable(f"{program}: ended with exit code {process.returncode}; is it a llama-server?")
        try:
            if httpx.get(url + "/health", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)  # a server signals its readiness in no other way, so poll
    raise ModelNotUsable(f"{program}: the server did not start within {_START_S:.0f} s")
