"""The language server with a hostile model server: the route of prompts, the log, and that it continues."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from lsp_client import PATIENCE, Client

from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running

PATH = "/v1/completions"


async def test_prompts_go_to_the_server_only_and_its_messages_are_shown_and_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a proxy in the environment. The server repeats the prompt in its error; then it sends a bomb; then it
    answers, and so there are suggestions again."""
    detours: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        detours.append(await reader.read(1 << 16))
        writer.close()

    # The test moves on once it has seen what the server's answer led to: requests may be asked again, or ahead.
    shape, sent = "error", set[str]()

    async def answer(request: Request, reply: Reply) -> None:
        sent.add(shape)
        if shape == "error":
            await reply.json({"error": {"message": f"cannot parse: {json.loads(request.data)['prompt']}"}}, 422)
        elif shape == "bomb":
            await reply.whole(b"\x1f\x8b" + bytes(1000), "text/event-stream", 200, "Content-Encoding: gzip\r\n")
        else:
            await reply.events(*openai_events("\n", "my_secret_x", "\n"))

    log = tmp_path / "log"
    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening, running(llama_cpp(Stub())) as stub:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        stub.routes[PATH] = answer
        arguments = ["--model", stub.url + "?exact=off", "--log-file", str(log), "--log-level", "info"]
        client = await Client.start(*arguments, stderr=subprocess.DEVNULL)
        try:
            await client.initialize()
            client.open("def my_secret_function():\n")
            async with asyncio.timeout(PATIENCE):
                while not (shown := [each["message"] for each in client.received("window/showMessage")]):
                    assert await client.inline(1, 0) == []
                assert "my_secret_function" in shown[0] and "422" in shown[0]
                shape = "bomb"
                while "bomb" not in sent or "compressed" not in log.read_text("utf-8"):
                    assert await client.inline(1, 0) == []  # after a failure the server is left alone for a moment
                shape = "text"
                while not await client.inline(1, 0):
                    pass
            assert await client.stop() == 0
        finally:
            await client.kill()
    assert detours == []
    logged = log.read_text("utf-8")
    assert "422" in logged and "compressed" in logged and "my_secret" not in logged
