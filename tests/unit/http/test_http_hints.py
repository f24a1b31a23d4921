"""Addresses that do not fit their server: one line states what to set, and what it states works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from tabspec.errors import ModelError
from tabspec.models.address import parse_address
from tabspec.models.http import HttpModel
from tabspec.models.protocol import GenerationRequest
from tests.stub_server import Reply, Request, Stub, llama_cpp, ollama, openai_events, running, vllm

QUESTION = GenerationRequest("def f(x):", "\n    ret", "\n\nprint(f(1))\n", "a.py", "python")
MODELS = {"object": "list", "data": [{"id": "qwen2.5-coder", "object": "model", "owned_by": "me"}]}


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running(Stub()) as started:
        yield started


async def ask(url: str) -> str:
    model = HttpModel(url)
    try:
        async with aclosing(model.stream(QUESTION)) as chunks:
            return "".join([chunk.text async for chunk in chunks])
    finally:
        await model.close()


async def refusal(url: str) -> str:
    with pytest.raises(ModelError) as caught:
        await ask(url)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400
    return line


async def complete(_: Request, reply: Reply) -> None:
    await reply.events(*openai_events("urn x", "\n"))


async def page(_: Request, reply: Reply) -> None:
    await reply.whole(b"<html><h1>It works!</h1>", "text/html; charset=utf-8")


async def no_page(_: Request, reply: Reply) -> None:
    await reply.whole(b"<html><h1>404</h1>", "text/html", 404)


# --- the base -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    ["", "/", "/v1", "/v1/", "/v1/completions", "/v1/completions/", "/v1/chat/completions", "//v1//"],
)
async def test_ends_of_the_api_s_own_paths_are_no_part_of_the_base(stub: Stub, given: str) -> None:
    stub.document("/v1/models", MODELS)
    stub.routes["/v1/completions"] = complete
    assert await ask(stub.url + given) == "urn x"


def test_a_folder_before_the_api_is_a_part_of_the_base() -> None:
    assert parse_address("https://h/api/v1/chat/completions#m").base == "https://h/api"
    assert parse_address("https://h/completions").base == "https://h"
    assert parse_address("https://h/av1").base == "https://h/av1"


@pytest.mark.parametrize("model", ["", "#m"])
@pytest.mark.parametrize("elsewhere", [None, page, no_page], ids=["JSON", "page", "no page"])
@pytest.mark.parametrize(
    ("given", "right"),
    [("", "/api"), ("", "/openai"), ("", "/engines"), ("/api", ""), ("/api/generate", ""), ("/team/old", "/team")],
)
async def test_the_error_names_the_base_address_that_has_the_api(
    stub: Stub, given: str, right: str, elsewhere: Any, model: str
) -> None:
    stub.document(f"{right}/v1/models", MODELS)
    stub.routes[f"{right}/v1/completions"] = complete
    if elsewhere:
        for path in ("/props", "/v1/models", "/v1/completions"):
            stub.routes[given + path] = elsewhere
    line = await refusal(stub.url + given + model)
    named = line.partition("set the model's address to ")[2]
    assert named == stub.url + right + model
    assert await ask(named) == "urn x"


async def test_without_an_api_anywhere_the_line_states_what_to_look_for(stub: Stub) -> None:
    assert "before /v1, or name the model: " in await refusal(stub.url)
    line = await refusal(stub.url + "#m")
    assert "has no /v1/completions (“Not Found”)" in line and line.endswith("before /v1")


async def test_a_server_with_a_chat_api_only_is_recognized(stub: Stub) -> None:
    stub.document("/v1/models", MODELS)
    assert "chats only" in await refusal(stub.url)


async def test_the_search_for_an_api_stays_at_the_server_and_ends(stub: Stub) -> None:
    await refusal(stub.url + "/a/b/c#m")
    assert len([request for request in stub.seen if request.method == "GET"]) < 15


# --- the model ------------------------------------------------------------------------------------------------------


async def test_an_unknown_model_gets_the_names_of_those_that_are_there(stub: Stub) -> None:
    vllm(stub, "Qwen/Qwen2.5-Coder-7B")
    said = "The model `qwen2.5-coder` does not exist."
    stub.document("/v1/completions", {"error": {"message": said, "type": "NotFoundError"}}, 404)
    line = await refusal(stub.url + "#qwen2.5-coder")
    assert "#NAME" in line and "“Qwen/Qwen2.5-Coder-7B”" in line and said in line


async def no_suffix(request: Request, reply: Reply) -> None:
    if "suffix" in request.body:
        await reply.json({"error": {"message": "suffix is not currently supported", "code": 400}}, 400)
    else:
        await complete(request, reply)


def alias(stub: Stub, root: str, parent: str | None = None) -> None:
    entry = {"id": "coder", "object": "model", "owned_by": "vllm", "root": root, "parent": parent}
    stub.document("/v1/models", {"object": "list", "data": [entry]})
    stub.routes["/v1/completions"] = no_suffix


@pytest.mark.parametrize(("root", "parent"), [("/models/Qwen2.5-Coder-7B", None), ("/lora", "Qwen/Qwen2.5-Coder-7B")])
async def test_the_format_of_an_alias_is_that_of_its_model(stub: Stub, root: str, parent: str | None) -> None:
    alias(stub, root, parent)
    assert await ask(stub.url) == "urn x"
    assert stub.asked("/v1/completions")[-1].body["prompt"].startswith("<|fim_prefix|>")


@pytest.mark.parametrize("option", ["", "?api=suffix"])
async def test_an_alias_of_an_unknown_model_gets_the_option_to_set(stub: Stub, option: str) -> None:
    alias(stub, "/models/m")
    line = await refusal(stub.url + option)
    assert f"{stub.url}?format=qwen2.5-coder#coder" in line and "suffix is not currently supported" in line
    assert await ask(f"{stub.url}?format=qwen2.5-coder#coder") == "urn x"


async def test_ollama_s_models_without_insert(stub: Stub) -> None:
    said = "registry.ollama.ai/library/qwen3:latest does not support insert"
    ollama(stub, "qwen3:latest").document("/v1/completions", {"error": {"message": said}}, 400)
    line = await refusal(stub.url)
    assert said in line and f"{stub.url}#qwen2.5-coder:1.5b-base" in line


async def test_a_refusal_of_another_kind_is_left_as_it_is(stub: Stub) -> None:
    llama_cpp(stub).document("/v1/completions", {"error": {"message": "suffix or insert"}}, 400)
    assert await refusal(stub.url) == f"{stub.url} refuses the request (status 400): “suffix or insert”"


# --- chats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["delta", "message"])
@pytest.mark.parametrize("option", ["", "?exact=off", "?api=suffix"])
async def test_a_chat_s_answer_is_recognized(stub: Stub, part: str, option: str) -> None:
    async def chat(_: Request, reply: Reply) -> None:
        await reply.events({"choices": [{"index": 0, part: {"role": "assistant", "content": "Sure!"}}]})

    llama_cpp(stub).routes["/v1/completions"] = chat
    assert "answers as a chat does: name a server that has /v1/completions" in await refusal(stub.url + option)


async def test_a_listed_model_for_chats_is_not_called_unknown(stub: Stub) -> None:
    stub.document("/v1/models", MODELS)
    said = "This is a chat model and not supported in the v1/completions endpoint."  # OpenAI's, with status 404
    stub.document("/v1/completions", {"error": {"message": said, "type": "invalid_request_error"}}, 404)
    line = await refusal(stub.url + "#qwen2.5-coder")
    assert "has no model" not in line and "chats only" in line and said in line
