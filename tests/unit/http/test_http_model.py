"""The model on a server, tested with a stub that answers and fails as real servers do."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from tabspec.errors import ModelError, ModelNotUsable, ModelUnavailable
from tabspec.models.address import Api, Switch, parse_address
from tabspec.models.http import HttpModel
from tabspec.models.http.apis import grammar_for, read
from tabspec.models.http.connection import body, wire
from tabspec.models.http.connection.pace import FIRST_S, LONGEST_S, Backoff
from tabspec.models.http.forms import format_of, text_prompt
from tabspec.models.http.marks import neutral
from tabspec.models.load import load_model
from tabspec.models.protocol import Chunk, GenerationRequest, RelatedText, StopRule, Usage
from tabspec.prompt.fim import QWEN
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Finish
from tests.patience import PATIENCE
from tests.stub_server import (
    Reply,
    Request,
    Stub,
    infill_events,
    llama_cpp,
    ollama,
    openai_events,
    running,
    vllm,
)

QUESTION = GenerationRequest("def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python")
PATH = "/v1/completions"


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running(Stub()) as started:
        yield started


async def ask(model: HttpModel, question: GenerationRequest = QUESTION) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


def said(chunks: list[Chunk]) -> tuple[str, Finish | None]:
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish


def answering(stub: Stub, *texts: str, path: str = PATH, **more: Any) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*openai_events(*texts, **more))

    stub.routes[path] = answer


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "base", "model"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ""),
        ("http://host:8000/v1#Qwen/Qwen2.5-Coder-7B", "http://host:8000", "Qwen/Qwen2.5-Coder-7B"),
        ("https://host/team/v1/completions", "https://host/team", ""),
        ("http://[::1]:11434/?api=suffix#qwen2.5-coder%3A1.5b", "http://[::1]:11434", "qwen2.5-coder:1.5b"),
    ],
)
def test_addresses_name_a_server_and_a_model(url: str, base: str, model: str) -> None:
    address = parse_address(url)
    assert (address.base, address.model) == (base, model)


def test_options_stand_in_the_address() -> None:
    address = parse_address("http://h:1?api=infill&format=codestral&slots=3&slot=0&priority=on&exact=off")
    assert (address.api, address.format, address.slots, address.slot) == (Api.INFILL, "codestral", 3, 0)
    assert (address.priority, address.exact) == (Switch.ON, Switch.OFF)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://h:99999",
        "http://h?api=chat",
        "http://h?format=latin",
        "http://h?colour=red",
        "http://h?slots=many",
        "http://h?tokenizer=/nowhere",
    ],
)
def test_a_bad_address_is_one_line(url: str) -> None:
    with pytest.raises(ModelNotUsable) as caught:
        load_model(url)
    assert "\n" not in str(caught.value)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ModelNotUsable) as caught:
        parse_address("http://me:hunter2@host")
    assert "hunter2" not in str(caught.value) and "TABSPEC_API_KEY" in str(caught.value)


@pytest.mark.slow
def test_an_address_needs_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from tabspec.models.load import load_model; load_model('http://h'); "
        "import tabspec.models.http.model; sys.exit(bool({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- what is sent ---------------------------------------------------------------------------------------------------


async def test_llama_cpp_gets_the_line_in_progress_as_a_grammar(stub: Stub) -> None:
    llama_cpp(stub)
    answering(stub, "\n    ", "ret", "urn x", "\n")
    model = HttpModel(stub.url)
    assert said(await ask(model)) == ("urn x", Finish.STOP)
    body = stub.asked(PATH)[-1].body
    assert body["prompt"] == "<|fim_prefix|>def f(x):<|fim_suffix|>\n\nprint(f(1))\n<|fim_middle|>"
    assert body["grammar"] == 'root ::= "\\x0A    ret" .*\n'
    assert body["cache_prompt"] and body["temperature"] == 0
    assert model.info.context_tokens == 4096 and model.slots == 1
    await model.close()


async def test_an_answer_that_passes_a_cut_is_requested_again_from_there(stub: Stub) -> None:
    llama_cpp(stub)
    answers = iter([["\nif x:", " pass", "\n    "], ["\n", "    y", "\n"]])

    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*openai_events(*next(answers)))

    stub.routes[PATH] = answer
    model = HttpModel(stub.url)
    question = GenerationRequest("a", "\nif x:", "", stop=StopRule(max_lines=2))
    assert said(await ask(model, question)) == (" pass\n    y", Finish.STOP)
    _, second = (request.body for request in stub.asked(PATH))
    assert second["prompt"].startswith("<|fim_prefix|>a\nif x: pass<") and second["grammar"].startswith(
        'root ::= "\\x0A"'
    )
    await model.close()


async def test_without_a_grammar_the_line_follows_the_middle_token(stub: Stub) -> None:
    llama_cpp(stub)
    answering(stub, "urn", " x", "\n", "y")
    model = HttpModel(stub.url + "?exact=off")
    assert said(await ask(model)) == ("urn x", Finish.STOP)
    body = stub.asked(PATH)[-1].body
    assert body["prompt"].endswith("<|fim_middle|>\n    ret") and "grammar" not in body
    await model.close()


async def test_infill_for_a_model_whose_format_is_not_known(stub: Stub) -> None:
    llama_cpp(stub, "mystery.gguf")
    stub.document("/tokenize", {"tokens": [{"id": 1, "piece": "<"}]})

    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*infill_events("urn", " x", cached=12))

    stub.routes["/infill"] = answer
    model = HttpModel(stub.url + "?slot=0")
    question = GenerationRequest("def f(x):", "\n    ret", "\n", "a.py", related=(RelatedText("b.py", "x = 1\n"),))
    chunks = await ask(model, question)
    assert said(chunks) == ("urn x", Finish.END)
    assert chunks[0].usage == Usage(20, 12, 1) and chunks[1].usage == Usage(decoded=1)
    assert chunks[1].tokens == (101,) and chunks[1].logprobs == (-0.25,)
    body = stub.asked("/infill")[-1].body
    assert (body["input_prefix"], body["input_suffix"], body["prompt"]) == ("def f(x):", "\n", "\n    ret")
    assert body["input_extra"] == [{"filename": "b.py", "text": "x = 1\n"}]
    assert (body["id_slot"], body["n_predict"], body["cache_prompt"]) == (0, 48, True) and body["t_max_predict_ms"] > 0
    await model.close()


async def test_the_format_of_llama_cpps_model_is_found_by_its_tokens(stub: Stub) -> None:
    llama_cpp(stub, "mystery.gguf")
    marks = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>", "<reponame>"]
    stub.document("/tokenize", {"tokens": [{"id": i, "piece": mark} for i, mark in enumerate(marks)]})
    server = await HttpModel(stub.url).connect()
    assert server.format == "fim-tokens"


async def test_vllm_gets_the_priority_of_requests(stub: Stub) -> None:
    vllm(stub)
    usage = {"prompt_tokens": 30, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 16}}
    logprobs = {"tokens": ["token_id:7"], "token_logprobs": [-0.5], "text_offset": [0]}
    events = openai_events("urn x", "\n")
    events[0] |= {"usage": usage}
    events[0]["choices"][0]["logprobs"] = logprobs

    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*events)

    stub.routes[PATH] = answer
    model = HttpModel(stub.url)
    chunks = await ask(model)
    assert chunks[0] == Chunk("urn x", (7,), (-0.5,), Usage(14, 16, 1))
    await ask(model, GenerationRequest("def f(x):", "\n    ret", "", foreground=False))
    asked, ahead = (request.body for request in stub.asked(PATH))
    assert "priority" not in asked and ahead["priority"] > 0
    assert asked["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert model.info.context_tokens == 32768
    await model.close()


@pytest.mark.parametrize(
    ("rule", "text", "finish"),
    [
        (StopRule(min_first_logprob=-1.0), "", Finish.CONFIDENCE),
        (StopRule(min_logprob=-1.0), "urn", Finish.CONFIDENCE),
        (StopRule(min_first_logprob=-3.0, min_logprob=-5.0), "urn x", Finish.STOP),
    ],
)
@pytest.mark.parametrize("exact", ["on", "off"])
async def test_an_unlikely_token_ends_an_answer(
    stub: Stub, rule: StopRule, text: str, finish: Finish, exact: str
) -> None:
    llama_cpp(stub)
    forced = ["\n    ret"] if exact == "on" else []
    events = openai_events(*forced, "urn", " x", "\n")
    for event, logprob in zip(events[len(forced) :], (-2.0, -4.0, 0.0), strict=True):
        event["choices"][0]["logprobs"] = {"content": [{"id": 9, "token": "", "logprob": logprob}]}

    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*events)

    stub.routes[PATH] = answer
    model = HttpModel(f"{stub.url}?exact={exact}")
    question = GenerationRequest("def f(x):", "\n    ret", "", stop=rule)
    assert said(await ask(model, question)) == (text, finish)
    await model.close()


async def test_vllm_without_priority_scheduling_is_asked_without(stub: Stub) -> None:
    vllm(stub)

    async def answer(request: Request, reply: Reply) -> None:
        if "priority" in request.body:
            message = "Got priority 1 but Priority scheduling is not enabled"
            await reply.json({"object": "error", "message": message, "code": 400}, 400)
        else:
            await reply.events(*openai_events("urn x", "\n"))

    stub.routes[PATH] = answer
    model = HttpModel(stub.url)
    for _ in range(2):
        assert said(await ask(model, GenerationRequest("d", "\nret", "", foreground=False)))[0] == "urn x"
    assert ["priority" in request.body for request in stub.asked(PATH)] == [True, False, False]
    await model.close()


async def test_ollama_gets_prompt_and_suffix(stub: Stub) -> None:
    ollama(stub)
    answering(stub, "urn x", "")
    model = HttpModel(stub.url)
    assert said(await ask(model)) == ("urn x", Finish.END)
    body = stub.asked(PATH)[-1].body
    assert (body["model"], body["prompt"]) == ("qwen2.5-coder:1.5b-base", "def f(x):\n    ret")
    assert body["suffix"] == "\n\nprint(f(1))\n"
    await model.close()


async def test_an_answer_without_streaming_is_read(stub: Stub) -> None:
    stub.document("/v1/models", {"data": [{"id": "qwen2.5-coder", "object": "model"}]})
    stub.document(PATH, openai_events("urn x\nmore")[0])
    model = HttpModel(stub.url)
    assert said(await ask(model)) == ("urn x", Finish.STOP)
    await model.close()


async def test_the_key_is_sent_and_never_shown(stub: Stub, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("TABSPEC_API_KEY", "sk-very-secret")
    monkeypatch.setenv("TABSPEC_API_HOST", f"127.0.0.1:{stub.port}")
    llama_cpp(stub)
    answering(stub, "\n    ret", "urn x", "\n")
    model = HttpModel(stub.url)
    await ask(model)
    assert stub.asked(PATH)[-1].headers["authorization"] == "Bearer sk-very-secret"
    assert "very-secret" not in caplog.text + repr(model) + repr(model.info) + repr(vars(model))
    await model.close()


class Keyring(ModuleType):
    """In place of the library: what `keyring.get_password` gives, or raises."""

    def __init__(self, keys: dict[tuple[str, str], str], error: Exception | None = None) -> None:
        super().__init__("keyring")
        self.keys, self.error = keys, error

    def get_password(self, service: str, name: str) -> str | None:
        if self.error:
            raise self.error
        return self.keys.get((service, name))


async def test_a_key_from_the_keyring_is_sent_to_its_server_and_never_shown(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.delenv("TABSPEC_API_KEY", raising=False)
    ring = Keyring({("tabspec", stub.url): "sk-of-the-ring\n", ("tabspec", "http://elsewhere"): "sk-of-another"})
    monkeypatch.setitem(sys.modules, "keyring", ring)
    llama_cpp(stub)
    answering(stub, "\n    ret", "urn x", "\n")
    model = HttpModel(f"{stub.url}/v1?slots=2")  # the ring knows it by its address alone
    await ask(model)
    shown = model.preview(GenerationRequest("x", "", ""))
    await model.close()
    assert {request.headers.get("authorization") for request in stub.seen} == {"Bearer sk-of-the-ring"}
    assert shown.key.value and "of-the-ring" not in caplog.text + repr(model) + repr(model.info) + repr(
        vars(model)
    ) + repr(shown)
    assert not HttpModel("http://127.0.0.1:1").wire.key.value
    monkeypatch.setenv("TABSPEC_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("TABSPEC_API_HOST", "127.0.0.1")
    await ask(model := HttpModel(stub.url))
    await model.close()
    assert stub.seen[-1].headers["authorization"] == "Bearer sk-of-the-environment", "which comes first"


@pytest.mark.parametrize("ring", [None, Keyring({}), Keyring({}, RuntimeError("locked: sk-of-the-ring"))])
async def test_without_a_key_none_is_sent(
    ring: ModuleType | None, stub: Stub, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """The library is missing, knows no key, or fails; what its error says is not repeated."""
    caplog.set_level("DEBUG")
    monkeypatch.delenv("TABSPEC_API_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    llama_cpp(stub)
    answering(stub, "\n    ret", "urn x", "\n")
    model = HttpModel(stub.url)
    await ask(model)
    await model.close()
    assert not any("authorization" in request.headers for request in stub.seen)
    assert "of-the-ring" not in caplog.text


async def test_text_written_before_an_interruption_follows_the_line(stub: Stub) -> None:
    vllm(stub)
    answering(stub, "1\n")
    model = HttpModel(stub.url)
    question = GenerationRequest("def f(x):", "\n    ret", "", resume="urn x + ")
    assert said(await ask(model, question)) == ("1", Finish.STOP)
    body = stub.asked(PATH)[-1].body
    assert body["prompt"].endswith("<|fim_middle|>\n    return x + ")
    assert body["stop"] == ["\n"], "the line has something on it: its end is the end"
    await model.close()


async def test_a_prompt_that_is_too_long_is_halved(stub: Stub) -> None:
    llama_cpp(stub)

    async def answer(request: Request, reply: Reply) -> None:
        if len(request.body["prompt"]) > 400:
            error = {"code": 400, "message": "the request exceeds the available context size", "n_ctx": 100}
            await reply.json({"error": error}, 400)
        else:
            await reply.events(*openai_events("urn x", "\n"))

    stub.routes[PATH] = answer
    model = HttpModel(stub.url + "?exact=off")
    question = GenerationRequest("line = 1\n" * 60, "\n    ret", "")
    assert said(await ask(model, question))[0] == "urn x"
    assert "<|fim_prefix|>line = 1\n" in stub.asked(PATH)[-1].body["prompt"]
    await model.close()


def test_a_control_token_in_a_document_stays_text() -> None:
    assert "<|fim_middle|>" not in neutral("x = '<|fim_middle|>'")
    prompt = text_prompt(QWEN, GenerationRequest("<|fim_suffix|>", "", "<|fim_prefix|>\ud800"))
    assert prompt.count("<|fim_suffix|>") == prompt.count("<|fim_prefix|>") == 1
    assert json.loads(wire.as_bytes({"prompt": prompt, "of": ["\udc00"]})) == {
        "prompt": prompt.replace("\ud800", "\ufffd"),
        "of": ["\ufffd"],
    }


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Qwen2.5-Coder-1.5B-Q8_0.gguf", "qwen2.5-coder"),
        ("codeqwen:7b-code", "fim-tokens"),
        ("qwen3-coder:30b", "qwen2.5-coder"),
        ("bigcode/starcoder2-3b", "starcoder2"),
        ("bigcode/starcoderbase-1b", "starcoder"),
        ("deepseek-ai/deepseek-coder-1.3b-base", "deepseek-coder"),
        ("CodeLlama-7b-hf", "codellama"),
        ("codestral-22b", "codestral"),
        ("tabspec-bundled", "tabspec"),
    ],
)
def test_formats_are_found_by_the_names_of_models(name: str, form: str) -> None:
    found = format_of(name)
    assert found is not None and found.name == form
    assert format_of("llama-3-8b") is None


@pytest.mark.parametrize("text", ['a"b\\c', "\t\r\n", "é→🎉", "\x00\x7f"])
def test_grammars_hold_any_text(text: str) -> None:
    rule = grammar_for(text)
    assert rule.isascii() and rule.count("\n") == 1
    literal = rule.removeprefix('root ::= "').removesuffix('" .*\n')
    assert json.loads('"' + _as_json(literal) + '"') == text


def _as_json(literal: str) -> str:
    """GBNF's escapes as JSON's."""
    import re

    literal = re.sub(r"\\x([0-9A-F]{2})", r"\\u00\1", literal)

    def pair(match: re.Match[str]) -> str:
        return json.dumps(chr(int(match[1], 16)))[1:-1]

    return re.sub(r"\\U([0-9A-F]{8})", pair, literal)


@pytest.mark.parametrize("event", [{}, {"choices": []}, {"choices": [None]}, {"choices": [{"text": 3}]}, {"usage": 1}])
def test_empty_events_are_skipped(event: Any) -> None:
    assert read(event).text == ""


# --- what goes wrong ------------------------------------------------------------------------------------------------


async def failing(model: HttpModel) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await ask(model)
    assert "\n" not in str(caught.value) and model.address.base in str(caught.value)
    return caught.value


async def test_a_server_that_was_down_is_used_again(unused_tcp_port: int) -> None:
    model = HttpModel(f"http://127.0.0.1:{unused_tcp_port}")
    error = await failing(model)
    assert isinstance(error, ModelUnavailable) and "start it" in str(error)
    stub = llama_cpp(Stub())
    answering(stub, "\n    ret", "urn x", "\n")
    async with running(stub, unused_tcp_port):
        with pytest.raises(ModelUnavailable):
            await ask(model)  # it is left alone for a moment
        assert not stub.seen
        model._pace._until = 0.0  # the moment is over
        assert said(await ask(model))[0] == "urn x"
    await model.close()


async def test_a_restarted_server_with_another_model_is_read_again(stub: Stub) -> None:
    llama_cpp(stub)

    async def drop(_: Request, reply: Reply) -> None:
        reply.drop()

    stub.routes[PATH] = drop
    model = HttpModel(stub.url)
    assert "broke off" in str(await failing(model))
    before = model.info.fingerprint
    llama_cpp(stub, "codestral.gguf")
    answering(stub, "\n    ret", "urn x", "\n")
    model._pace._until = 0.0
    assert said(await ask(model))[0] == "urn x"
    assert model.info.name == "codestral.gguf" and model.info.fingerprint != before
    await model.close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"error": {"message": "Invalid API Key"}}, ModelError, "TABSPEC_API_KEY"),
        (404, {"error": "model 'x' not found"}, ModelError, "model 'x' not found"),
        (500, {"error": {"message": "out of memory\nstack:"}}, ModelError, "out of memory"),
        (503, {"error": {"message": "Loading model"}}, ModelUnavailable, "Loading model"),
        (429, {"detail": "slow down"}, ModelUnavailable, "busy"),
        (502, None, ModelUnavailable, "502"),
    ],
)
async def test_each_refusal_is_one_clear_line(stub: Stub, status: int, body: Any, kind: type, words: str) -> None:
    llama_cpp(stub)
    stub.document(PATH, body, status)
    error = await failing(HttpModel(stub.url))
    assert isinstance(error, kind) and words in str(error)
    assert isinstance(error, ModelUnavailable) == (kind is ModelUnavailable)


async def test_a_busy_server_gets_no_requests_for_the_time_it_states(stub: Stub) -> None:
    llama_cpp(stub)

    async def busy(_: Request, reply: Reply) -> None:
        await reply.json({"error": {"message": "busy"}}, 429, "Retry-After: 7\r\n")

    stub.routes[PATH] = busy
    model = HttpModel(stub.url)
    await failing(model)
    assert 6 < model._pace.left() <= 7
    with pytest.raises(ModelUnavailable, match="busy"):
        await ask(model)
    assert len(stub.asked(PATH)) == 1
    await model.close()


async def test_a_web_page_is_no_model_server(stub: Stub) -> None:
    llama_cpp(stub)

    async def page(_: Request, reply: Reply) -> None:
        await reply.whole(b"<html>\n<h1>It works!</h1>", "text/html; charset=utf-8")

    stub.routes[PATH] = page
    assert "web page" in str(await failing(HttpModel(stub.url)))


FAULTS = {
    "half a line": b'data: {"choices":[{"text":"urn"}]}\n\ndata: {"choices":[{"te',
    "no end": b'data: {"choices":[{"text":"urn"}]}\n\n',
    "nothing": b"",
    "no JSON": b"data: {'choices'}\n\n",
    "a list": b"data: []\n\n",
    "an error": b'data: {"error":{"message":"the GPU is lost"}}\n\n',
    "no stream": b"x" * (body.LONGEST_LINE + 2),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broken_stream_is_an_error(stub: Stub, fault: str) -> None:
    llama_cpp(stub)

    async def broken(_: Request, reply: Reply) -> None:
        await reply.start()
        if FAULTS[fault]:
            await reply.chunk(FAULTS[fault])
        await reply.end()

    stub.routes[PATH] = broken
    model = HttpModel(stub.url + "?exact=off")
    with pytest.raises(ModelError) as caught:
        await ask(model)
    assert "\n" not in str(caught.value)
    await model.close()


@pytest.mark.parametrize("begun", [False, True])
async def test_a_server_that_hangs_is_an_error(stub: Stub, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "FIRST_EVENT_S", 0.05)
    monkeypatch.setattr(body, "BETWEEN_EVENTS_S", 0.05)
    llama_cpp(stub)

    async def hang(_: Request, reply: Reply) -> None:
        await reply.start()
        if begun:
            await reply.event(openai_events("urn", finish=None)[0])
        await reply.gone.wait()

    stub.routes[PATH] = hang
    error = await failing(HttpModel(stub.url + "?exact=off"))
    assert isinstance(error, ModelUnavailable) and "in time" in str(error)


async def test_line_ends_of_unicode_do_not_end_an_event(stub: Stub) -> None:
    llama_cpp(stub)
    answering(stub, "a\u2028b\x85c", "\n")
    model = HttpModel(stub.url + "?exact=off")
    assert said(await ask(model))[0] == "a\u2028b\x85c"
    await model.close()


async def test_closing_an_answer_closes_its_connection(stub: Stub) -> None:
    llama_cpp(stub)
    gone = asyncio.Event()

    async def forever(_: Request, reply: Reply) -> None:
        await reply.start()
        await reply.event(openai_events("u", finish=None)[0])
        await reply.gone.wait()
        gone.set()

    stub.routes[PATH] = forever
    model = HttpModel(stub.url + "?exact=off")
    chunks = model.stream(QUESTION)
    assert (await anext(chunks)).text == "u"
    await chunks.aclose()
    await asyncio.wait_for(gone.wait(), PATIENCE)
    await model.close()


async def test_a_cancelled_task_closes_its_connection(stub: Stub) -> None:
    llama_cpp(stub)
    begun, gone = asyncio.Event(), asyncio.Event()

    async def silent(_: Request, reply: Reply) -> None:
        begun.set()
        await reply.gone.wait()
        gone.set()

    stub.routes[PATH] = silent
    model = HttpModel(stub.url)
    task = asyncio.create_task(ask(model))
    await begun.wait()
    task.cancel()
    await asyncio.wait_for(gone.wait(), PATIENCE)
    await model.close()


async def test_connections_are_kept_and_replaced_when_the_server_closed_them(stub: Stub) -> None:
    llama_cpp(stub)
    answering(stub, "\n    ret", "urn x", "")
    model = HttpModel(stub.url)
    await ask(model)
    await ask(model)
    assert len({request.connection for request in stub.seen}) == 1
    for writer in list(stub.open):
        writer.transport.abort()
    await stub.idle.wait()
    assert said(await ask(model))[0] == "urn x"
    await model.close()


async def test_no_more_requests_in_flight_than_slots(stub: Stub) -> None:
    llama_cpp(stub, slots=2)
    inside, most, go = 0, 0, asyncio.Event()

    async def slow(_: Request, reply: Reply) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == 2:
            go.set()
        await go.wait()
        await reply.events(*openai_events("\n    ret", "urn", ""))
        inside -= 1

    stub.routes[PATH] = slow
    model = HttpModel(stub.url)
    answers = await asyncio.gather(*(ask(model) for _ in range(5)))
    assert most == 2 and {said(answer)[0] for answer in answers} == {"urn"}
    await model.close()


def test_pauses_double_up_to_a_bound_and_end_with_a_success() -> None:
    async def play() -> list[float]:
        pace, pauses = Backoff(), []
        for _ in range(8):
            pace.failed("down")
            pauses.append(pace.left())
            await asyncio.sleep(pace.left())
            assert pace.left() == 0
        pace.succeeded()
        pace.failed("down")
        return [*pauses, pace.left()]

    pauses = run_virtual(play())
    assert pauses[0] == pauses[-1] == FIRST_S and max(pauses) == LONGEST_S
    assert pauses[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]


# --- how an answer may begin ------------------------------------------------------------------------------------------


def completion(logprobs: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": "urn", "logprobs": logprobs, "finish_reason": "length"}]}


# OpenAI's API reference and vLLM's protocol.py (`CompletionLogProbs`); llama.cpp's tools/server/README.md.
BY_TEXT = completion({"tokens": ["urn"], "top_logprobs": [{"urn": -0.2, " self": -2.5, "</s>": -3, "\ufffd": -4}]})
LISTED = [
    {"id": 5, "token": "urn", "logprob": -0.2},
    {"id": 7, "token": " self", "logprob": -2.5},
    {"id": 1, "token": "<|endoftext|>", "logprob": -3.0},
    {"id": 9, "token": "", "logprob": -4.0},
]
BY_LIST = completion({"content": [{"id": 5, "token": "urn", "logprob": -0.2, "top_logprobs": LISTED}]})
OF_INFILL = {"content": "urn", "stop": True, "completion_probabilities": [{"id": 5, "top_logprobs": LISTED}]}


@pytest.mark.parametrize(
    ("kind", "path", "event"),
    [
        (vllm, PATH, BY_TEXT),
        (llama_cpp, PATH, BY_LIST),
        (lambda stub: llama_cpp(stub, "strange.gguf"), "/infill", OF_INFILL),
    ],
)
async def test_servers_return_the_likeliest_first_tokens(
    stub: Stub, kind: Any, path: str, event: dict[str, Any]
) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(event)

    kind(stub).routes[path] = answer
    model = HttpModel(stub.url)
    chunks = await ask(model, replace(QUESTION, beginnings=8))
    assert [(each.text, each.logprob) for each in chunks[-1].beginnings] == [("urn", -0.2), (" self", -2.5)]
    assert said(chunks) == ("", Finish.LENGTH)
    (request,) = stub.asked(path)
    assert request.body.get("max_tokens", request.body.get("n_predict")) == 1
    assert request.body.get("logprobs", request.body.get("n_probs")) >= 5
    await model.close()


@pytest.mark.parametrize(
    "event",
    [*openai_events("urn"), completion({"top_logprobs": [None]}), completion([7]), completion({"content": []}), {}],
)
async def test_servers_without_probabilities_return_no_first_tokens(stub: Stub, event: dict[str, Any]) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(event)

    ollama(stub).routes[PATH] = answer
    model = HttpModel(stub.url)
    assert (await ask(model, replace(QUESTION, beginnings=8)))[-1].beginnings == ()
    await model.close()
