"""The cluster's endpoint under attack: clients that do not read, endless bodies, missing keys. No Ray, no waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message, Scope

from tabspec.cluster import guard as guard_module
from tabspec.cluster.endpoint import LONGEST_BODY, READ_S, Endpoint
from tabspec.cluster.guard import Guard, Unwanted, digest_from_environment, key_digest_of, warnings
from tabspec.cluster.request_body import LONGEST_AROUND, BadRequest, ClusterRequest, fit_to, read_body
from tabspec.cluster.served import AHEAD, ServedModel
from tabspec.errors import ConfigError, ModelError
from tabspec.models.http import HttpModel
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, StopRule
from tabspec.models.scripted.model import ScriptedModel, pseudo_random
from tabspec.replay.clock import run_virtual

KEY = "a key of more than 16 characters"


class Here:
    """A replica in this process."""

    def __init__(self, model: ScriptedModel) -> None:
        self.model = ServedModel(model)
        self.asked: list[ClusterRequest] = []

    async def describe(self) -> tuple[ModelInfo, int]:
        return replace(self.model.info, context_tokens=2048), 2  # the bundled model's

    async def answer(self, asked: ClusterRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(asked)
        async with aclosing(self.model.answer(asked.request, asked.prompt)) as chunks:
            async for chunk in chunks:
                yield chunk


def scope(headers: dict[str, str] | None = None, path: str = "/v1/completions", method: str = "POST") -> Scope:
    named = {"host": "127.0.0.1:8000"} | (headers or {})
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items() if value]
    version = {"version": "3.0", "spec_version": "2.4"}
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw, "asgi": version}


class Client:
    """One request by ASGI. ``pieces`` are its body; ``reads`` messages of the answer are read, then none."""

    def __init__(self, *pieces: bytes, reads: int | None = None) -> None:
        self.pieces, self.reads, self.got, self.taken = list(pieces), reads, list[Message](), 0

    async def receive(self) -> Message:
        if not self.pieces:
            await asyncio.Event().wait()  # says nothing more
        self.taken += 1
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}

    async def send(self, message: Message) -> None:
        if self.reads is not None and len(self.got) >= self.reads:
            await asyncio.Event().wait()  # the socket is full
        self.got.append(message)

    async def ask(self, endpoint: Endpoint, headers: dict[str, str] | None = None) -> None:
        asked = scope(headers)
        response = await endpoint(Request(asked, self.receive))
        await response(asked, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.got[0]["status"])

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.got).decode()


def body(**fields: Any) -> bytes:
    return json.dumps({"prompt": "a", "suffix": ""} | fields).encode()


# --- clients that do not read -----------------------------------------------------------------------------------------


def test_eight_clients_that_do_not_read_hold_up_no_other() -> None:
    """Each wants 500 tokens of 10 ms and reads the head of its answer only. A ninth that comes later has its answer
    when those have computed what may be computed ahead of a reader, and its own; and none of the eight is left."""
    model = ScriptedModel({"long": "x" * 500, "a": "12345"}, token_s=0.01, token_chars=1)

    async def play() -> tuple[float, list[Client], Client]:
        loop = asyncio.get_running_loop()
        endpoint = Endpoint(Here(model), Guard())
        deaf = [Client(body(prompt="long", max_tokens=500, stream=True), reads=1) for _ in range(8)]
        tasks = [loop.create_task(client.ask(endpoint)) for client in deaf]
        await asyncio.sleep(1.0)
        began, ninth = loop.time(), Client(body(max_tokens=20, stream=True))
        await ninth.ask(endpoint)
        took = loop.time() - began
        await asyncio.wait(tasks)
        assert all(task.exception() is None for task in tasks)
        assert loop.time() <= READ_S + 3.0
        return took, deaf, ninth

    took, deaf, ninth = run_virtual(play())
    assert "[DONE]" in ninth.text and took <= 2.0  # 40, where they are computed to their end
    assert all(client.status == 200 and "[DONE]" not in client.text for client in deaf)
    assert model.running == 0


def test_eight_clients_with_long_answers_hold_up_no_other() -> None:
    """They read all of them: it is by their length that the ninth waited for their end, 40 s."""
    model = ScriptedModel({"long": "x" * 500, "a": "12345"}, token_s=0.01, token_chars=1)

    async def play() -> tuple[float, list[Client]]:
        loop = asyncio.get_running_loop()
        endpoint = Endpoint(Here(model), Guard())
        greedy = [Client(body(prompt="long", max_tokens=500, stream=True)) for _ in range(8)]
        tasks = [loop.create_task(client.ask(endpoint)) for client in greedy]
        await asyncio.sleep(10.0)  # each has had its first share
        began, ninth = loop.time(), Client(body(max_tokens=20, stream=True))
        await ninth.ask(endpoint)
        took = loop.time() - began
        await asyncio.wait(tasks)
        return took, greedy

    took, greedy = run_virtual(play())
    assert took <= 0.1
    assert all(client.text.count("x") >= 500 and "[DONE]" in client.text for client in greedy)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 3))
def test_a_slow_reader_gets_the_whole_answer_and_the_model_is_never_far_ahead(pauses: list[int], slots: int) -> None:
    model = ScriptedModel({"a": "x" * 60}, token_s=0.01, token_chars=1)
    model.slots = slots  # type: ignore[attr-defined]  # as a server with so many has
    turns = ServedModel(model)

    async def read(pause: int) -> str:
        said = ""
        async with aclosing(turns.answer(GenerationRequest("a", "", "", stop=StopRule(9, 99)))) as chunks:
            async for chunk in chunks:
                said += chunk.text
                await asyncio.sleep(pause / 100)
        return said

    async def play() -> list[str]:
        return await asyncio.gather(*(read(pause) for pause in pauses))

    assert run_virtual(play()) == ["x" * 60] * len(pauses)
    assert not turns and model.running == 0


def test_an_answer_that_is_not_read_is_not_computed() -> None:
    model = ScriptedModel({"a": "x" * 500}, token_s=0.01, token_chars=1)

    async def play() -> None:
        chunks = ServedModel(model).answer(GenerationRequest("a", "", "", stop=StopRule(9, 999)))
        await anext(chunks)
        await asyncio.sleep(60)
        assert model.decoded <= AHEAD + 2 and model.running == 0, "it has left its place"
        await chunks.aclose()

    run_virtual(play())
    assert model.running == 0 and model.cancelled == 1


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_ten_megabytes_are_refused_before_they_are_read() -> None:
    here = Here(ScriptedModel(pseudo_random()))
    megabyte = b"x" * (1 << 20)

    async def play() -> tuple[Client, Client]:
        told, untold = Client(*[megabyte] * 10), Client(*[megabyte] * 10)
        await told.ask(Endpoint(here, Guard()), {"content-length": str(10 << 20)})
        await untold.ask(Endpoint(here, Guard()))
        return told, untold

    told, untold = run_virtual(play())
    assert (told.status, told.taken) == (413, 0)
    assert (untold.status, untold.taken) == (413, 2)
    assert here.asked == []


def test_a_body_that_does_not_arrive_times_out() -> None:
    async def play() -> Client:
        client = Client()

        async def receive() -> Message:
            if client.taken:
                await asyncio.Event().wait()
            client.taken += 1
            return {"type": "http.request", "body": b'{"prompt": ', "more_body": True}

        client.receive = receive  # type: ignore[method-assign]
        await client.ask(Endpoint(Here(ScriptedModel(pseudo_random())), Guard()))
        return client

    assert run_virtual(play()).status == 408


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "x " * 200_000},
        {"prompt": [7] * 100_000, "suffix": None},
        {"suffix": "x" * 900_000},
        {"prompt": None, "tabspec": {"head": "x" * 900_000}},
        {"prompt": None, "tabspec": {"head": "a", "related": [{"path": "b", "text": "x" * 900_000}]}},
        {"prompt": None, "tabspec": {"head": "a", "before": "x" * (LONGEST_AROUND + 1)}},
        {"stop": ["x" * 1000]},
    ],
)
async def test_a_prompt_far_longer_than_the_context_reaches_no_model(fields: dict[str, Any]) -> None:
    here = Here(ScriptedModel(pseudo_random()))
    data = body(**fields)
    assert len(data) <= LONGEST_BODY
    client = Client(data)
    await client.ask(Endpoint(here, Guard()))
    assert client.status == 400 and "\n" not in client.text and here.asked == []


async def test_deeply_nested_json_is_refused() -> None:
    client = Client(b"[" * 500_000)
    await client.ask(Endpoint(Here(ScriptedModel(pseudo_random())), Guard()))
    assert client.status == 400


@given(st.integers(1, 1 << 40), st.integers(1, 4096))
def test_no_answer_is_longer_than_the_context(tokens: int, context: int) -> None:
    asked = fit_to(read_body({"prompt": "", "max_tokens": tokens}, {}), context)
    assert asked.request.stop.max_tokens == min(tokens, context)
    with pytest.raises(BadRequest, match="context"):
        fit_to(read_body({"prompt": "x" * (16 * context + 1)}, {}), context)


# --- what our own client sends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "around"),
    [
        ("http://127.0.0.1", True),
        ("http://127.0.0.1?recall=off", False),
        ("http://x", False),
        ("http://x?recall=on", True),
    ],
)
async def test_text_around_the_window_is_sent_to_the_model(url: str, around: bool) -> None:
    """So that recall works as with the model in this process (docs/guide/servers.md)."""
    here = Here(ScriptedModel({"a": "b"}))
    model = HttpModel(url, transport=transport(here, Guard(hosts=frozenset({"x"}))))
    question = GenerationRequest("a", "", "", before="far above", after="far below")
    async with aclosing(model.stream(question)) as chunks:
        assert "".join([chunk.text async for chunk in chunks]) == "b"
    request = here.asked[-1].request
    assert (request.before, request.after) == (("far above", "far below") if around else ("", ""))
    await model.close()


def transport(here: Here, guard: Guard) -> httpx.ASGITransport:
    endpoint = Endpoint(here, guard)

    async def app(asked: Scope, receive: Any, send: Any) -> None:
        await (await endpoint(Request(asked, receive)))(asked, receive, send)

    return httpx.ASGITransport(app)


# --- who is let in ----------------------------------------------------------------------------------------------------


async def test_only_clients_with_the_key_are_served() -> None:
    here = Here(ScriptedModel({"a": "b"}))
    guard = Guard(key_digest_of(KEY))
    question = GenerationRequest("a", "", "")
    model = HttpModel("http://127.0.0.1", key=KEY, transport=transport(here, guard))
    async with aclosing(model.stream(question)) as chunks:
        assert [chunk async for chunk in chunks]
    for key in ("", "wrong", KEY[:-1], KEY + "x"):
        stranger = HttpModel("http://127.0.0.1", key=key, transport=transport(here, guard))
        with pytest.raises(ModelError, match="TABSPEC_API_KEY"):
            await anext(stranger.stream(question))
    assert len(here.asked) == 1


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"authorization": f"Bearer {KEY}"}, "/v1/models", 200),
        ({"authorization": f"bearer  {KEY} "}, "/v1/models", 200),
        ({"authorization": f"Basic {KEY}"}, "/v1/models", 401),
        ({"authorization": "Bearer sch\xfcssel"}, "/v1/models", 401),
        ({}, "/v1/models", 401),
        ({}, "/v1/completions", 401),
        ({}, "/anything", 401),
        ({"host": ""}, "/health", 200),
        ({"host": "evil.example.com", "authorization": f"Bearer {KEY}"}, "/v1/models", 403),
        ({"host": "box.example.com:8000", "authorization": f"Bearer {KEY}"}, "/v1/models", 200),
        ({"host": "[::1]:8000", "authorization": f"Bearer {KEY}"}, "/v1/models", 200),
        ({"host": "[::", "authorization": f"Bearer {KEY}"}, "/v1/models", 403),
        ({"host": "127.0.0.1.evil.com", "authorization": f"Bearer {KEY}"}, "/v1/models", 403),
        ({"origin": "https://evil.example.com", "authorization": f"Bearer {KEY}"}, "/v1/models", 403),
        ({"origin": "null", "authorization": f"Bearer {KEY}"}, "/v1/models", 403),
        ({"origin": "http://127.0.0.1:8000", "authorization": f"Bearer {KEY}"}, "/v1/models", 200),
    ],
)
async def test_requests_are_served_according_to_their_key(headers: dict[str, str], path: str, status: int) -> None:
    guard = Guard(key_digest_of(KEY), frozenset({"box.example.com"}))
    client = Client(b"{}")
    asked = scope(headers, path, "POST" if path.endswith("completions") else "GET")
    response = await Endpoint(Here(ScriptedModel({})), guard)(Request(asked, client.receive))
    assert response.status_code == status
    assert client.taken == 0 or status == 200, "nothing is read of a stranger"
    assert KEY not in bytes(response.body).decode()


@given(st.text())
def test_only_the_exact_key_is_accepted(given_key: str) -> None:
    guard = Guard(key_digest_of(KEY))
    if given_key.strip() == KEY:
        return
    with pytest.raises(Unwanted):
        guard.check({"host": "localhost", "authorization": f"Bearer {given_key}"})


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the library's function for that, and with digests, so that lengths leak nothing either."""
    compared: list[tuple[str, str]] = []
    real = guard_module.hmac.compare_digest
    monkeypatch.setattr(guard_module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    for key in ("", "x", KEY, KEY * 1000):
        with suppress(Unwanted):
            Guard(key_digest_of(KEY)).check({"host": "localhost", "authorization": f"Bearer {key}"})
    assert len(compared) == 4 and {len(text) for pair in compared for text in pair} == {64}


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABSPEC_CLUSTER_KEY", "secret")
    with pytest.raises(ConfigError, match="16 characters") as caught:
        digest_from_environment()
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("TABSPEC_CLUSTER_KEY", f" {KEY}\n")
    assert digest_from_environment() == key_digest_of(KEY)
    monkeypatch.delenv("TABSPEC_CLUSTER_KEY")
    assert digest_from_environment() == ""


@pytest.mark.parametrize(
    ("host", "key", "token", "lines"),
    [
        ("127.0.0.1", "", False, 0),
        ("localhost", "", False, 0),
        ("::1", "", False, 0),
        ("0.0.0.0", "", False, 3),
        ("0.0.0.0", KEY, False, 2),
        ("box.example.com", KEY, True, 1),
    ],
)
def test_an_unprotected_cluster_prints_warnings(host: str, key: str, token: bool, lines: int) -> None:
    found = warnings(host, Guard(key_digest_of(key) if key else ""), token)
    assert len(found) == lines
    assert any("TABSPEC_CLUSTER_KEY" in line for line in found) is (lines > 0 and not key)
