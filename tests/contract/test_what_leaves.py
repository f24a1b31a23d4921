"""What may leave this machine, and by which route: proxies, keys, and hostile servers. Loopback only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabspec.cli.main import run
from tabspec.errors import ModelError, ModelNotUsable
from tabspec.models.http import HttpModel
from tabspec.models.http.connection.route import route_to
from tabspec.models.http.connection.wire import as_bytes
from tabspec.models.http.leaving import SecretFound
from tabspec.models.protocol import Chunk, GenerationRequest, RelatedText, StopRule
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running

PATH = "/v1/completions"
SECRET = 'key = "AKIAIOSFODNN7EXAMPLE"'
QUESTION = GenerationRequest("def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python")
WITH_SECRET = GenerationRequest(SECRET, "\n    ret", "", "a.py", stop=StopRule(1, 20))


async def ask(model: HttpModel, question: GenerationRequest = QUESTION) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


def reply_with(status: int, value: Any, kind: str = "application/json") -> httpx.Response:
    """A response that is still to be read."""
    data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return httpx.Response(status, headers={"Content-Type": kind}, stream=httpx.ByteStream(data))


# --- proxies ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Listens on loopback, keeps what comes and answers 502."""
    came: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1 << 16))
        writer.write(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_on_this_machine_is_never_reached_through_a_proxy(
    host: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With secrets and a key in what is sent: six of six tries went to the proxy before."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*openai_events("\n    ret", "urn x", "\n"))

    async with proxy() as (url, came), running(llama_cpp(Stub())) as stub:
        stub.routes[PATH] = answer
        monkeypatch.setenv(variable, url)
        monkeypatch.setenv("TABSPEC_API_KEY", "sk-of-mine")
        monkeypatch.setenv("TABSPEC_API_HOST", host)
        model = HttpModel(stub.url.replace("127.0.0.1", host))
        assert model.preview(WITH_SECRET).sent
        chunks = await ask(model, WITH_SECRET)
        await model.close()
        assert "".join(chunk.text for chunk in chunks) == "urn x"
        assert stub.seen[-1].headers["authorization"] == "Bearer sk-of-mine"
        assert came == []


async def test_a_server_elsewhere_is_reached_through_the_proxy_and_counts_as_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with proxy() as (url, came):
        monkeypatch.setenv("HTTP_PROXY", url.replace("//", "//me:hunter2@"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        model = HttpModel("http://model.invalid#qwen2.5-coder", key="sk-of-mine")
        route = model.wire.route
        assert (route.here, route.clear, route.proxy_host) == (False, True, url.removeprefix("http://"))
        with pytest.raises(SecretFound):
            await ask(model, WITH_SECRET)
        assert came == []
        with pytest.raises(ModelError) as caught:
            await ask(model)
        await model.close()
        assert came and all(b"sk-of-mine" not in data for data in came)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["socks9://x:1", "http://x:notaport", "socks5://x:1"])
def test_a_proxy_that_cannot_be_used_is_one_line(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ModelNotUsable) as caught:
        HttpModel("https://model.invalid")
    assert "NO_PROXY" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "here", "clear"),
    [
        ("http://localhost:1", True, False),
        ("http://[::1]:1", True, False),
        ("http://127.8.8.8", True, False),
        ("http://localhost.example.com", False, True),
        ("http://127.0.0.1.example.com", False, True),
        ("http://0.0.0.0:1", False, True),
        ("http://10.0.0.5", False, True),
        ("https://llm.example.com", False, False),
    ],
)
def test_which_addresses_are_this_machine(base: str, here: bool, clear: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    assert (route_to(base).here, route_to(base).clear) == (here, clear)


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "url", "sent"),
    [
        ("llm.example.com", "https://llm.example.com", True),
        ("LLM.example.com:8443", "https://llm.example.com:8443", True),
        ("https://llm.example.com/", "https://llm.example.com", True),
        ("127.0.0.1", "http://127.0.0.1:9", True),
        ("", "https://llm.example.com", False),  # no host is named
        ("llm.example.com", "https://evil.example.com", False),
        ("llm.example.com", "https://llm.example.com.evil.com", False),
        ("llm.example.com:8443", "https://llm.example.com", False),
        ("https://llm.example.com", "http://llm.example.com", False),
        ("llm.example.com", "http://llm.example.com", False),  # readable on the way
        ("[::", "https://llm.example.com", False),
    ],
)
async def test_a_key_goes_to_its_host_and_never_in_the_clear(
    host: str, url: str, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABSPEC_API_KEY", "sk-of-mine")
    monkeypatch.setenv("TABSPEC_API_HOST", host)
    came: list[httpx.Request] = []

    async def refuse(request: httpx.Request) -> httpx.Response:
        came.append(request)
        return reply_with(401, {"error": "who are you?"})

    model = HttpModel(url, transport=httpx.MockTransport(refuse))
    with pytest.raises(ModelError) as caught:
        await ask(model)
    await model.close()
    assert {request.headers.get("authorization") for request in came} == {"Bearer sk-of-mine" if sent else None}
    told = str(caught.value)
    assert ("TABSPEC_API_HOST" in told or "https://" in told) and "sk-of-mine" not in told + repr(model.wire.key)


@pytest.mark.parametrize("key", ["sk\r\nX-Other: 1", "schlüssel", "a\x00b"])
def test_a_key_that_no_header_can_hold_is_reported_and_not_shown(key: str) -> None:
    with pytest.raises(ModelNotUsable) as caught:
        HttpModel("https://llm.example.com", key=key)
    assert "TABSPEC_API_KEY" in str(caught.value) and key not in str(caught.value)


# --- the body: checked, shown and sent --------------------------------------------------------------------------------

AROUND = GenerationRequest("x = 1", "\ny", "\n", "a.py", before="before " * 5_000, after="after " * 5_000)


class Elsewhere:
    """A server on another machine that says what ``entry`` says, and answers nothing. Keeps what it gets."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.entry, self.got = entry, list[bytes]()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return reply_with(200, {"data": [self.entry]} if request.url.path == "/v1/models" else {})
        self.got.append(await request.aread())
        return reply_with(500, {})

    def model(self, options: str = "") -> HttpModel:
        return HttpModel(f"https://llm.example.com{options}", key="", transport=httpx.MockTransport(self))


TOLD = {"info": {"name": "x", "fingerprint": "f", "context_tokens": 4096}, "slots": 2}
OURS = {"id": "x", "owned_by": "tabspec", "tabspec": TOLD}
PLAIN = {"id": "qwen2.5-coder", "owned_by": "vllm"}


@pytest.mark.parametrize("entry", [OURS, PLAIN])
@pytest.mark.parametrize("options", ["", "?recall=on"])
async def test_the_shown_request_is_sent_byte_for_byte(entry: dict[str, Any], options: str) -> None:
    server = Elsewhere(entry)
    model = server.model(options)
    await model.connect()
    half = GenerationRequest("half a character: \ud800", "b\udfff", "c", before="\ud800")  # as editors can send it
    for question in (QUESTION, AROUND, GenerationRequest("a", "b", "c", beginnings=3), half):
        server.got.clear()
        shown = model.preview(question).data
        model._pace.succeeded()
        with pytest.raises(ModelError):
            await ask(model, question)
        assert server.got[0] == shown
        around = b"before before" in shown
        assert around is (question is AROUND and entry is OURS and options != "")
        assert around or len(shown) < 4_000
    await model.close()


PLACES = ["head", "forced", "suffix", "resume", "related"]
OF_OURS = ["before", "after", "language"]  # which only our own servers get


@pytest.mark.parametrize(
    ("entry", "where"),
    [*((entry, where) for entry in (OURS, PLAIN) for where in PLACES), *((OURS, where) for where in OF_OURS)],
)
async def test_no_secret_is_sent_to_another_machine(entry: dict[str, Any], where: str) -> None:
    """Whatever a server says it is; also text that only its kind would get."""
    texts = {name: f"\n{SECRET}\n" if name == where else "" for name in ("head", "forced", "suffix", "resume")}
    more = {name: f"\n{SECRET}\n" for name in ("before", "after", "language") if name == where}
    related = (RelatedText("b.py", SECRET),) if where == "related" else ()
    server = Elsewhere(entry)
    model = server.model("?recall=on")
    question = GenerationRequest(**texts, **more, related=related)
    with pytest.raises(SecretFound):
        await ask(model, question)
    await model.connect()
    assert not model.preview(question).sent
    with pytest.raises(SecretFound):
        await ask(model, question)
    assert server.got == []
    await model.close()


async def test_an_answer_that_completes_a_secret_is_not_sent_back() -> None:
    """What a server writes becomes part of the next request's prompt: that is looked at, too."""
    server = Elsewhere(OURS)

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return await server(request)
        server.got.append(await request.aread())
        event = {"tabspec": {"text": SECRET, "usage": [0, 0, 1]}}
        return reply_with(200, f"data: {json.dumps(event)}\n\n", "text/event-stream")

    model = HttpModel("https://llm.example.com", key="", transport=httpx.MockTransport(answer))
    with pytest.raises(SecretFound):
        await ask(model)
    assert len(server.got) == 1
    await model.close()


def test_doctor_prints_the_bytes(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    file = tmp_path / "a.py"
    file.write_text('x = "grüß \u2028 \\""\n')
    address = "http://127.0.0.1:9#qwen2.5-coder"
    assert run(["doctor", "--file", str(file), "--line", "1", "--column", "3", "--model", address]) == 0
    said = capsysbinary.readouterr().out
    line = said.splitlines()[-1] if b"{" in said.splitlines()[-1] else said[said.index(b"{") :].strip()
    assert line == as_bytes(json.loads(line)) and "grüß \u2028".encode() in line
