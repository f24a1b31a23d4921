"""Clients that misbehave, and clients with many requests. The server keeps running, and its documents stay correct."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from lsp_client import URI
from wire_messages import framed, notification, text_agrees, wire

from tests.lsp.conftest import Start
from tests.patience import PATIENCE

GARBAGE = {
    "bytes": random.Random(1).randbytes(3000),
    "lines": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no json": framed(b"{this is no json"),
    "cut off json": framed(b'{"jsonrpc": "2.0", "method": "textDocument/did'),
    "not utf-8": framed(b'{"jsonrpc": "2.0", "method": "\xff\xfe"}'),
    "too short": framed(notification("$/x", {"text": "x" * 50}), 20),
    "too long": framed(notification("$/x", {}), 4000),
    "huge": b"Content-Length: 999999999999\r\n\r\n{}",
    "negative": b"Content-Length: -5\r\n\r\n{}",
    "deep": framed(b"[" * 100_000),
}
NONSENSE = {
    "array": [],
    "number": 7,
    "no version": {"id": 1, "method": "shutdown"},
    "odd id": {"jsonrpc": "2.0", "id": {"a": 1}, "method": "shutdown"},
    "odd method": {"jsonrpc": "2.0", "id": 900, "method": ["shutdown"]},
    "answer to nothing": {"jsonrpc": "2.0", "id": "none", "result": {}},
    "error to nothing": {"jsonrpc": "2.0", "id": 77, "error": {"code": 1, "message": "?"}},
    "odd error": {"jsonrpc": "2.0", "id": 77, "error": 3},
    "no params": {"jsonrpc": "2.0", "method": "textDocument/didOpen"},
    "odd params": {"jsonrpc": "2.0", "method": "textDocument/didClose", "params": [1, 2]},
    "odd cancel": {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": None}},
    "odd trace": {"jsonrpc": "2.0", "method": "$/setTrace", "params": {"value": "everything"}},
    "bad uri": {
        "jsonrpc": "2.0",
        "method": "textDocument/didOpen",
        "params": {"textDocument": {"uri": "http://[broken", "languageId": "x", "version": 1, "text": "abc"}},
    },
}


async def test_garbage_loses_no_message_and_no_document(start: Start) -> None:
    """One after the other on one server: what went before may not matter either."""
    client = await start(model={"any": True})
    version = 1
    client.open("abc")
    for told, (name, garbage) in enumerate(GARBAGE.items(), 1):
        client.raw(garbage)
        assert (await client.status())["out_of_step"] in ([URI], []), name
        async with asyncio.timeout(PATIENCE):
            while len(client.received("window/showMessage")) < told:
                await client.status()
        # What was lost may have been a change: nothing is suggested until the text is known again.
        assert await client.inline(0, 1) == [], name
        version += 1
        client.change(version, {"text": "known again"})
        assert await text_agrees(client, "known again"), name
        assert await client.inline(0, 1), name
        assert len(client.received("window/showMessage")) == told, name
    assert await client.stop() == 0


async def test_invalid_messages_are_errors_at_most(start: Start) -> None:
    client = await start(model={"any": True})
    other = "file:///project/other.py"
    for name, nonsense in NONSENSE.items():
        client.open("abc", other)
        client.send(nonsense)
        assert await client.inline(0, 1, other) or name in ("no params", "odd params"), name
        await client.inline(0, 1, "http://[broken")
    assert await client.stop() == 0


async def test_half_a_message_and_the_end_of_input_end_the_server(start: Start) -> None:
    client = await start()
    client.raw(framed(notification("$/x", {"text": "x" * 50}))[:-20])
    assert client.process.stdin
    client.process.stdin.close()
    assert await client.ended() == 1


async def test_a_message_is_read_in_small_pieces(start: Start) -> None:
    client = await start(model={"any": True})
    client.open("abc")
    params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 1}, "context": {"triggerKind": 2}}
    data = framed(
        json.dumps({"jsonrpc": "2.0", "id": 999, "method": "textDocument/inlineCompletion", "params": params}).encode()
    )
    assert client.process.stdin
    for i in range(len(data)):
        client.raw(data[i : i + 1])
        await client.process.stdin.drain()
        await asyncio.sleep(0)
    answer = await client.until(lambda message: message.get("id") == 999)
    assert answer["result"]["items"]


async def test_an_invalid_change_makes_only_its_document_unknown(start: Start) -> None:
    client = await start(model={"any": True})
    client.open("abc")
    client.open("abc", "file:///project/other.py")
    place = {"line": -1, "character": 0}
    client.change(2, {"range": {"start": place, "end": place}, "text": "x"})
    assert await client.inline(0, 1) == []
    assert await client.inline(0, 1, "file:///project/other.py")
    assert (await client.status())["out_of_step"] == [URI]


@pytest.mark.slow
async def test_a_file_of_ten_megabytes_is_served(start: Start) -> None:
    line = "value = compute(index, other)  # a line of code, é 😀\r\n"
    text = line * (10_000_000 // len(line) - 10)  # just under the setting max_document_chars
    client = await start(model={"any": True})
    client.open(text)
    lines = text.count("\n")
    version = 1
    for where in (0, lines // 2, lines - 1):
        at = len(line) * where + version - 1  # an x for each change before
        version += 1
        client.change(version, wire((where, 0), (where, 0), "x"))
        text = text[:at] + "x" + text[at:]
        await client.inline(where, 1)
    assert await text_agrees(client, text)
    status = await client.status()
    assert status["reasons"].get("excluded", 0) == 0
    assert status["requests"] == 3
    assert await client.stop() == 0


async def test_a_file_that_is_too_long_gets_nothing(start: Start) -> None:
    client = await start(model={"any": True}, initialize={"options": {"max_document_chars": 1000}})
    client.open("x" * 1001)
    assert await client.inline(0, 5) == []
    assert (await client.status())["reasons"] == {"excluded": 1}


@pytest.mark.slow
async def test_memory_is_bounded_while_a_client_does_not_read(start: Start) -> None:
    client = await start(model={"any": True}, read=False, initialize=False)
    params = {"processId": None, "rootUri": None, "capabilities": {}}
    client.begin("initialize", params)
    client.open("abc\n" * 200)
    # More answers than any buffer of the system holds: at some point the server reads no more, and so we cannot write.
    assert client.process.stdin
    # (300 requests fit into the buffers on the way to a server that does not read at all.)
    with pytest.raises(TimeoutError):
        for number in range(1_000_000):
            client.begin_inline(3, 0)
            await asyncio.wait_for(client.process.stdin.drain(), PATIENCE if number < 300 else 1)
    before = client.memory()
    assert before < 150 << 20
    # Once it reads, everything is there: nothing was dropped.
    client.listen()
    answered = await client.until(lambda message: message.get("id") == 200)
    assert "items" in answered["result"]
    await client.status()
    assert client.memory() < 150 << 20
    assert await client.stop() == 0


@pytest.mark.slow
async def test_the_server_ends_when_a_client_that_does_not_read_dies(start: Start) -> None:
    client = await start(forked=False, model={"any": True}, read=False, initialize=False)
    client.begin("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    client.open("abc")
    for _ in range(3000):
        client.begin_inline(0, 1)
    transport = client.process._transport  # type: ignore[attr-defined]
    for fd in (0, 1):
        transport.get_pipe_transport(fd).abort() if fd == 0 else transport.get_pipe_transport(fd).close()
    assert await client.ended() in (0, 1)


@pytest.mark.slow
async def test_a_thousand_requests_a_second_for_ten_seconds(start: Start) -> None:
    rng = random.Random(3)
    client = await start(model={"any": True, "prefill_s": 0.02, "token_s": 0.005})
    text, version = "start\n", 1
    client.open(text)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    answers = []
    high = 0
    for second in range(10):
        for part in range(100):
            for _ in range(10):
                if rng.random() < 0.3:
                    version += 1
                    letter = rng.choice("ab(\n")
                    lines = text.split("\n")
                    place = (len(lines) - 1, len(lines[-1]))
                    client.change(version, wire(place, place, letter))
                    text += letter
                lines = text.split("\n")
                kind = 1 if rng.random() < 0.1 else 2  # some ask to choose
                answers.append(client.begin_inline(len(lines) - 1, len(lines[-1]), triggerKind=kind)[1])
            await asyncio.sleep(max(0.0, begin + second + (part + 1) / 100 - loop.time()))
        high = max(high, client.memory())
    results = await asyncio.wait_for(asyncio.gather(*answers), PATIENCE)
    assert len(results) == 10_000
    assert all(isinstance(result["items"], list) for result in results)
    status = await client.status()
    assert status["requests"] == 10_000
    assert sum(status["sources"].values()) == 10_000
    assert await text_agrees(client, text)
    # The script says nothing at some places, but not at twenty.
    found = []
    for number in range(20):
        client.change(version + 1 + number, {"text": f"{number}"})
        found += await client.inline(0, 1)
    assert found
    assert high < 120 << 20
    assert await client.stop() == 0
