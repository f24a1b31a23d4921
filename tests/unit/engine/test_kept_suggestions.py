"""A completion-cache entry keeps the suggestion for its own state; at other states the text is fitted again."""

from __future__ import annotations

import asyncio

import pytest

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.offering import Offering
from tabspec.fitting.truncation import FitPlace
from tabspec.models.scripted.model import ScriptedModel
from tabspec.suggestion import GeneratedText, Reason, Source, Suggestion
from tabspec.text import Document


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were post-processed."""
    texts: list[str] = []
    original = Offering._fit

    def counted(self: Offering, place: FitPlace, generated: GeneratedText, least: float) -> Suggestion | Reason:
        texts.append(generated.text)
        return original(self, place, generated, least)

    monkeypatch.setattr(Offering, "_fit", counted)
    return texts


async def test_a_hit_at_the_same_state_is_not_fitted_again(fitted: list[str]) -> None:
    engine = CompletionEngine(ScriptedModel({"x = ": "call(a)"}), EngineConfig(policy=Policy.CACHE))
    context = EditContext(Document("file:///a.py", "x = "), 4)
    first = await engine.complete(context)
    again = await engine.complete(context)
    assert again.source is Source.EXACT and again.suggestions == first.suggestions
    assert fitted == ["call(a)"]
    typed = await engine.complete(context.after_typing("call"))
    assert typed.source is Source.TYPE_THROUGH and typed.suggestion and typed.suggestion.text == "(a)"
    assert fitted == ["call(a)", "(a)"]
    await engine.close()


async def test_the_suggestion_after_an_accept_is_fitted_before_it_is_requested(fitted: list[str]) -> None:
    answers = {"x = ": "f(a)", "x = f(a)": "\ny = g(b)"}
    engine = CompletionEngine(ScriptedModel(answers), EngineConfig(policy=Policy.CHAIN, depth=2))
    context = EditContext(Document("file:///a.py", "x = "), 4)
    answer = await engine.complete(context)
    assert answer.suggestion
    engine.shown(context, answer.suggestion)
    for _ in range(1000):  # turns of the event loop
        if not any(engine.in_flight):
            break
        await asyncio.sleep(0)
    before = len(fitted)
    following = await engine.complete(context.after_accept(answer.suggestion))
    assert following.source is Source.SPECULATED and following.suggestion
    assert len(fitted) == before
    await engine.close()


async def test_a_rejected_text_is_not_offered_from_a_kept_suggestion(fitted: list[str]) -> None:
    engine = CompletionEngine(ScriptedModel({"x = ": "call(a)"}), EngineConfig(policy=Policy.CACHE))
    context = EditContext(Document("file:///a.py", "x = "), 4)
    answer = await engine.complete(context)
    assert answer.suggestion
    engine.rejected(context, answer.suggestion)
    assert (await engine.complete(context)).suggestion is None
    await engine.close()
