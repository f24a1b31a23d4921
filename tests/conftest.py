"""Settings of all tests: the order and the process in which they run, and a separate runtime folder."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.examples import examples

# No deadlines: a property is not wrong because another process had the processor.
settings.register_profile("tabspec", deadline=None, max_examples=examples(100))  # 100 is Hypothesis' own number
settings.load_profile("tabspec")

TESTS = Path(__file__).parent

# What takes longest begins first, so that the processes end at about the same time. Editors are being installed while
# the first of these run.
ORDER = ("contract", "replay", "editors/test_vscode", "simulation", "editors", "lsp", "benchmarks", "gpu", "unit")

# Files that share one server, and so one process.
SHARED_SERVERS = {
    "contract/test_edits_on_llama_server.py": "llama-server",
    "contract/test_llama_server.py": "llama-server",
    "contract/test_one_setting.py": "llama-server",
}

# Here each test stands alone: no fixture outlives it, and any process may run it. Elsewhere one process runs a file,
# and makes the file's models and servers once.
ALONE = ("simulation/", "editors/test_neovim", "editors/test_helix", "editors/test_emacs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(TESTS).as_posix()
        return next((place for place, beginning in enumerate(ORDER) if file.startswith(beginning)), len(ORDER))

    items.sort(key=place)


class Groups(LoadScopeScheduling):
    """Which tests go to the same process. (xdist's own groups, ``loadgroup``, have no effect with pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        return nodeid if file.startswith(ALONE) else SHARED_SERVERS.get(file, file)


@pytest.hookimpl(optionalhook=True)  # unknown where xdist is switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return Groups(config, log)


@pytest.fixture(scope="session", autouse=True)
def runtime_folder() -> Iterator[str]:
    """A runtime folder of the tests' own: no daemon of the person who runs them is met. Short, for sockets' names."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        yield folder
    if before is None:
        del os.environ["XDG_RUNTIME_DIR"]
    else:
        os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    """A test that sets torch's number of threads sets it for itself alone: with two threads, tiny models take up to ten
    times as long beside other tests."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    yield
    if torch and torch.get_num_threads() != before:
        torch.set_num_threads(before)
