"""The bundled model and a server, chosen by one setting: each feature is tested with both by the same code.

The server is a real llama-server with the bundled model as GGUF (q8_0), named as `--model` would name it. What differs
is in docs/guide/servers.md, and held at the end.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.lab.benches.http import measure
from tabspec.models.http import HttpModel
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import Chunk, GenerationRequest, Model, RelatedText, StopRule, slots_of
from tabspec.suggestion import Answer, Finish, Source, Suggestion
from tabspec.text import Document
from tests.patience import PATIENCE

IN_DOUBT = (Finish.CONFIDENCE, Finish.MID_WORD)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_hurry")]

CODE = """class Vector:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __repr__(self):
        return f"Vector({self.x}, {self.y})"

    def __eq__(self, other):
        return self.x == other.x and self.y == other.y

    def __add__(self, other):
        """


@pytest.fixture
def address(bundled_on_llama: str) -> str:
    return f"{bundled_on_llama}?tokenizer={BUNDLED}"


@pytest.fixture(params=["bundled", "server"])
async def model(request: pytest.FixtureRequest, address: str) -> AsyncIterator[Model]:
    """The setting is the only difference."""
    model = load_model(address if request.param == "server" else "bundled")
    if isinstance(model, HttpModel):
        await model.connect()  # as the language server does: what it is then told of the model is in the cache's keys
    yield model
    await model.close()


def at(text: str = CODE) -> EditContext:
    return EditContext(Document("file:///w/vector.py", text, "python"), len(text))


async def settled(engine: CompletionEngine) -> None:
    async with asyncio.timeout(PATIENCE):
        while sum(engine.in_flight):  # noqa: ASYNC110 (nothing signals that they are done)
            await asyncio.sleep(0.005)


async def ask(model: Model, question: GenerationRequest) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


async def offered(engine: CompletionEngine, context: EditContext) -> tuple[Answer, Suggestion]:
    answer = await engine.complete(context)
    assert answer.suggestion, (answer.source, answer.reason, answer.detail)
    return answer, answer.suggestion


async def test_suggestions_can_be_typed_through_and_the_next_one_follows_an_accept(model: Model) -> None:
    engine, code = CompletionEngine(model, EngineConfig(), slots=slots_of(model)), CODE + "return "
    first, suggestion = await offered(engine, at(code))
    assert first.source is Source.MODEL
    typing = range(1, min(len(suggestion.text), 9))
    assert len(typing) >= 3, "there is something to type through"
    for typed in typing:
        through, rest = await offered(engine, at(code + suggestion.text[:typed]))
        assert through.source is Source.TYPE_THROUGH and rest.text == suggestion.text[typed:]
    await engine.complete(at(code))
    engine.shown(at(code), suggestion)
    await settled(engine)
    after = at(code).after_accept(suggestion)
    answer = await engine.complete(after)
    assert answer.cached or answer.source in (Source.EXACT, Source.SPECULATED), "Tab: it is there already"
    fresh = CompletionEngine(model, EngineConfig())
    anew = await fresh.complete(after)
    assert (answer.suggestion and answer.suggestion.text) == (anew.suggestion and anew.suggestion.text)
    await engine.close()
    await fresh.close()


async def test_a_word_half_typed_is_decoded_under_a_constraint(model: Model) -> None:
    """Behind the first characters of what it writes it writes the rest, though their tokens do not begin those of the
    whole word. Each question goes to a new engine, which has nothing to type through."""
    config = EngineConfig(min_token_probability=0.0, min_probability=0.0)

    async def written(half: str) -> str:
        engine = CompletionEngine(model, config)
        _, suggestion = await offered(engine, at(CODE + half))
        await engine.close()
        return half + suggestion.text

    whole = await written("")
    assert len(whole) > 7
    for typed in range(1, 7):
        again = await written(whole[:typed])
        assert again.startswith(whole) or whole.startswith(again), "but for the budget of tokens"


async def test_a_suggestion_ends_where_the_model_is_uncertain(model: Model) -> None:
    texts = []
    for least in (0.0, 0.9):
        config = EngineConfig(min_token_probability=least, min_probability=0.0)
        engine = CompletionEngine(model, config)
        answer = await engine.complete(at(CODE[: CODE.index("self.x = x") + 7]))
        # a text that ends where no person would stop is not offered
        texts.append(answer.suggestion.text if answer.suggestion else "")
        doubted = answer.suggestion is None or answer.suggestion.finish in IN_DOUBT
        await engine.close()
    assert texts[0] and texts[0].startswith(texts[1]) and (doubted or texts[0] == texts[1])
    chunks = await ask(model, GenerationRequest(CODE, "", "\n", "a.py", stop=StopRule(3, 24, math.log(0.999))))
    assert chunks[-1].finish in IN_DOUBT


async def test_suggestions_have_the_probability_of_their_tokens(model: Model) -> None:
    engine = CompletionEngine(model, EngineConfig())
    _, suggestion = await offered(engine, at(CODE + "return V"))
    assert suggestion.probability is not None and suggestion.logprob is not None
    assert suggestion.probability == pytest.approx(math.exp(suggestion.logprob))
    await engine.close()


async def test_there_are_alternatives(model: Model) -> None:
    engine = CompletionEngine(model, EngineConfig(min_token_probability=0.0, min_probability=0.0))
    answer = await engine.complete(at("import os\n\n\nclass A:\n    def __"), most=3)
    texts = [suggestion.text for suggestion in answer.suggestions]
    assert len(texts) >= 2 and len(set(texts)) == len(texts)
    await engine.close()


async def test_related_code_is_part_of_the_prompt(model: Model) -> None:
    related = (RelatedText("util.py", "def frobnicate_the_widget(widget):\n    return widget\n"),)
    head = "from util import frobnicate_the_widget\n\n\nwidget = 1\n"
    sizes = []
    for shown in ((), related):
        question = GenerationRequest(head, "", "\n", "a.py", "python", related=shown, stop=StopRule(1, 8))
        chunks = await ask(model, question)
        sizes.append(sum(chunk.usage.prefill + chunk.usage.reused for chunk in chunks))
    assert sizes[1] > sizes[0] + 10


async def test_a_resumed_answer_continues_and_a_closed_one_frees_its_slot(model: Model) -> None:
    question = GenerationRequest(CODE, "", "\n", "a.py", "python", stop=StopRule(1, 24))
    whole = "".join(chunk.text for chunk in await ask(model, question))
    resumed = GenerationRequest(CODE, "", "\n", "a.py", "python", stop=StopRule(1, 24), resume=whole[:7])
    assert whole[:7] + "".join(chunk.text for chunk in await ask(model, resumed)) == whole
    stream = model.stream(GenerationRequest(CODE, "", "", "a.py", stop=StopRule(64, 400)))
    await anext(stream)
    await stream.aclose()
    again = await ask(model, question)  # the slot is free, and the prompt's keys and values are there
    assert "".join(chunk.text for chunk in again) == whole
    assert sum(chunk.usage.reused for chunk in again) > 0


async def test_the_benchmark_measures_our_overhead_and_the_time_to_free_a_slot(address: str) -> None:
    """Figures need a quiet machine (docs/benchmarks); that an answer goes on without a reader would be seen here:
    500 tokens take more than a second."""
    result = await measure(address.partition("?")[0] + "?exact=off", 5, 4)
    figures = result["ms"]
    assert result["counted"] >= 2 and result["closed"] >= 2
    assert 0 < figures["over the server's own time"]["p50"] <= figures["a request"]["max"]
    assert figures["from a closed answer to a free slot"]["p50"] < 500


async def test_only_the_model_in_this_process_has_recall(address: str) -> None:
    """Recall looks at the whole file with the model's own distribution, which a server does not give away."""
    local, server = load_model("bundled"), load_model(address)
    assert isinstance(local, LocalModel) and local.local.ngram_caches is not None
    assert isinstance(server, HttpModel) and not hasattr(server, "local")
    await server.close()
    await local.close()
