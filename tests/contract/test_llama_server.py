"""`HttpModel` against a real llama-server, and both against the model in this process.

With weights and KV cache in float32 on both sides, an exact answer must be the same text, but where the two best
tokens are as good as equal: sums in another order then decide otherwise. Such cases are found by their gap.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabspec.context import EditContext
from tabspec.lab.converters.gguf import Weights, export_gguf
from tabspec.models.http import HttpModel
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import Chunk, GenerationRequest, Model, StopRule
from tabspec.prompt.window import WindowSize, window
from tabspec.suggestion import Finish
from tabspec.text import Document
from tests.patience import PATIENCE
from tests.slow_llama import llama_server
from tests.tiny import CODE, OURS, byte_level, save_model
from tests.tools import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_hurry")]

EXACT_F32 = ("-ctk", "f32", "-ctv", "f32", "-fa", "off", "-c", "1024", "-a", "tabspec-tiny")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(
        tmp_path_factory.mktemp("tiny") / "model",
        byte_level(OURS),
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=1,
    )


@pytest.fixture(scope="module")
def url(tiny: Path) -> Iterator[str]:
    """A server with the tiny model, exported by the command line."""
    out = tiny.parent / "tiny.gguf"
    command = [sys.executable, "-m", "tabspec", "export", "gguf", str(tiny), str(out), "--weights", "f32"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    with llama_server(out, *EXACT_F32) as url:
        yield url


def questions(
    text: str, count: int, seed: int = 0, max_lines: int = 1, max_tokens: int = 24
) -> list[GenerationRequest]:
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        context = EditContext(Document("file:///w/a.py", text, "python"), rng.randrange(len(text)))
        shown = window(context, WindowSize(900, 200, 300))
        stop = StopRule(max_lines, max_tokens)
        found.append(GenerationRequest(shown.head, shown.forced, shown.suffix, "a.py", "python", stop=stop))
    return found


async def ask(model: Model, question: GenerationRequest) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("places", [1, pytest.param(3, marks=pytest.mark.nightly)])
async def test_exact_answers_equal_those_of_the_model_in_this_process(tmp_path: Path, places: int) -> None:
    """At so many places in each file of the engine."""
    out = tmp_path / "bundled.gguf"
    export_gguf(BUNDLED, out, Weights.F32)
    local = load_model(None, dtype="float32", device="cpu")
    assert isinstance(local, LocalModel)
    local.local.ngram_caches = None  # what the rest of the file says is mixed in in this process only
    texts = [
        file.read_text("utf-8") for file in sorted((REPOSITORY / "tests" / "fixtures" / "code" / "engine").glob("*.py"))
    ]
    asked = [question for i, text in enumerate(texts) for question in questions(text, places, seed=i)]
    same = 0
    with llama_server(out, *EXACT_F32) as url:
        model = HttpModel(f"{url}?tokenizer={BUNDLED}")
        for question in asked:
            there, here = await ask(model, question), await ask(local, question)
            equal = _same(there, here)
            same += equal
            if not equal:
                assert _gap(there, here) < TIE, (question.forced, text_of(there), text_of(here))
        await model.close()
    assert same >= 0.8 * len(asked)


def _same(there: list[Chunk], here: list[Chunk]) -> bool:
    """Whether two answers are the same text, but for where the budget of tokens cut them: the two programs may cut the
    line in progress into other tokens, and so spend more of the budget on it."""
    shorter, longer = sorted((there, here), key=lambda chunks: len(text_of(chunks)))
    cut = shorter[-1].finish is Finish.LENGTH
    return text_of(longer).startswith(text_of(shorter)) if cut else text_of(longer) == text_of(shorter)


# Two tokens whose log-probabilities are nearer than this are as good as equal: the rotary tables and sums of the two
# programs differ by about as much.
TIE = 0.02


def _gap(there: list[Chunk], here: list[Chunk]) -> float:
    """How far apart the two tokens are, in log-probability, at which two answers part."""
    pairs = [
        [pair for chunk in chunks for pair in zip(chunk.tokens, chunk.logprobs, strict=True)]
        for chunks in (there, here)
    ]
    for (token, logprob), (other, other_logprob) in zip(*pairs, strict=False):
        if token != other:
            return abs(logprob - other_logprob)
    return 0.0


async def test_typing_through_an_exact_answer_does_not_change_it(url: str) -> None:
    """Type-through is an equation with this server, too."""
    model = HttpModel(url)
    checked = 0
    for question in questions(CODE, 12, seed=2):
        whole = text_of(await ask(model, question))
        for typed in range(1, min(len(whole), 6)):
            if "\n" in whole[:typed]:
                break
            later = GenerationRequest(
                question.head, question.forced + whole[:typed], question.suffix, "a.py", stop=question.stop
            )
            rest = text_of(await ask(model, later))
            shorter = min(len(rest), len(whole) - typed)  # a later question has its own budget of tokens
            assert rest[:shorter] == whole[typed:][:shorter]
            checked += 1
    await model.close()
    assert checked > 20


async def test_first_tokens_and_chances_equal_those_of_the_model_in_this_process(url: str, tiny: Path) -> None:
    """Of a question whose line in progress is empty, so that both are asked behind the same tokens."""
    local = load_model(str(tiny), dtype="float32", device="cpu")
    assert isinstance(local, LocalModel)
    local.local.ngram_caches = None  # what the rest of the file says is mixed in in this process only
    model = HttpModel(f"{url}?tokenizer={tiny}")
    head, told = CODE[: CODE.index("def add")], 0
    for cut in range(20, len(head), 20):
        question = GenerationRequest(head[:cut], "", "\n", "a.py", beginnings=8)
        there, here = await ask(model, question), await ask(local, question)
        likely = {each.text: each.logprob for chunk in here for each in chunk.beginnings}
        # Of a first token that ends the answer (one of the format's marks) the server tells nothing.
        found = [each for chunk in there for each in chunk.beginnings][:4]
        assert [each.logprob for each in found] == pytest.approx([likely[each.text] for each in found], abs=0.05)
        told += len(found) == 4
    assert told >= 5
    await model.close()


async def test_the_prompt_is_reused_from_one_request_to_the_next(url: str) -> None:
    model = HttpModel(url)
    question = questions(CODE, 1, seed=3)[0]
    await ask(model, question)
    typed = GenerationRequest(question.head, question.forced + "x", question.suffix, "a.py", stop=question.stop)
    chunks = await ask(model, typed)
    reused = sum(chunk.usage.reused for chunk in chunks)
    head = sum(chunk.usage.prefill for chunk in chunks[:1])
    assert reused > 0 and head <= 2, "only the end of the prompt is computed again"
    await model.close()


async def test_closing_an_answer_frees_the_slot(url: str) -> None:
    """Before the answer's end, as the tokens in the slot tell: at the first try that is quicker than the server."""
    model = HttpModel(url + "?exact=off")
    question = GenerationRequest(CODE[:200], "\nx = ", "", stop=StopRule(max_lines=64, max_tokens=800))
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client, asyncio.timeout(PATIENCE):
        await ask(model, question)
        whole = await tokens_in_the_free_slot(client)
        while True:
            chunks = model.stream(question)
            await anext(chunks)
            await chunks.aclose()
            if await tokens_in_the_free_slot(client) < whole:
                break
    await model.close()


async def tokens_in_the_free_slot(client: httpx.AsyncClient) -> int:
    """Wait until the server's slot is free, and return the number of tokens of prompt and answer in it."""
    while True:
        (slot,) = (await client.get("/slots")).json()
        if not slot["is_processing"]:
            return int(slot["n_prompt_tokens"])
        await asyncio.sleep(0.005)  # a real server, which has to be polled


@pytest.mark.parametrize("api", ["infill", "completions&exact=off"])
async def test_each_api_gives_an_answer(url: str, api: str) -> None:
    model = HttpModel(f"{url}?api={api}")
    chunks = await ask(model, questions(CODE, 1, seed=4)[0])
    assert chunks[-1].finish is not None and sum(chunk.usage.decoded for chunk in chunks) >= 1
    assert all(len(chunk.tokens) == len(chunk.logprobs) for chunk in chunks)
    assert all(token >= 0 for chunk in chunks for token in chunk.tokens)
    await model.close()


async def test_connecting_reads_what_the_server_is(url: str, tiny: Path) -> None:
    model = HttpModel(url)
    server = await model.connect()
    assert (server.kind, server.model, server.slots, server.format) == ("llama.cpp", "tabspec-tiny", 1, "tabspec")
    assert server.context == 1024
    assert server.vocabulary == json.loads((tiny / "config.json").read_text())["vocab_size"]
    assert len(server.marks) == 5, "file, prefix, suffix, end of middle, related"
    await model.close()


def test_the_command_line_completes_with_a_server(url: str, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def greet(name):\n    return ")
    command = ["complete", str(file), "--line", "2", "--column", "12", "--model", url]
    done = subprocess.run(
        [sys.executable, "-m", "tabspec", *command], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_key_is_an_error_message(tiny: Path, url: str) -> None:
    with llama_server(tiny.parent / "tiny.gguf", "--api-key", "right", "-c", "512") as locked:

        async def play() -> str:
            model = HttpModel(locked, key="wrong")
            try:
                await ask(model, questions(CODE, 1)[0])
            except Exception as error:
                return str(error)
            finally:
                await model.close()
            return ""

        assert "refuses the key" in asyncio.run(play())


def test_the_tokens_of_an_exported_model_are_the_tokenizers(bundled_on_llama: str) -> None:
    """llama.cpp cuts text by a pre-tokenizer of its own: how often otherwise than ours (docs/guide/servers.md)."""
    from tokenizers import Tokenizer

    ours = Tokenizer.from_file(str(BUNDLED / "tokenizer.json"))
    tokens = differ = 0
    for file in sorted((REPOSITORY / "tests" / "fixtures" / "code").rglob("*.py"))[:30]:
        text = file.read_text("utf-8")
        here: list[int] = ours.encode(text, add_special_tokens=False).ids
        asked = httpx.post(bundled_on_llama + "/tokenize", json={"content": text}, timeout=PATIENCE)
        there: list[int] = asked.json()["tokens"]
        tokens += len(here)
        differ += _different(here, there)
    assert tokens > 20_000 and differ / tokens < 0.005, json.dumps({"tokens": tokens, "differ": differ})


def _different(here: list[int], there: list[Any]) -> int:
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(a=here, b=there, autojunk=False)
    return len(here) - sum(block.size for block in matcher.get_matching_blocks())
