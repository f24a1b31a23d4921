"""Looking for a daemon: what happens if none can be started, or if the model is closed meanwhile."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from tabspec.config import DaemonMode
from tabspec.errors import ModelUnavailable
from tabspec.models.daemon import finder, shared
from tabspec.models.daemon.finder import DaemonFinder
from tabspec.models.daemon.place import DaemonFolder
from tabspec.models.daemon.shared import SharedModel


async def test_a_daemon_that_cannot_be_started_leaves_the_model_to_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(finder.processes, "start", refuse)
    found = DaemonFinder(None, DaemonMode.START, DaemonFolder(tmp_path))
    assert await found.connect_or_start(lambda _state, _detail: None) is None


class _Connection:
    """One that comes after the model was closed."""

    info, hung, closed = None, False, False

    def __init__(self) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("found", [True, False], ids=["a daemon", "no daemon"])
async def test_a_model_closed_while_it_looks_for_a_daemon_keeps_no_connection(
    found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: list[object] = []
    monkeypatch.setattr(shared, "WorkerModel", lambda *_, **__: workers.append(object()))
    connection, looking, answer = _Connection(), asyncio.Event(), asyncio.Event()

    async def connect_or_start(*_: Any) -> Any:
        looking.set()
        await answer.wait()
        return connection if found else None

    monkeypatch.setattr(DaemonFinder, "connect_or_start", connect_or_start)
    model = SharedModel(mode=DaemonMode.OFF)
    starting = asyncio.ensure_future(model.start())
    await looking.wait()
    await model.close()
    answer.set()
    with pytest.raises(ModelUnavailable, match="closed"):
        await starting
    assert not workers and connection.closed is found
