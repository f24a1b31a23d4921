"""A real llama-server with a tiny model: installed, filled and started once for all tests that need it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).parent.parent
PREFIX = Path(os.environ.get("TABSPEC_LLAMA_SERVER", REPOSITORY / "build" / "llama-server"))
START_S = 60.0  # a model of 28 MB is loaded in a second; a busy machine is given a minute


def install() -> Path:
    """The program, unpacked by the project's own script. A failure of the script fails the test."""
    script = REPOSITORY / "scripts" / "install-llama-server.sh"
    done = subprocess.run([script, PREFIX], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{script.name} failed: {done.stdout}{done.stderr}"
    return PREFIX / "bin" / "llama-server"


@contextmanager
def llama_server(program: Path, model: Path, *options: str) -> Iterator[str]:
    """The address of a server with this model; it ends with the block."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    # One thread: two that wait for each other in a busy loop are slower where other work runs.
    common = ("--host", "127.0.0.1", "--port", str(port), "-t", "1", "-np", "1", "--offline", "--log-verbosity", "1")
    process = subprocess.Popen(
        [program, "-m", model, *common, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(url, process)
        yield url
    finally:
        process.kill()
        process.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, f"llama-server ended with {process.returncode}"
        try:
            if httpx.get(url + "/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)  # for another process there is nothing else to wait on
    raise AssertionError("llama-server did not come up")
