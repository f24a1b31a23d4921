"""Start and end of the server, and failures of both."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import INLINE, Client, ResponseError, environment

from tests.lsp.conftest import Start
from tests.patience import PATIENCE

PROGRESS = {"textDocument": {"inlineCompletion": {}}, "window": {"workDoneProgress": True}}


async def test_shutdown_and_exit(start: Start) -> None:
    client = await start(forked=False)
    await client.request("shutdown")
    with pytest.raises(ResponseError) as caught:
        await client.status()
    assert caught.value.code == -32600  # InvalidRequest
    client.notify("exit", None)
    assert await client.ended() == 0


async def test_exit_without_shutdown(start: Start) -> None:
    client = await start(forked=False)
    client.notify("exit", None)
    assert await client.ended() == 1


@pytest.mark.parametrize(("shutdown", "code"), [(True, 0), (False, 1)])
async def test_the_server_ends_when_the_client_closes_the_connection(start: Start, shutdown: bool, code: int) -> None:
    client = await start(model={"any": True, "prefill_s": 3600})
    client.open("a")
    client.begin_inline(0, 1)
    if shutdown:
        await client.request("shutdown")
    assert client.process.stdin
    client.process.stdin.close()
    assert await client.ended() == code


async def test_the_server_ends_when_the_editor_dies_with_the_connection_open(start: Start) -> None:
    editor = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    client = await start(initialize={"processId": editor.pid})
    assert (await client.status())["documents"] == 0
    editor.kill()
    await editor.wait()
    assert await client.ended() == 1


async def test_an_editor_whose_process_is_not_found_is_not_taken_for_dead(start: Start) -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    client = await start(initialize={"processId": gone.pid})
    assert (await client.status())["documents"] == 0


async def test_initialize_comes_first_and_only_once(start: Start) -> None:
    client = await start(initialize=False)
    with pytest.raises(ResponseError) as caught:
        await client.status()
    assert caught.value.code == -32002  # ServerNotInitialized
    client.open("ignored")
    with pytest.raises(ResponseError):
        await client.request("initialize", {"capabilities": 7})
    await client.initialize()
    with pytest.raises(ResponseError) as caught:
        await client.initialize()
    assert caught.value.code == -32600
    assert (await client.status())["documents"] == 0


async def test_unknown_requests_are_errors_and_unknown_notifications_are_ignored(start: Start) -> None:
    client = await start()
    client.notify("$/whatever", {"a": 1})
    client.notify("some/thing", None)
    with pytest.raises(ResponseError) as caught:
        await client.request("some/question", {})
    assert caught.value.code == -32601  # MethodNotFound
    with pytest.raises(ResponseError) as caught:
        await client.request("textDocument/inlineCompletion", {"textDocument": 3})
    assert caught.value.code == -32602  # InvalidParams


async def test_loading_is_reported_and_requests_wait_for_it(start: Start) -> None:
    client = await start(
        model={"target": "abcd", "load_s": 0.3}, initialize={"capabilities": PROGRESS, "options": {"patience": 60}}
    )
    client.open("a")
    assert [item["insertText"] for item in await client.inline(0, 1)] == ["bcd"]
    kinds = [params["value"]["kind"] for params in client.received("$/progress")]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert set(kinds[1:-1]) <= {"report"}
    (token,) = {params["token"] for params in client.received("$/progress")}
    assert client.received("window/workDoneProgress/create") == [{"token": token}]


async def test_a_request_waits_for_a_loading_model_up_to_a_limit(start: Start) -> None:
    client = await start(model={"target": "abcd", "load_s": 3600}, initialize={"options": {"patience": 0.02}})
    client.open("a")
    assert await client.inline(0, 1) == []
    status = await client.status()
    assert status["model"]["state"] == "loading"
    assert status["reasons"] == {"unavailable": 1}
    assert client.received("$/progress") == []  # this client shows no progress
    assert await client.stop() == 0


async def test_a_model_that_cannot_be_used_is_reported_once(start: Start) -> None:
    client = await start("--model", "scripted:/nowhere/there.json")
    message = await client.notified("window/showMessage")
    assert message["type"] == 1
    assert "/nowhere/there.json" in message["message"]
    client.open("a")
    assert await client.inline(0, 1) == []
    assert await client.inline(0, 1) == []
    assert (await client.status())["model"]["state"] == "unusable"
    assert len(client.received("window/showMessage")) == 1
    assert await client.stop() == 0


async def test_over_tcp_for_one_client_on_this_machine_only(script: Callable[..., str]) -> None:
    server = await Client.start("--tcp", "0", "--model", script(target="abcd"), read=False, stderr=subprocess.PIPE)
    try:
        assert server.process.stderr
        line = (await server.process.stderr.readline()).decode()
        match = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        assert match
        reader, writer = await asyncio.open_connection("127.0.0.1", int(match.group(1)))
        for number, method, params in [
            (1, "initialize", {"processId": None, "rootUri": None, "capabilities": INLINE}),
            (2, "shutdown", None),
            (None, "exit", None),
        ]:
            body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            body = body.replace('"id": null, ', "")
            writer.write(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert b"tabspec.accepted" in await reader.read()
        writer.close()
        assert await server.ended() == 0
    finally:
        await server.kill()


def without_client(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the server to its end with nothing to read."""
    command = [sys.executable, "-m", "tabspec_lsp.main", *arguments]
    return subprocess.run(
        command,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tcp", "99999999"], "port 99999999"),
        (["--log-level", "loud"], "loud"),
        (["--record", "/dev/null/x"], "--record"),
        (["--record", "/dev/null"], "it is a file; name a folder"),
        (["--log-file", "/nowhere/x.log"], "--log-file"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_one_clear_line(arguments: list[str], says: str) -> None:
    done = without_client(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_neither_torch_nor_the_heavy_libraries_are_imported() -> None:
    code = "import sys, tabspec_lsp.main; print([m for m in %r if m in sys.modules])"
    # The last two are ours: `initialize` is answered without them.
    heavy = ["torch", "transformers", "numpy", "rich", "jinja2", "click", "pathspec", "tokenizers"]
    heavy += ["tabspec.engine.engine", "tabspec.models.process.worker"]
    done = subprocess.run(
        [sys.executable, "-c", code % heavy],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.strip() == "[]"


async def test_the_log_holds_no_document_text(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    client = await start("--log-file", str(log), "--log-level", "info", model={"target": "my secret password"})
    client.open("my secret ")
    assert await client.inline(0, 10)
    client.change(
        2, {"range": {"start": {"line": 9, "character": 9}, "end": {"line": 9, "character": 9}}, "text": "zz"}
    )
    client.raw(b"Content-Length: 14\r\n\r\nsecret, broken")
    await client.stop()
    text = log.read_text()
    assert "version" in text or "lies outside" in text  # it does log
    assert "secret" not in text
    assert "password" not in text


@pytest.mark.slow
async def test_printing_does_not_break_the_protocol(start: Start, tmp_path: Path) -> None:
    # A library that prints would break the protocol: the client fails on everything that is no message.
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import tabspec_lsp.transport.features as s, os\n"
        "original = s.status\n"
        "def status(ls, params):\n"
        "    print('printed'); os.write(1, b'written'); os.system('echo echoed')\n"
        "    return original(ls, params)\n"
        "s.status = status\n"
    )
    before = os.environ.get("PYTHONPATH", "")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tabspec_lsp.main",
        env={**environment(), "PYTHONPATH": f"{site}{os.pathsep}{environment()['PYTHONPATH']}"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert os.environ.get("PYTHONPATH", "") == before
    client = Client(process)
    client.listen()
    try:
        await client.initialize()
        assert (await client.status())["requests"] == 0
        assert await client.stop() == 0
        assert process.stderr
        printed = (await process.stderr.read()).decode()
        assert all(word in printed for word in ("printed", "written", "echoed"))
    finally:
        await client.kill()


@pytest.mark.slow
def test_standard_input_of_dev_null_ends_the_server() -> None:
    """/dev/null: the client is gone before it has sent anything."""
    ended = without_client("--stdio")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


async def test_only_the_user_can_read_the_log_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    file.write_text("before\n")
    file.chmod(0o644)
    client = await start("--log-file", str(file), "--log-level", "debug")
    assert await client.stop() == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text("utf-8").splitlines()) > 1
