"""Slow or endless reading of ignore rules blocks neither the server nor its shutdown."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tabspec_lsp.state import workspace
from tabspec_lsp.state.workspace import Workspace
from tabspec_lsp.threads import in_thread

from tabspec.ignore import IgnoreRules
from tests.patience import PATIENCE
from tests.tools import REPOSITORY


async def test_while_rules_cannot_be_read_all_files_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    rules = IgnoreRules.read([tmp_path])

    def slow(_: object) -> IgnoreRules:
        go_on.wait()
        return rules

    monkeypatch.setattr(workspace, "_read", slow)
    monkeypatch.setattr(workspace, "READ_S", 0.0)
    changes: list[bool] = []
    told: list[str] = []
    uri = (tmp_path / "a.py").as_uri()
    opened = Workspace(lambda: changes.append(opened.ignored(uri)), told.append)
    opened.use([tmp_path.as_uri()])
    assert opened.ignored(uri)
    await opened.settled()
    assert opened.ignored(uri) and changes == [True] and "could not be read" in told[0]
    await opened.settled()
    assert len(told) == 1, "each message waits no more"
    go_on.set()
    assert opened._reading
    await opened._reading
    assert not opened.ignored(uri) and changes == [True, False]


async def test_an_error_in_a_call_is_raised() -> None:
    assert await in_thread(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    blocked = threading.Event()
    task = asyncio.ensure_future(in_thread(blocked.wait))
    await asyncio.sleep(0)
    task.cancel()
    blocked.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_call_that_never_returns_does_not_keep_the_process() -> None:
    code = (
        "import asyncio, threading\n"
        "from tabspec_lsp.threads import in_thread\n"
        "async def main():\n"
        "    asyncio.ensure_future(in_thread(threading.Event().wait))\n"
        "    await asyncio.sleep(0)\n"
        "asyncio.run(main())\n"
    )
    environment = {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'lsp'}", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE, env=environment)
