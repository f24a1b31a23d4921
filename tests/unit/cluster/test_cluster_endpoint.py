"""The cluster's endpoint without Ray: its requests to the model, its responses, and our own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tabspec.cluster.endpoint import Endpoint
from tabspec.cluster.guard import Guard
from tabspec.cluster.replica import ModelOptions, Replica
from tabspec.cluster.request_body import BadRequest, ClusterRequest, read_body
from tabspec.cluster.response import StopTexts
from tabspec.cluster.served import ServedModel
from tabspec.errors import ModelError, ModelUnavailable, PromptRefused
from tabspec.models.http import HttpModel
from tabspec.models.load import load_model
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, RelatedText, StopRule
from tabspec.models.scripted.model import ScriptedModel, pseudo_random
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import LatencyProfile, TimedModel
from tests.tiny import QWEN, byte_level, save_model

QUESTION = GenerationRequest("def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python")
NO_RULE = {"max_tokens": 24, "temperature": 0}


class Here:
    """A replica in this process."""

    def __init__(self, model: Model) -> None:
        self.model = ServedModel(model)
        self.asked: list[ClusterRequest] = []
        self.fail: list[Exception] = []  # one for each of the next answers, after their first piece of text

    async def describe(self) -> tuple[ModelInfo, int]:
        return self.model.info, 2

    async def answer(self, asked: ClusterRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(asked)
        failure = self.fail.pop(0) if self.fail else None
        async with aclosing(self.model.answer(asked.request, asked.prompt)) as chunks:
            async for chunk in chunks:
                yield chunk
                if failure is not None and chunk.text:
                    raise failure


def transport(here: Here) -> httpx.ASGITransport:
    endpoint = Endpoint(here, Guard(hosts=frozenset({"x"})))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await endpoint(request))(scope, receive, send)

    return httpx.ASGITransport(app)


@asynccontextmanager
async def client(here: Here) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport(here), base_url="http://x") as made:
        yield made


async def events(http: httpx.AsyncClient, body: dict[str, Any]) -> list[Any]:
    response = await http.post("/v1/completions", json=body | {"stream": True})
    assert response.status_code == 200, response.text
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


async def ask(model: Model, question: GenerationRequest) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"), byte_level(QWEN))


# --- our own client ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", ["own", "transformers"])
async def test_our_client_gets_the_answers_of_the_model_in_this_process(folder: Path, decoder: str) -> None:
    """Texts, tokens, log-probabilities, finishes and the model's own description: for questions with forced text, with
    related files, resumed, and with doubt."""
    local, served = (load_model(str(folder), decoder=decoder) for _ in range(2))
    here = Here(served)
    remote = HttpModel("http://x", transport=transport(here))
    await remote.connect()
    assert remote.info.fingerprint == local.info.fingerprint
    assert remote.info.context_tokens == local.info.context_tokens
    related = (RelatedText("b.py", "def g(): ...\n"),)
    for question in (
        QUESTION,
        GenerationRequest("", "x = ", "", "a.py"),
        GenerationRequest("def f():", "\n    r", "\n", "a.py", related=related, stop=StopRule(3, 20)),
        GenerationRequest("a", "\nb", "", resume="c", foreground=False),
        GenerationRequest("a", "\nb", "", stop=StopRule(1, 30, -1.0, -6.0)),
        GenerationRequest("\ud800 grüß", "\n你", "🎉"),
    ):
        mine, theirs = await ask(local, question), await ask(remote, question)
        assert [(c.text, c.tokens, c.finish) for c in theirs if c.text or c.tokens or c.finish] == [
            (c.text, c.tokens, c.finish) for c in mine if c.text or c.tokens or c.finish
        ]
        assert sum((c.logprobs for c in theirs), ()) == pytest.approx(sum((c.logprobs for c in mine), ()), abs=1e-4)
        assert sum(c.usage.decoded for c in theirs) == sum(c.usage.decoded for c in mine)
        assert here.asked[-1].request.foreground is question.foreground
    ways = replace(QUESTION, beginnings=3)
    assert [c.beginnings for c in await ask(remote, ways)] == [c.beginnings for c in await ask(local, ways)]
    assert len({asked.editor for asked in here.asked}) == 1 and here.asked[0].editor


async def test_an_interrupted_answer_is_resumed() -> None:
    model = ScriptedModel(pseudo_random(longest=40), token_chars=2)
    here = Here(model)
    remote = HttpModel("http://x", transport=transport(here))
    question = next(q for n in range(99) if len(model.answer(q := GenerationRequest(f"x{n}", "", ""))[0]) > 6)
    here.fail = [ModelUnavailable("a node has gone")]
    chunks = await ask(remote, question)
    assert "".join(chunk.text for chunk in chunks) == model.answer(question)[0]
    first, second = here.asked
    assert second.request.resume and model.answer(question)[0].startswith(second.request.resume)
    assert first.request.resume == ""

    here.fail = [ModelError("broken")] * 2
    with pytest.raises(ModelError, match="broken"):
        await ask(remote, question)


# --- OpenAI's clients -------------------------------------------------------------------------------------------------


async def test_a_prompt_is_completed_as_text_and_as_tokens(folder: Path) -> None:
    """The same tokens as transformers' own greedy decoding chooses behind them (up to a canonical cut, where the
    tokens are chosen anew)."""
    import torch
    from transformers import AutoModelForCausalLM

    model = load_model(str(folder), dtype="float32")
    here = Here(model)
    vocabulary = model.local.vocabulary  # type: ignore[attr-defined]
    written = "<|fim_prefix|>def f(<|fim_suffix|>)<|fim_middle|>"
    ids = [vocabulary.ids["<|fim_prefix|>"], *vocabulary.encode("def f("), vocabulary.ids["<|fim_suffix|>"]]
    ids += [*vocabulary.encode(")"), vocabulary.ids["<|fim_middle|>"]]
    async with client(here) as http:
        as_text = await events(http, NO_RULE | {"prompt": written, "logprobs": 1})
        as_tokens = await events(http, NO_RULE | {"prompt": ids, "logprobs": 1})
        listed = await events(http, NO_RULE | {"prompt": [ids], "logprobs": 1})
    choices = [[event["choices"][0] for event in answer] for answer in (as_text, as_tokens, listed)]
    assert choices[0] == choices[1] == choices[2]
    told = [token for choice in choices[0] for token in choice["logprobs"]["tokens"]]
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokens = list(ids)
    for name in told:
        logits = reference(torch.tensor([tokens])).logits[0, -1]
        chosen = int(logits.argmax())
        assert name == f"token_id:{chosen}"
        tokens.append(chosen)
        if b"\n" in vocabulary.bytes_of[chosen]:
            break
    assert len(tokens) > len(ids)


async def test_usage_counts_reused_tokens(folder: Path) -> None:
    here = Here(load_model(str(folder)))
    body = {"prompt": "def f(x):\n    return ", "suffix": "\n", "max_tokens": 4}
    async with client(here) as http:
        first, second = [(await http.post("/v1/completions", json=body)).json() for _ in range(2)]
        streamed = await events(http, body | {"stream_options": {"include_usage": True}})
    assert first["choices"][0]["text"] == second["choices"][0]["text"]
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert (
        0
        < second["usage"]["prompt_tokens"] - 3
        < cached
        <= sum((second["usage"]["prompt_tokens"], second["usage"]["completion_tokens"], 1))
    )
    assert streamed[-1]["choices"] == [] and streamed[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    assert "".join(event["choices"][0]["text"] for event in streamed[:-1]) == first["choices"][0]["text"]


async def test_models_are_listed_and_unknown_ones_are_not_found() -> None:
    here = Here(ScriptedModel(pseudo_random()))
    async with client(here) as http:
        listed = (await http.get("/v1/models")).json()["data"][0]
        assert (listed["id"], listed["owned_by"], listed["tabspec"]["slots"]) == ("scripted", "tabspec", 2)
        other = await http.post("/v1/completions", json={"prompt": "a", "suffix": "", "model": "gpt"})
        assert other.status_code == 404 and "gpt" in other.json()["error"]["message"]
        assert (await http.get("/v2")).status_code == 404
        assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "JSON object"),
        ({"prompt": "a", "temperature": 0.7}, "greedy"),
        ({"prompt": "a", "n": 2}, "one choice"),
        ({"prompt": "a", "echo": True}, "not repeated"),
        ({"prompt": "a", "logprobs": 5}, "chosen token"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "a", "max_tokens": True}, "max_tokens"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({}, "prompt"),
        ({"prompt": [1], "suffix": "x"}, "suffix"),
        ({"prompt": "a", "stop": [1]}, "stop"),
        ({"prompt": "a", "user": 1}, "user"),
        ({"tabspec": 1}, "tabspec"),
        ({"tabspec": {"head": 1}}, "tabspec.head"),
        ({"tabspec": {"head": "", "forced": "", "suffix": "", "stop": {"max_lines": 0}}}, "max_lines"),
        ({"tabspec": {"head": "", "forced": "", "suffix": "", "beginnings": -1}}, "beginnings"),
        ({"tabspec": {"head": "", "forced": "", "suffix": "", "other": 1}}, "other"),
        ({"tabspec": {"head": "", "forced": "", "suffix": "", "related": [1]}}, "related"),
        ({"tabspec": {"head": "", "forced": "", "suffix": "", "stop": {"min_logprob": "x"}}}, "min_logprob"),
    ],
)
async def test_invalid_requests_are_refused_in_one_line(body: Any, says: str) -> None:
    async with client(Here(ScriptedModel(pseudo_random()))) as http:
        response = await http.post("/v1/completions", json=body)
    message = response.json()["error"]["message"]
    assert response.status_code == 400 and says in message and "\n" not in message


async def test_a_prompt_that_the_model_cannot_take_is_a_client_error(folder: Path) -> None:
    async with client(Here(load_model(str(folder)))) as http:
        for prompt, says in (([1 << 20], "no token"), ("x " * 2000, "context"), ("", "empty")):
            response = await http.post("/v1/completions", json={"prompt": prompt})
            assert response.status_code == 400 and says in response.json()["error"]["message"]
    async with client(Here(ScriptedModel(pseudo_random()))) as http:
        response = await http.post("/v1/completions", json={"prompt": "a"})
        assert response.status_code == 400 and "suffix" in response.json()["error"]["message"]


async def test_failures_have_a_status_before_the_stream_and_an_event_within_it() -> None:
    gone = ScriptedModel({}, fail=ModelUnavailable("starting"))
    async with client(Here(gone)) as http:
        body = {"prompt": "a", "suffix": ""}
        assert (await http.post("/v1/completions", json=body)).status_code == 503
        gone.fail = ModelError("broken")
        assert (await http.post("/v1/completions", json=body)).status_code == 500
        gone.script, gone.fail_after = {"a": "12345678"}, 1
        streamed = await http.post("/v1/completions", json=body | {"stream": True})
        assert streamed.status_code == 200 and '"broken"' in streamed.text and "[DONE]" not in streamed.text


def test_urgency_and_editor_are_read_from_body_or_headers() -> None:
    plain = {"prompt": "a"}
    assert read_body(plain, {}).request.foreground and read_body(plain, {}).editor == ""
    assert not read_body(plain | {"priority": 1}, {}).request.foreground
    assert read_body(plain | {"priority": -1}, {}).request.foreground
    assert not read_body(plain, {"x-tabspec-speculative": "1"}).request.foreground
    assert read_body(plain | {"user": "me"}, {"x-session-id": "other"}).editor == "me"
    assert read_body(plain, {"x-session-id": "other"}).editor == "other"
    with pytest.raises(BadRequest):
        read_body(plain | {"priority": "high"}, {})


# --- stop texts -------------------------------------------------------------------------------------------------------

few = st.text("ab\n", max_size=12)


@given(st.lists(few, max_size=6), st.lists(st.text("ab\n", min_size=1, max_size=3), max_size=3))
@example(["ba", "\n"], ["a", "ba\n"])  # the one that is complete first begins later
@example(["ba"], ["a", "ba\n"])
def test_stop_texts_cut_where_the_whole_text_would_be_cut(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    expected = whole[: min([at for stop in stops if (at := whole.find(stop)) >= 0], default=len(whole))]
    texts, said = StopTexts(stops), ""
    for piece in pieces:
        said += texts.take(piece)
        assert expected.startswith(said)  # nothing is said that has to be taken back
        if texts.hit:
            break
    assert said + ("" if texts.hit else texts.rest()) == expected
    assert texts.hit is (expected != whole or any(stop in whole for stop in stops))


async def test_a_stop_text_ends_the_answer_and_the_model() -> None:
    model = ScriptedModel({"a": "one two three four"}, token_chars=2)
    async with client(Here(model)) as http:
        answer = await events(http, {"prompt": "a", "suffix": "", "stop": [" th"], "max_tokens": 99})
    assert "".join(event["choices"][0]["text"] for event in answer) == "one two"
    assert answer[-1]["choices"][0]["finish_reason"] == "stop"
    assert model.decoded < 9 and model.running == 0 and model.cancelled == 1


# --- turns ------------------------------------------------------------------------------------------------------------


def test_speculation_yields_to_the_foreground_between_two_decode_steps() -> None:
    model = TimedModel(ScriptedModel({"a": "x" * 40, "b": "y" * 8}), LatencyProfile(0, 0, 1000, together=4))
    turns = ServedModel(model)
    log: list[tuple[float, str]] = []

    async def read(name: str, prefix: str, foreground: bool) -> None:
        question = GenerationRequest(prefix, "", "", foreground=foreground, stop=StopRule(9, 99))
        async for chunk in turns.answer(question):
            log.append((asyncio.get_running_loop().time(), name + chunk.text[:1]))

    async def play() -> None:
        ahead = asyncio.create_task(read("s", "a", False))
        await asyncio.sleep(2.5)
        assert len(turns) == 1
        await asyncio.gather(read("f", "b", True), read("g", "b", True))
        # the prompt takes no time, and one decode step of the speculation was running, which ended at 3
        names = [name for t, name in log if t > 2.1]
        assert names.index("sx") < names.index("fy") and names.count("sx") == 1
        assert names.count("fy") == names.count("gy") == 2
        await ahead

        await asyncio.sleep(1)

    run_virtual(play())
    assert [name for _, name in log][-1] == "s" and len(turns) == 0
    assert sum(name == "sx" for _, name in log) == 10


def test_a_stream_closed_while_it_waits_leaves_the_queue() -> None:
    model = ScriptedModel({"a": "x" * 40}, token_s=1.0)
    model.slots = 1  # type: ignore[attr-defined]  # as a server with one slot has
    turns = ServedModel(model)

    async def play() -> None:
        first = turns.answer(GenerationRequest("a", "", ""))
        await anext(first)
        second = asyncio.create_task(anext(turns.answer(GenerationRequest("a", "", ""))))
        await asyncio.sleep(3)
        assert len(turns) == 2
        second.cancel()
        await asyncio.wait({second})
        await asyncio.sleep(1)
        assert len(turns) == 1
        await first.aclose()
        await asyncio.sleep(1)
        assert len(turns) == 0

    run_virtual(play())


# --- the replica ------------------------------------------------------------------------------------------------------


async def test_a_replica_returns_failures_as_values(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"any": True, "fail": "out of memory"}))
    replica = Replica(ModelOptions(f"scripted:{script}"))
    info, slots = await replica.describe()
    assert (info.name, slots) == ("scripted", 2)
    last = [item async for item in replica.answer(ClusterRequest(QUESTION))][-1]
    assert isinstance(last, ModelError) and str(last) == "out of memory"
    refused = [item async for item in replica.answer(ClusterRequest(QUESTION, prompt="a"))][-1]
    assert isinstance(refused, PromptRefused)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await replica.waiting() == 0
