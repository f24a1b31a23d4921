"""One message ends nothing but itself: the language server under thousands of broken ones, and the known bad ones."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from lsp_client import PATIENCE, Client
from wire_messages import framed, notification

from tests.lsp.conftest import Start
from tests.mutations import messages

MUTANT, GOOD = "file:///project/mutant.py", "file:///project/good.py"
PLACE = {"textDocument": {"uri": MUTANT}, "position": {"line": 0, "character": 1}}
RANGE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
DOCUMENT = {"uri": MUTANT, "languageId": "python", "version": 1, "text": "a = 1\nb = 2\n"}


def _call(method: str, params: Any, number: Any = None) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return message if number is None else message | {"id": number}


INITIALIZE = {"processId": None, "rootUri": None, "capabilities": {"textDocument": {}}}
EXAMPLES = [
    _call("textDocument/didOpen", {"textDocument": DOCUMENT}),
    _call("textDocument/didChange", {"textDocument": {"uri": MUTANT, "version": 2}, "contentChanges": [
        {"range": RANGE, "text": "x"}, {"text": "whole"}]}),
    _call("textDocument/didClose", {"textDocument": {"uri": MUTANT}}),
    _call("textDocument/inlineCompletion", PLACE | {"context": {"triggerKind": 1, "selectedCompletionInfo": {
        "range": RANGE, "text": "abc"}}}, 1),
    _call("textDocument/completion", PLACE, 1),
    _call("textDocument/didShowCompletion", {"item": {"insertText": "a", "command": {"arguments": ["1"]}}}),
    _call("textDocument/didPartiallyAcceptCompletion", {"item": {"command": {}}, "acceptedLength": 3}),
    _call("workspace/executeCommand", {"command": "tabspec.accepted", "arguments": ["1"]}, 1),
    _call("workspace/didChangeConfiguration", {"settings": {"tabspec": {"maxLines": 3, "cache_bytes": 1 << 20}}}),
    _call("workspace/didChangeWatchedFiles", {"changes": [{"uri": MUTANT, "type": 1}]}),
    _call("workspace/didChangeWorkspaceFolders", {"event": {"added": [{"uri": "file:///p", "name": "p"}],
                                                            "removed": []}}),
    _call("tabspec/nextEdit", {"textDocument": {"uri": MUTANT, "version": 1}, "position": PLACE["position"],
                               "editsOnly": True}, 1),
    _call("textDocument/copilotInlineEdit", PLACE | {"context": {"triggerKind": 2}}, 1),
    _call("textDocument/codeAction", {"textDocument": {"uri": MUTANT}, "range": RANGE,
                                      "context": {"diagnostics": [], "triggerKind": 1}}, 1),
    _call("textDocument/didShowInlineEdit", {"item": {"command": {"arguments": [MUTANT, "1"]}}}),
    _call("tabspec/cursorRested", {"uri": MUTANT, "position": {"line": 0, "character": 0}}),
    _call("tabspec/document", {"uri": MUTANT}, 1),
    _call("tabspec/status", {}, 1),
    _call("$/cancelRequest", {"id": 1}),
    _call("$/setTrace", {"value": "off"}),
    _call("initialize", INITIALIZE, 1),
    {"jsonrpc": "2.0", "id": 1, "result": {"a": [1]}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m"}},
]  # fmt: skip
# Bodies between two looks at the server.
BATCH = 250


async def still_serves(client: Client) -> None:
    """A document that is opened now gets its suggestions, with the settings at their defaults."""
    client.notify("workspace/didChangeConfiguration", {"settings": {}})
    client.open("def f(", GOOD)
    assert await client.inline(0, 6, GOOD)
    client.close(GOOD)


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(25_000, marks=(pytest.mark.nightly, pytest.mark.timeout(2 * 3600)))]
)
async def test_mutated_messages(start: Start, count: int) -> None:
    client = await start("--log-level", "error", "--log-file", os.devnull, model={"any": True})
    client._next = 1 << 40  # no mutated id is one of the test's own
    for number, body in enumerate(messages(EXAMPLES, seed=count, count=count, ids=["m", "n", 5, -7]), 1):
        client.raw(framed(body))
        if number % BATCH == 0:
            await still_serves(client)
            client.log.clear()
    assert client.memory() < 200 << 20
    assert await client.stop() == 0


BAD: dict[str, bytes] = {
    "a cancellation of a list": framed(notification("$/cancelRequest", {"id": []})),
    "a cancellation of nothing": framed(notification("$/cancelRequest", None)),
    "an initialize that is a notification": framed(notification("initialize", INITIALIZE)),
    "12 KB of bad frames": b"Content-Length: 5\r\n\r\n" * 600,
    "a megabyte of headers": b"Content-Length: 500000\r\n\r\n{" * 40_000,
    "one id forty times": b"".join(
        framed(b'{"jsonrpc":"2.0","id":7,"method":"tabspec/status","params":{}}') for _ in range(40)
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_messages_that_once_ended_the_server_do_not_end_it(start: Start, name: str) -> None:
    client = await start(model={"any": True})
    client._next = 1 << 40
    client.raw(BAD[name])
    await still_serves(client)
    assert await client.stop() == 0


async def test_before_initialize_a_large_message_is_refused_by_its_header(start: Start) -> None:
    client = await start(model={"any": True}, initialize=False)
    client.raw(b"Content-Length: 100000000\r\n\r\n" + b"x" * (1 << 20))
    async with asyncio.timeout(PATIENCE):
        refused = await client.until(lambda message: "error" in message)
    assert "100000000 bytes" in refused["error"]["message"]
    await client.initialize()
    await still_serves(client)
