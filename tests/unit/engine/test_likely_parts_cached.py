"""Answers from the completion cache while the first token of a text is typed: its probability rises with each key."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator

import pytest

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer, Finish, Reason, Source
from tabspec.text import Document

LINE = "total = "
# Tokens with their probabilities, in turn.
TOKENS = (("count", 0.2), ("(rows)", 0.5), (" + rest", 0.9))
TEXT = "".join(token for token, _ in TOKENS)


class Constrained:
    """Writes `TOKENS` after `LINE`. With all but ``n`` characters of a token typed, its probability is p ** (n / size),
    as if each character excluded other tokens."""

    info = ModelInfo("constrained", "1", 4096)

    def __init__(self) -> None:
        self.asked = 0

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        typed = len(request.prefix) - len(LINE)
        end = 0
        for token, probability in TOKENS:
            end += len(token)
            if left := min(max(end - typed, 0), len(token)):
                logprob = math.log(probability) * left / len(token)
                yield Chunk(token[-left:], (1,), (logprob,), Usage(decoded=1))
        yield Chunk(finish=Finish.END)

    async def close(self) -> None:
        pass


def at(typed: int) -> EditContext:
    text = LINE + TEXT[:typed]
    return EditContext(Document("file:///a.py", text, "python"), len(text))


def answers(model: Constrained, typed: list[int], policy: Policy, least: float) -> list[Answer]:
    """The answers after so many characters typed, from one engine."""

    async def play() -> list[Answer]:
        engine = CompletionEngine(model, EngineConfig(policy=policy, min_probability=least))
        try:
            return [await engine.complete(at(count)) for count in typed]
        finally:
            await engine.close()

    return run_virtual(play())


@pytest.mark.parametrize("least", [0.05, 0.13, 0.3, 0.6])
def test_each_answer_while_typing_is_that_of_an_engine_without_a_cache(least: float) -> None:
    typed = list(range(len(TEXT)))
    served = answers(Constrained(), typed, Policy.CACHE, least)
    fresh = answers(Constrained(), typed, Policy.NONE, least)
    for one, other in zip(served, fresh, strict=True):
        assert one.reason == other.reason
        assert (one.suggestion and one.suggestion.text) == (other.suggestion and other.suggestion.text)


def test_a_withheld_text_is_computed_again_only_while_its_first_token_is_typed() -> None:
    model = Constrained()
    found = answers(model, [0, 0, 1, 4, 5, 6], Policy.CACHE, 0.3)
    assert [answer.reason for answer in found[:3]] == [Reason.WITHHELD] * 3
    assert found[1].cached and not found[2].cached
    assert found[3].suggestion is not None and found[3].source is Source.MODEL
    assert all(answer.source is Source.TYPE_THROUGH for answer in found[4:])
    assert model.asked == 3
