"""Generations decoded together: the same answers in fewer passes, and the foreground before everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.errors import ModelError
from tabspec.models.decoders.llama import LlamaDecoder
from tabspec.models.load import load_model
from tabspec.models.local.batching import DecodeBatcher
from tabspec.models.local.logits import Logits
from tabspec.models.local.model import LocalModel
from tabspec.models.local.slots import SEQUENCES
from tabspec.models.process.serving import Serving
from tabspec.models.protocol import CHUNK_AHEAD, Chunk, GenerationRequest, StopRule, slots_of
from tabspec.prompt.window import canonical_cut
from tests import tiny
from tests.examples import examples

PLACES = [tiny.CODE.index(text) for text in ("not name", "return f", "self.count = 0", "value: int", "print(i")]


class Watched(LlamaDecoder):
    """Keeps of each pass how many sequences were in it, and how many tokens it had."""

    passes: list[tuple[int, int]]
    error: Exception | None = None

    def forward(self, kv: Any, tokens: Sequence[int], want: int) -> Logits:
        return self.forward_batch([(kv, tokens)], want)[0]

    def forward_batch(self, batch: Sequence[tuple[Any, Sequence[int]]], want: int) -> list[Logits]:
        self.passes.append((len(batch), sum(len(tokens) for _, tokens in batch)))
        if self.error:
            raise self.error
        return super().forward_batch(batch, want)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS))


def model_of(folder: Path) -> tuple[LocalModel, Watched]:
    model = load_model(str(folder), device="cpu", dtype="float32")
    assert isinstance(model, LocalModel)
    decoder = model.local.decoder
    decoder.__class__ = Watched
    assert isinstance(decoder, Watched)
    decoder.passes = []
    return model, decoder


def ask(at: int, foreground: bool = False) -> GenerationRequest:
    cut = canonical_cut(tiny.CODE[:at])
    stop = StopRule(3, 24)
    return GenerationRequest(
        tiny.CODE[:cut], tiny.CODE[cut:at], tiny.CODE[at:], "a.py", stop=stop, foreground=foreground
    )


async def read(model: LocalModel, request: GenerationRequest) -> str:
    async with aclosing(model.stream(request)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[int, str]:
    """The answers, each from a model with nothing in its KV slots."""
    model, _ = model_of(folder)
    answers = {}
    for at in PLACES:
        model.local.slots.clear()
        answers[at] = asyncio.run(read(model, ask(at)))
    return answers


async def test_several_generations_share_one_pass(folder: Path, alone: dict[int, str]) -> None:
    model, decoder = model_of(folder)
    assert slots_of(model) == SEQUENCES
    model.local.drafts = tiny.NoDrafts()  # guesses that are right end an answer in few passes
    places = sorted(PLACES, key=lambda at: len(alone[at]))[-3:]  # of the longest answers, so that they meet
    for at in places:
        await read(model, ask(at))
    singly, decoder.passes = len(decoder.passes), []
    model.local.slots.clear()
    await asyncio.gather(*(read(model, ask(at)) for at in places))
    assert max(sequences for sequences, _ in decoder.passes) == 3
    assert len(decoder.passes) < singly


@settings(max_examples=examples(20))
@given(st.data())
def test_answers_equal_those_of_each_generation_alone(folder: Path, alone: dict[int, str], data: st.DataObject) -> None:
    """Whatever runs beside, begins late, or is cancelled at any moment; and what was cancelled is answered anew."""
    model, _ = model_of(folder)
    places = data.draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=6))
    late = [data.draw(st.integers(0, 12)) for _ in places]
    cancelled = [data.draw(st.none() | st.integers(0, 40)) for _ in places]
    foreground = [data.draw(st.booleans()) for _ in places]

    async def one(number: int) -> None:
        for _ in range(late[number]):
            await asyncio.sleep(0)
        request = ask(places[number], foreground[number])
        task = asyncio.create_task(read(model, request))
        if (turns := cancelled[number]) is not None:
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.cancel():
                await asyncio.wait([task])
                task = asyncio.create_task(read(model, request))
        assert await task == alone[places[number]]

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in range(len(places))))
        for slot in model.local.slots.all():
            assert slot.kv.length == len(slot.tokens)
            assert not slot.busy

    asyncio.run(run())


async def test_a_speculation_requested_in_the_foreground_continues(folder: Path, alone: dict[int, str]) -> None:
    """As the scheduler does it when a request joins: a cancel, and the same request with the text so far."""
    model, decoder = model_of(folder)
    sent: dict[object, list[Chunk]] = {1: [], 2: []}

    begun, ended = asyncio.Event(), asyncio.Event()

    def send(number: object, what: Chunk | Exception) -> None:
        assert isinstance(what, Chunk)
        sent[number].append(what)
        if sum(len(chunk.tokens) for chunk in sent[1]) == 4:
            begun.set()
        if what.finish:
            ended.set()

    serving, at = Serving(model, send), PLACES[2]
    serving.start(1, ask(at))
    await begun.wait()
    before = sum(tokens for _, tokens in decoder.passes)
    written = "".join(chunk.text for chunk in sent[1])
    serving.cancelled.add(1)
    serving.cancel(1)
    serving.start(2, replace(ask(at, foreground=True), resume=written))
    await ended.wait()
    texts = [chunk.text for chunk in sent[2]]
    assert written + "".join(texts) == alone[at]
    whole = sum(tokens for _, tokens in decoder.passes)
    model, decoder = model_of(folder)
    await read(model, ask(at))
    assert whole <= sum(tokens for _, tokens in decoder.passes) + 4  # no prompt is computed again
    assert before < whole


async def test_a_foreground_generation_waits_for_one_pass_at_most(folder: Path, alone: dict[int, str]) -> None:
    model, decoder = model_of(folder)
    ahead = [asyncio.create_task(read(model, ask(at))) for at in PLACES[:3]]
    for _ in range(8):
        await asyncio.sleep(0)
    assert decoder.passes
    before = len(decoder.passes)
    text = await read(model, ask(PLACES[3], foreground=True))
    during = decoder.passes[before:]
    assert not all(task.done() for task in ahead)  # else there would be nothing to wait for
    assert sum(sequences for sequences, _ in during[1:]) == len(during) - 1  # alone in all passes but perhaps the first
    assert text == alone[PLACES[3]]
    assert await asyncio.gather(*ahead) == [alone[at] for at in PLACES[:3]]


async def test_others_continue_after_a_foreground_generation_is_abandoned(folder: Path, alone: dict[int, str]) -> None:
    model, _ = model_of(folder)
    front = model.stream(ask(PLACES[0], foreground=True))
    await anext(front)
    ahead = asyncio.create_task(read(model, ask(PLACES[1])))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not ahead.done()
    await front.aclose()
    assert await ahead == alone[PLACES[1]]


async def test_a_pass_that_fails_fails_all_of_its_generations(folder: Path, alone: dict[int, str]) -> None:
    model, decoder = model_of(folder)
    decoder.error = RuntimeError("out of memory")
    found = await asyncio.gather(*(read(model, ask(at)) for at in PLACES[:2]), return_exceptions=True)
    assert [type(each) for each in found] == [ModelError, ModelError]
    decoder.error = None
    assert await read(model, ask(PLACES[0])) == alone[PLACES[0]]


async def test_the_result_of_a_pass_is_kept_when_its_generation_is_cancelled(folder: Path) -> None:
    """A request that comes for what was asked ahead finds the keys and values there."""
    model, decoder = model_of(folder)
    request = ask(PLACES[3])
    task = asyncio.create_task(read(model, request))
    forward = decoder.forward_batch

    def cancelled_meanwhile(batch: Sequence[tuple[Any, Sequence[int]]], want: int) -> list[Logits]:
        asyncio.get_running_loop().call_soon(task.cancel)  # arrives meanwhile, and is heard at the end of the pass
        return forward(batch, want)

    decoder.forward_batch = cancelled_meanwhile  # type: ignore[method-assign]
    await asyncio.wait([task])
    decoder.forward_batch = forward  # type: ignore[method-assign]
    (slot,) = model.local.slots.all()
    assert task.cancelled() and slot.kv.length == len(slot.tokens) == CHUNK_AHEAD
    async with aclosing(model.stream(request)) as chunks:
        first = await anext(chunks)
    assert first.usage.reused == CHUNK_AHEAD


async def test_a_speculation_computes_its_prompt_in_pieces(folder: Path) -> None:
    model, decoder = model_of(folder)
    long = GenerationRequest(tiny.CODE * 3, "", "", "a.py", stop=StopRule(1, 2), foreground=False)
    await read(model, long)
    assert max(tokens for _, tokens in decoder.passes) <= CHUNK_AHEAD < sum(tokens for _, tokens in decoder.passes)


async def test_a_pass_that_was_cancelled_before_it_began_is_not_run() -> None:
    """Its task has not heard of the cancel yet, so the pass is still in line."""
    ran: list[str] = []

    class Decoder:
        def forward(self, kv: str, tokens: Sequence[int], want: int) -> str:
            ran.append(kv)
            return "logits"

    batcher = DecodeBatcher(Decoder())  # type: ignore[arg-type]
    cancelled, other = (asyncio.create_task(batcher.forward(kv, [1], 1, foreground=True)) for kv in ("a", "b"))
    await asyncio.sleep(0)  # both have asked
    cancelled.cancel()
    for _ in range(4):
        await asyncio.sleep(0)
    assert ran == ["b"] and cancelled.cancelled() and other.done() and other.result() == "logits"  # type: ignore[comparison-overlap]
