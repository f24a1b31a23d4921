"""The edit model on a server, tested with stubs that answer as llama.cpp, vLLM, Ollama and Mercury do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tabspec.config import EditForm
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.edit_protocol import EditAnswer, EditRequest, PastEdit, RegionSize
from tabspec.models.http import HttpModel
from tabspec.models.http.edits import HttpEditModel
from tabspec.models.http.edits.sweep import prompt
from tabspec.models.http.leaving import SecretFound
from tabspec.models.protocol import RelatedText, Usage
from tests.edit_requests import NEW, REGION, REQUEST
from tests.patience import PATIENCE
from tests.stub_server import Reply, Request, Stub, infill_events, llama_cpp, ollama, openai_events, running, vllm

PATH = "/v1/completions"
SWEEP = "sweep-next-edit-1.5b.q8_0.v2.gguf"
SECRET = 'key = "AKIAIOSFODNN7EXAMPLE"\n'


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running(Stub()) as started:
        yield started


async def ask(url: str, request: EditRequest = REQUEST, form: EditForm = EditForm.AUTO) -> EditAnswer:
    model = HttpEditModel(HttpModel(url), form)
    try:
        return await model.edit(request)
    finally:
        await model.close()


def answering(stub: Stub, *texts: str, finish: str | None = "stop", path: str = PATH) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*openai_events(*texts, finish=finish))

    stub.routes[path] = answer


async def test_llama_cpp_is_asked_in_the_format_of_its_model(stub: Stub) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.start()
        for event in infill_events(NEW[:10], NEW[10:], cached=31):
            await reply.event(event)
        await reply.end()

    llama_cpp(stub, SWEEP).routes[PATH] = answer
    found = await ask(stub.url)
    assert found.change and found.change.apply(REGION) == NEW
    assert found.logprobs == (-0.25, -0.25) and found.usage == Usage(20, 31, 2)
    (asked,) = stub.asked(PATH)
    assert asked.body["prompt"] == prompt(REQUEST) and asked.body["stop"] == ["<|file_sep|>", "<|endoftext|>", "</s>"]
    assert asked.body["cache_prompt"] is True and asked.body["temperature"] == 0
    assert "priority" not in asked.body and asked.body["max_tokens"] > len(REGION) / 4


async def test_vllm_serves_speculation_after_what_an_editor_waits_for(stub: Stub) -> None:
    vllm(stub, "sweepai/sweep-next-edit-7B")
    answering(stub, NEW)
    await ask(stub.url)
    await ask(stub.url, replace(REQUEST, foreground=False))
    assert ["priority" in asked.body for asked in stub.asked(PATH)] == [False, True]


async def test_ollama_is_asked_without_its_template(stub: Stub) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json(
            {"response": NEW, "done": True, "done_reason": "stop", "prompt_eval_count": 50, "eval_count": 9}
        )

    ollama(stub, "hf.co/sweepai/sweep-next-edit-1.5b").routes["/api/generate"] = answer
    found = await ask(stub.url)
    assert found.change and found.change.apply(REGION) == NEW and found.usage == Usage(50, 0, 9)
    (asked,) = stub.asked("/api/generate")
    assert asked.body["raw"] is True and asked.body["stream"] is False and asked.body["prompt"] == prompt(REQUEST)


async def test_mercury_is_asked_by_a_message_and_answers_with_a_fenced_block(stub: Stub) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        message = {"role": "assistant", "content": f"```\n{NEW}```"}
        usage = {"prompt_tokens": 70, "completion_tokens": 20}
        await reply.json({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})

    stub.routes["/v1/edit/completions"] = answer
    found = await ask(f"{stub.url}#mercury-edit")
    assert found.change and found.change.apply(REGION) == NEW and found.logprobs == ()
    (asked,) = stub.asked("/v1/edit/completions")
    assert asked.body["model"] == "mercury-edit" and "<|code_to_edit|>" in asked.body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("model", "form", "answer"),
    [
        ("zeta.gguf", EditForm.AUTO, f"<|editable_region_start|>\n{NEW}"),
        ("zeta-2.gguf", EditForm.AUTO, NEW),
        ("zeta-2.1.gguf", EditForm.AUTO, f"<|marker_1|>{NEW}<|marker_2|>"),
        ("instinct.gguf", EditForm.AUTO, NEW),
        ("my-own.gguf", EditForm.ZETA2, NEW),
        ("zeta-2.gguf", EditForm.SWEEP, NEW),  # what is set counts
    ],
)
async def test_each_format_reads_its_answer(stub: Stub, model: str, form: EditForm, answer: str) -> None:
    llama_cpp(stub, model)
    answering(stub, *(answer[at : at + 5] for at in range(0, len(answer), 5)))
    found = await ask(stub.url, form=form)
    assert found.change and found.change.apply(REGION) == NEW


@pytest.mark.parametrize("token", ["<|file_sep|>", "<|user_cursor|>", "<|marker_1|>", "=======", "<filename>"])
@pytest.mark.parametrize("model", [SWEEP, "zeta.gguf", "zeta-2.gguf", "instinct.gguf"])
async def test_a_model_that_repeats_the_region_changes_nothing(stub: Stub, model: str, token: str) -> None:
    """Also where special tokens stand in it: the server's own copy of the region comes back."""
    region = f"{token}\nx = 1\n"

    async def repeat(request: Request, reply: Reply) -> None:
        told = request.body["prompt"].replace("<|user_cursor|>", "").replace("<|user_cursor_is_here|>", "")
        begin = max(told.rfind("editable_region_start|>\n"), told.rfind("CURRENT\n"), told.rfind("current/shop.py:"))
        begin = told.index("\n", begin) + 1
        text = told[begin : told.index("x = 1\n", begin)] + "x = 1\n"
        opened = "<|editable_region_start|>\n" if model.startswith("zeta.") else ""
        await reply.events(*openai_events(opened + text))

    llama_cpp(stub, model).routes[PATH] = repeat
    assert (await ask(stub.url, replace(REQUEST, region=region, cursor=0))).change is None


async def test_half_an_answer_is_no_edit(stub: Stub) -> None:
    """A region that is cut off would delete what was not reached."""
    llama_cpp(stub, SWEEP)
    answering(stub, NEW[:20], finish="length")
    assert (await ask(stub.url)).change is None


async def test_an_answer_that_breaks_off_is_a_failure(stub: Stub) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.start()
        await reply.event(openai_events(NEW[:20], "x")[0])
        await reply.end()

    llama_cpp(stub, SWEEP).routes[PATH] = answer
    with pytest.raises(ModelUnavailable, match="broke off"):
        await ask(stub.url)


@pytest.mark.parametrize(
    "line", ["a\n", pytest.param("", marks=pytest.mark.slow), "x" * 500, "```\n", "<|marker_1|>", " "]
)
@pytest.mark.parametrize("model", [SWEEP, "zeta.gguf", "zeta-2.gguf", "zeta-2.1.gguf", "instinct.gguf"])
async def test_a_server_that_does_not_stop_is_left_early(stub: Stub, model: str, line: str) -> None:
    """Whatever it writes: the answer is not compared with the region line by line."""

    async def answer(_: Request, reply: Reply) -> None:
        await reply.start()
        for _ in range(5000):
            await reply.event(openai_events(line * 40, "x")[0])
            await asyncio.sleep(0)  # the client is in this process, and reads now
            if reply.gone.is_set():
                return
        await reply.events()

    llama_cpp(stub, model).routes[PATH] = answer
    with pytest.raises(ModelError, match="stop writing" if line else "no answer that ends"):
        await ask(stub.url)


async def test_the_longest_answer_is_read_quickly(stub: Stub) -> None:
    """Lines that all are alike are the worst to compare."""
    region = "a\n" * 31
    llama_cpp(stub, SWEEP)
    answering(stub, "a\n" * 1000 + "b\n")
    found = await ask(stub.url, replace(REQUEST, region=region, cursor=0))
    assert found.change and found.change.apply(region) == "a\n" * 1000 + "b\n"


async def test_a_prompt_that_is_too_long_is_sent_shorter(stub: Stub) -> None:
    longest = 0

    async def answer(request: Request, reply: Reply) -> None:
        if len(request.body["prompt"]) > longest:
            await reply.json({"error": {"message": "the request exceeds the available context size"}}, 400)
        else:
            await reply.events(*openai_events(NEW))

    llama_cpp(stub, SWEEP).routes[PATH] = answer
    longest = len(prompt(replace(REQUEST, related=(), before="", after="")))
    found = await ask(stub.url)
    assert found.change and len(stub.asked(PATH)) == 3
    longest = 10
    with pytest.raises(ModelError, match="too long"):
        await ask(stub.url)


async def test_a_model_of_another_kind_is_an_error_or_is_not_asked(stub: Stub) -> None:
    llama_cpp(stub)
    with pytest.raises(ModelError, match="set edit_format to one of sweep, zeta") as caught:
        await ask(stub.url)
    assert "\n" not in str(caught.value)
    model = HttpEditModel(HttpModel(stub.url), optional=True)
    assert model.region == RegionSize(10, 10)  # not known yet
    assert (await model.edit(REQUEST)).change is None
    assert model.region is None
    await model.close()
    assert not stub.asked(PATH)


async def test_the_fingerprint_shows_model_and_format(stub: Stub) -> None:
    llama_cpp(stub, SWEEP)
    seen = set()
    for form in (EditForm.AUTO, EditForm.SWEEP, EditForm.ZETA):
        model = HttpEditModel(HttpModel(stub.url), form)
        await model.connect()
        assert model.info.name == SWEEP and model.slots == 1
        seen.add(model.info.fingerprint)
        await model.close()
    assert len(seen) == 2


async def test_a_server_that_fails_is_left_alone_for_a_while(stub: Stub) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"error": {"message": "out of memory"}}, 500)

    llama_cpp(stub, SWEEP).routes[PATH] = answer
    model = HttpEditModel(HttpModel(stub.url))
    for _ in range(3):
        with pytest.raises(ModelError, match="out of memory"):
            await model.edit(REQUEST)
    assert len(stub.asked(PATH)) == 1
    await model.close()


async def test_cancelling_stops_the_server(stub: Stub) -> None:
    gone = asyncio.Event()

    async def answer(_: Request, reply: Reply) -> None:
        await reply.start()
        await reply.event(openai_events("def", "x")[0])
        begun.set()
        await reply.gone.wait()
        gone.set()

    begun = asyncio.Event()
    llama_cpp(stub, SWEEP).routes[PATH] = answer
    model = HttpEditModel(HttpModel(stub.url))
    task = asyncio.create_task(model.edit(REQUEST))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(gone.wait(), PATIENCE)
    await model.close()


# --- what leaves this machine ---------------------------------------------------------------------------------------


class Elsewhere:
    """A server on another machine. Keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        data = await request.aread()
        if request.url.path == "/v1/models":
            entry: dict[str, Any] = {"id": "sweep-next-edit-7B", "owned_by": "vllm", "max_model_len": 32768}
            return httpx.Response(200, stream=httpx.ByteStream(json.dumps({"data": [entry]}).encode()))
        if request.method == "GET":
            return httpx.Response(404, stream=httpx.ByteStream(b"{}"))
        self.got.append((request.url.path, data))
        event = json.dumps(openai_events(NEW)[0])
        return httpx.Response(
            200,
            headers={"Content-Type": "text/event-stream"},
            stream=httpx.ByteStream(f"data: {event}\n\ndata: [DONE]\n\n".encode()),
        )


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> tuple[HttpEditModel, Elsewhere]:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = Elsewhere()
    transport = httpx.MockTransport(server)
    return HttpEditModel(HttpModel("https://model.invalid", transport=transport)), server


async def test_the_shown_request_is_the_sent_one(elsewhere: tuple[HttpEditModel, Elsewhere]) -> None:
    model, server = elsewhere
    await model.connect()
    preview = model.preview(REQUEST)
    assert preview.sent and not preview.secret and preview.url == "https://model.invalid/v1/completions"
    found = await model.edit(REQUEST)
    await model.close()
    assert found.change and server.got == [(PATH, preview.data)]


BEGIN = "-----BEGIN RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"before": SECRET},
        {"region": SECRET, "cursor": 0},
        {"after": SECRET},
        {"earlier": SECRET},
        {"history": (PastEdit("other.env", 0, SECRET, ""),)},
        {"history": (PastEdit("other.env", 0, "", SECRET),)},
        {"related": (RelatedText("other.py", SECRET),)},
        {"before": "MIIEowIBAAKCAQEAq1\n" * 3, "beyond": (BEGIN, "")},  # only a part of it would be shown
    ],
)
async def test_a_secret_in_any_part_is_not_sent(
    elsewhere: tuple[HttpEditModel, Elsewhere], changed: dict[str, Any]
) -> None:
    model, server = elsewhere
    request = replace(REQUEST, **changed)
    with pytest.raises(SecretFound):
        await model.edit(request)
    await model.connect()
    assert not model.preview(request).sent
    with pytest.raises(SecretFound):
        await model.edit(request)
    assert (await model.edit(REQUEST)).change  # other requests are sent
    await model.close()
    assert all(b"AKIA" not in data and b"MIIE" not in data for _, data in server.got)


async def test_a_server_on_this_machine_gets_it(stub: Stub) -> None:
    llama_cpp(stub, SWEEP)
    answering(stub, NEW)
    assert (await ask(stub.url, replace(REQUEST, before=SECRET))).change
