"""Settings of all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No deadlines: a property is not wrong because another process had the processor.
settings.register_profile("tabspec", deadline=None)
settings.load_profile("tabspec")


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
