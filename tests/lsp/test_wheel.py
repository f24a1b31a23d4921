"""What `make dist` builds, as a user installs it: into an empty environment, far from this checkout."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lsp_client import Client

from tests import tools
from tests.patience import PATIENCE
from tests.tools import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

TEXT = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    re"
LINE, COLUMN = 5, 6  # behind the last character; zero-based, as in LSP


@pytest.fixture(scope="module")
def dist() -> Path:
    tools.make("dist")
    return REPOSITORY / "dist"


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel of tabspec and what it needs, in the versions that were tested."""
    folder = tmp_path_factory.mktemp("wheel") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install(folder, "torch")  # by itself, so that its CPU build is found where pip has one
    install(folder, wheel(dist, "tabspec"))
    return folder


def install(environment: Path, *what: str | Path) -> None:
    options = ["-qq", "--no-compile", "--constraint", REPOSITORY / "constraints.txt"]
    subprocess.run([environment / "bin" / "python", "-m", "pip", "install", *options, *what], check=True)


def wheel(dist: Path, name: str) -> Path:
    (found,) = dist.glob(f"{name}-*.whl")
    return found


def variables() -> dict[str, str]:
    """This process's environment without what would make Python find the checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(environment: Path, *arguments: str | Path) -> str:
    command = [environment / "bin" / "tabspec", *arguments]
    done = subprocess.run(command, cwd=environment.parent, env=variables(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
async def client(environment: Path) -> AsyncIterator[Client]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        environment / "bin" / "tabspec-lsp", "--stdio",
        cwd=environment.parent, env=variables(), stdin=pipe, stdout=pipe, limit=1 << 16,
    )  # fmt: skip
    client = Client(process)
    client.listen()
    yield client
    await client.kill()


def test_the_wheels_and_the_extension_are_built(dist: Path) -> None:
    found = sorted(path.name.partition("-")[0] for path in dist.glob("*.whl"))
    assert found == ["tabspec", "tabspec_large", "tabspec_native"]
    assert (dist / "tabspec.vsix").stat().st_size > 100_000


def test_the_command_completes(environment: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(TEXT)
    said = run(environment, "complete", file, "--line", str(LINE + 1), "--column", str(COLUMN + 1))
    assert said.startswith("turn")


async def test_the_language_server_completes(client: Client) -> None:
    await client.initialize(options={"min_probability": 0.0})
    client.open(TEXT)
    async with asyncio.timeout(PATIENCE):
        while not (items := await client.inline(LINE, COLUMN)):
            pass  # a model that loads is waited for by each request, `patience` seconds
    first, *_ = items
    assert "turn" in first["insertText"]
    assert await client.stop() == 0


def test_the_second_wheel_brings_the_compiled_decoder(dist: Path, environment: Path) -> None:
    """Last: it changes the environment of those before."""
    missing = "tabspec-native not installed"
    assert missing in " ".join(run(environment, "doctor").split())
    install(environment, "--no-deps", wheel(dist, "tabspec_native"))
    assert missing not in " ".join(run(environment, "doctor").split())
