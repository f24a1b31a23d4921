"""What `tabspec cluster serve` says if Ray does not come up. Ray is replaced here: a real one would take minutes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabspec.cluster.app import ClusterOptions
from tabspec.cluster.local import serve_until_interrupted
from tabspec.cluster.replica import ModelOptions
from tabspec.errors import InputError


@pytest.fixture(autouse=True)
def process_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # the call leaves the folder
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_an_http_server_that_does_not_listen_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray gives up after a minute, twice: the first time may have been a slow start."""
    done: list[str] = []

    def call(name: str, fails: bool = False) -> Any:
        def called(*_: Any, **__: Any) -> None:
            done.append(name)
            if fails:
                raise TimeoutError("HTTP proxies not available after 60s.")

        return called

    for name in ("init", "shutdown"):
        monkeypatch.setattr(f"ray.{name}", call(f"ray.{name}"))
    for name in ("start", "run", "shutdown"):
        monkeypatch.setattr(f"ray.serve.{name}", call(f"serve.{name}", fails=name != "shutdown"))
    with pytest.raises(InputError, match=r"Ray does not listen at 127\.0\.0\.1:8766"):
        serve_until_interrupted(ClusterOptions(ModelOptions()), "127.0.0.1", 8766, "auto", 0)
    assert done == ["ray.init", "serve.start", "serve.run", "serve.shutdown", "ray.shutdown"]
