from __future__ import annotations

from collections.abc import Iterator

import pytest

from tabspec.lab.converters.gguf import Weights, export_gguf
from tabspec.models.load import BUNDLED
from tests.slow_llama import llama_server


@pytest.fixture(scope="session")
def bundled_on_llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a llama-server with the bundled model in q8_0, for all tests that only ask it."""
    out = tmp_path_factory.mktemp("gguf") / "bundled.gguf"
    export_gguf(BUNDLED, out, Weights.Q8_0)
    with llama_server(out, "-a", "tabspec-bundled", "-c", "2048") as url:
        yield url
