"""Progress messages, with a client that is slow to create their token."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from lsprotocol import types
from tabspec_lsp.models import ModelState
from tabspec_lsp.transport.progress import ModelProgress


class Slow:
    """As much of a server as the progress bar knows; its client makes one when ``made`` is set."""

    def __init__(self) -> None:
        self.made = asyncio.Event()
        self.sent: list[str] = []
        self.tasks: list[asyncio.Future[Any]] = []
        window = SimpleNamespace(work_done_progress=True)
        self.client_capabilities = SimpleNamespace(window=window)
        self.protocol = self

    async def send_request_async(self, method: str, params: Any) -> None:
        await self.made.wait()

    def notify(self, method: str, params: types.ProgressParams) -> None:
        value = params.value
        self.sent.append(f"{value.kind} {getattr(value, 'percentage', None)}")

    def soon(self, coroutine: Any) -> None:
        self.tasks.append(asyncio.ensure_future(coroutine))

    def say(self, text: str, kind: Any) -> None:
        raise AssertionError(text)


@pytest.mark.parametrize("ends_first", [False, True])
async def test_no_progress_is_reported_before_the_client_has_created_its_token(ends_first: bool) -> None:
    server = Slow()
    progress = ModelProgress(server)  # type: ignore[arg-type]
    host: Any = SimpleNamespace(state=ModelState.LOADING, detail="", percent=10.0)
    progress.model_changed(host)
    started = asyncio.ensure_future(progress.start())
    await asyncio.sleep(0)
    host.percent = 20.0
    progress.model_changed(host)
    if ends_first:
        host.state = ModelState.READY
        progress.model_changed(host)
    await asyncio.sleep(0)
    assert server.sent == []
    server.made.set()
    await started
    if not ends_first:
        host.percent = 30.0
        progress.model_changed(host)
        await asyncio.sleep(0)
        host.state = ModelState.READY
        progress.model_changed(host)
    await asyncio.sleep(0)
    report = [] if ends_first else ["report 30"]
    assert server.sent == ["begin 20", *report, "end None"]
