"""The log-probabilities of a text do not depend on what the KV cache holds of the text typed before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tabspec.models.load import load_model
from tabspec.models.local.generation import LocalDecoding, generate
from tabspec.models.local.model import LocalModel
from tabspec.models.local.slots import Slots
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import canonical_cut
from tests import tiny


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalDecoding:
    folder: Path = tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS), "llama")
    model = load_model(str(folder), device="cpu", dtype="float32")
    assert isinstance(model, LocalModel)
    return model.local


def fresh(local: LocalDecoding) -> LocalDecoding:
    """The same model with an empty KV cache."""
    return replace(local, slots=Slots(local.decoder))


def ask(document: str, at: int) -> GenerationRequest:
    cut = canonical_cut(document[:at])
    return GenerationRequest(document[:cut], document[cut:at], document[at:], "a.py", stop=StopRule(3, 24))


def tokens(local: LocalDecoding, request: GenerationRequest) -> list[tuple[str, float]]:
    """The text and the log-probability of each token."""

    async def run() -> list[tuple[str, float]]:
        return [(chunk.text, chunk.logprobs[0]) async for chunk in generate(local, request) if chunk.logprobs]

    return asyncio.run(run())


@pytest.mark.parametrize("at", range(30, len(tiny.CODE), 60))
def test_a_token_of_which_the_beginning_is_typed_has_the_log_probability_among_those_that_agree(
    local: LocalDecoding, at: int
) -> None:
    """So the first token gets more likely with each of its characters, in a KV cache that is used on as in an empty
    one."""
    used = fresh(local)
    text = "".join(text for text, _ in tokens(used, ask(tiny.CODE, at)))
    for typed in range(1, min(len(text), 12)):
        document = tiny.CODE[:at] + text[:typed] + tiny.CODE[at:]
        request = ask(document, at + typed)
        anew = tokens(fresh(local), request)
        assert [text for text, _ in tokens(used, request)] == [text for text, _ in anew]
        assert [p for _, p in tokens(used, request)] == pytest.approx([p for _, p in anew], abs=1e-4)
