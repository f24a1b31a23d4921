from __future__ import annotations

from collections.abc import Iterator

import pytest

from tabspec.lab.converters.gguf import Weights, export_gguf
from tabspec.models.http.connection import body, wire
from tabspec.models.load import BUNDLED
from tests.patience import PATIENCE
from tests.slow_llama import llama_server


@pytest.fixture(scope="session")
def bundled_on_llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a llama-server with the bundled model in q8_0, for all tests that only ask it."""
    out = tmp_path_factory.mktemp("gguf") / "bundled.gguf"
    export_gguf(BUNDLED, out, Weights.Q8_0)
    with llama_server(out, "-a", "tabspec-bundled", "-c", "2048") as url:
        yield url


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's deadlines are for a user, and for a server that has its machine to itself. Here a real server runs
    beside other tests: that it is slow is no error."""
    for name in ("FIRST_EVENT_S", "BETWEEN_EVENTS_S", "ANSWER_S"):
        monkeypatch.setattr(body, name, PATIENCE)
    for name in ("CONNECT_S", "DOCUMENT_S"):
        monkeypatch.setattr(wire, name, PATIENCE)
