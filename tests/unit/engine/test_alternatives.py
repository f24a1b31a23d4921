"""Several suggestions: the first is that of an automatic request, and all depend on the document only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.alternatives import BEGINNINGS, LEAST_LOGPROB, is_new, joined
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.prompt_state import PromptState
from tabspec.errors import ModelError
from tabspec.fitting.postprocess import postprocess
from tabspec.models.protocol import Beginning, StopRule
from tabspec.models.scripted.model import ScriptedModel, WithOthers, letters, pseudo_random
from tabspec.prompt.window import WindowSize
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer, Finish, GeneratedText, Reason, Source, Suggestion
from tabspec.text import Document
from tests.examples import examples

T = TypeVar("T")

LETTERS = "ab(\n"
CONFIG = EngineConfig(policy=Policy.CHAIN, depth=2)


def at(text: str, offset: int | None = None) -> EditContext:
    return EditContext(Document("file:///a.py", text, "python"), len(text) if offset is None else offset)


def random_model(**fields: float) -> ScriptedModel:
    # An answer that ended at ``longest`` would go on once a part of it is typed; none has 40 characters.
    return ScriptedModel(pseudo_random(LETTERS, longest=40), token_chars=1, beginnings=letters(LETTERS), **fields)


def scripted(answers: dict[str, str], others: dict[str, list[str]], **fields: float) -> ScriptedModel:
    script = WithOthers(lambda request: answers.get(request.prefix, ""), others, token_chars=2)
    return ScriptedModel(script, token_chars=2, beginnings=script.beginnings, **fields)


def with_engine(
    model: ScriptedModel, work: Callable[[CompletionEngine], Awaitable[T]], config: EngineConfig = CONFIG
) -> T:
    """Do ``work`` with an engine of its own, in virtual time."""

    async def run() -> T:
        engine = CompletionEngine(model, config)
        try:
            return await work(engine)
        finally:
            await engine.close()

    return run_virtual(run())


def said(answer: Answer) -> list[str]:
    return [suggestion.text for suggestion in answer.suggestions]


# --- an oracle that knows no engine -----------------------------------------------------------------------------------


def written(model: ScriptedModel, context: EditContext) -> GeneratedText:
    """What the model writes at a state, asked afresh."""
    size = WindowSize(CONFIG.prefix_chars, CONFIG.suffix_chars, CONFIG.prefix_chars // 3)
    text, finish = model.answer(
        PromptState.of(context, size, "").request(StopRule(CONFIG.max_lines, CONFIG.max_tokens))
    )
    line_end = "\r\n" if "\r\n" in context.document.text else "\n"
    pieces = [text[i : i + model.token_chars].replace("\n", line_end) for i in range(0, len(text), model.token_chars)]
    ends = [len("".join(pieces[: i + 1])) for i in range(len(pieces))]
    return GeneratedText("".join(pieces), finish, tuple(ends), (model.logprob,) * len(pieces))


def oracle(model: ScriptedModel, context: EditContext, most: int) -> list[Suggestion]:
    """All suggestions of an explicit request, by asking anew at each state that a beginning leads to."""

    def offered(generated: GeneratedText) -> list[Suggestion]:
        suggestion = postprocess(context, generated)
        return [suggestion] if isinstance(suggestion, Suggestion) else []

    line_end = "\r\n" if "\r\n" in context.document.text else "\n"
    first = offered(written(model, context))
    others: list[Suggestion] = []
    texts = [suggestion.text for suggestion in first]
    for rank, letter in enumerate(LETTERS, 1):
        begun = Beginning(letter.replace("\n", line_end), rank * model.logprob)
        if any(text.startswith(begun.text) for text in texts) or len(first) + len(others) == most:
            continue
        generated = joined(begun, written(model, context.after_typing(begun.text)), StopRule(CONFIG.max_lines))
        texts.append(generated.text)
        others += [each for each in offered(generated) if is_new(each, [*first, *others])]
    return [*first, *sorted(others, key=lambda each: each.probability or 0, reverse=True)]


documents = st.lists(st.sampled_from(["a", "b", "(", ")", " ", "\n", "é", "🦊"]), max_size=12).map("".join)


@settings(max_examples=examples(150), deadline=None)
@given(documents, documents, st.booleans(), st.sampled_from([2, 3, 5]), st.sampled_from(list(Policy)))
def test_each_alternative_equals_a_fresh_answer(
    before: str, behind: str, crlf: bool, most: int, policy: Policy
) -> None:
    if crlf:
        before, behind = ("\n" + before).replace("\n", "\r\n"), behind.replace("\n", "\r\n")
    context, model = at(before + behind, len(before)), random_model()
    config = EngineConfig(policy=policy)

    async def work(engine: CompletionEngine) -> tuple[Answer, Answer, Answer]:
        automatic = await engine.complete(context)
        explicit = await engine.complete(context, most)
        for suggestion in explicit.suggestions:
            engine.shown(context, suggestion)
            await asyncio.sleep(1)
        return automatic, explicit, await engine.complete(context, most)

    automatic, explicit, again = with_engine(model, work, config)
    assert list(explicit.suggestions) == oracle(model, context, most)
    assert explicit.suggestions == again.suggestions
    assert automatic.suggestions == explicit.suggestions[: len(automatic.suggestions)]
    assert len({"".join(text.split()) for text in said(explicit)}) == len(explicit.suggestions) <= most


@settings(max_examples=examples(60), deadline=None)
@given(documents, st.lists(st.tuples(st.sampled_from("ab(\n"), st.floats(0, 0.2), st.booleans()), max_size=6))
def test_only_the_newest_request_is_answered(before: str, keys: list[tuple[str, float, bool]]) -> None:
    """A user who asks to choose and types on, at any moment: what is served is still the oracle's."""
    model = random_model(prefill_s=0.05, token_s=0.01)

    async def work(engine: CompletionEngine) -> tuple[list[Answer], EditContext]:
        context, asked = at(before), []
        for key, pause, explicit in keys:
            asked.append(asyncio.ensure_future(engine.complete(context, 3 if explicit else 1)))
            await asyncio.sleep(pause)
            context = context.after_typing(key)
            engine.changed(context)
        asked.append(asyncio.ensure_future(engine.complete(context, 3)))
        return list(await asyncio.gather(*asked)), context

    answers, context = with_engine(model, work)
    assert list(answers[-1].suggestions) == oracle(model, context, 3)
    assert all(answer.suggestions or answer.reason for answer in answers)
    assert model.running == 0


# --- single cases -----------------------------------------------------------------------------------------------------

ANSWERS = {"x": " = one"}
OTHERS = {"x": [" + two", " - three", ".four"]}


def test_an_automatic_request_computes_one_suggestion() -> None:
    model = scripted(ANSWERS, OTHERS)
    assert said(with_engine(model, lambda engine: engine.complete(at("x")))) == [" = one"]
    assert all(request.beginnings == 0 for request in model.requests)


def test_alternatives_are_computed_once() -> None:
    model = scripted(ANSWERS, OTHERS)

    async def work(engine: CompletionEngine) -> tuple[Answer, int, Answer]:
        first = await engine.complete(at("x"), 3)
        return first, len(model.requests), await engine.complete(at("x"), 3)

    first, asked, again = with_engine(model, work)
    assert said(first) == said(again) == [" = one", " + two", " - three"]
    assert len(model.requests) == asked
    assert again.source is Source.EXACT
    assert [request.beginnings for request in model.requests].count(BEGINNINGS) == 1


def test_unlikely_first_tokens_are_left_out() -> None:
    model = scripted(ANSWERS, OTHERS)
    model.logprob = LEAST_LOGPROB / 1.5  # of the three, the first only is likelier than that
    every = replace(CONFIG, min_probability=0.0)
    assert said(with_engine(model, lambda engine: engine.complete(at("x"), 5), every)) == [" = one", " + two"]


def test_a_newer_request_ends_the_search_and_stops_the_model() -> None:
    model = scripted(ANSWERS, OTHERS, prefill_s=1)

    async def work(engine: CompletionEngine) -> tuple[Answer, Answer]:
        asked = asyncio.ensure_future(engine.complete(at("x"), 4))
        await asyncio.sleep(2.5)  # the first is there, the beginnings are, the second suggestion is being written
        assert model.running == 1 and not asked.done()
        newer = await engine.complete(at("y"))
        assert model.running == 0
        return await asked, newer

    older, newer = with_engine(model, work)
    assert older == Answer(Source.NONE, reason=Reason.SUPERSEDED)
    assert newer.reason is Reason.EMPTY


def test_a_cancelled_request_is_counted_once() -> None:
    model = scripted(ANSWERS, OTHERS, prefill_s=1)

    async def work(engine: CompletionEngine) -> tuple[int, int]:
        asked = asyncio.ensure_future(engine.complete(at("x"), 4))
        await asyncio.sleep(1.5)
        asked.cancel()
        await asyncio.wait([asked])
        engine.changed(at("z"))
        await asyncio.sleep(0.1)
        assert model.running == 0
        return engine.stats.requests, engine.stats.reasons[Reason.CANCELLED]

    assert with_engine(model, work) == (1, 1)


def test_a_refused_alternative_is_not_offered_again() -> None:
    model = scripted(ANSWERS, OTHERS)

    async def work(engine: CompletionEngine) -> tuple[Answer, Answer]:
        first = await engine.complete(at("x"), 3)
        engine.rejected(at("x"), first.suggestions[1])
        second = await engine.complete(at("x"), 3)
        engine.rejected(at("x"), first.suggestions[0])
        return second, await engine.complete(at("x"), 3)

    second, third = with_engine(model, work)
    assert said(second) == [" = one", " - three", ".four"]
    assert said(third) == [" - three", ".four"]  # also where an automatic request gives nothing
    assert third.source is Source.MODEL and third.reason is None


def test_a_shown_alternative_starts_speculation_on_its_accept() -> None:
    answers = {**ANSWERS, "x = one": "!", "x + two": "?"}
    model = scripted(answers, OTHERS)

    async def work(engine: CompletionEngine) -> tuple[Answer, Answer]:
        context = at("x")
        chosen = (await engine.complete(context, 3)).suggestions[1]
        before = await engine.complete(context.after_accept(chosen))
        engine.changed(context)
        engine.completion_cache.clear()
        chosen = (await engine.complete(context, 3)).suggestions[1]
        engine.shown(context, chosen)
        await asyncio.sleep(1)
        engine.accepted(context, chosen)
        return before, await engine.complete(context.after_accept(chosen))

    before, after = with_engine(model, work)
    assert said(before) == said(after) == ["?"]
    assert before.source is Source.MODEL
    assert after.source is Source.SPECULATED


def test_typing_an_alternative_is_a_type_through() -> None:
    model = scripted(ANSWERS, OTHERS)

    async def work(engine: CompletionEngine) -> Answer:
        await engine.complete(at("x"), 3)
        return await engine.complete(at("x + t"))

    answer = with_engine(model, work)
    assert said(answer) == ["wo"] and answer.source is Source.TYPE_THROUGH


def test_a_model_without_first_token_probabilities_gives_one_suggestion() -> None:
    model = ScriptedModel({"x": " = one"})
    assert said(with_engine(model, lambda engine: engine.complete(at("x"), 3))) == [" = one"]


def test_a_model_that_fails_meanwhile_leaves_the_alternatives_found() -> None:
    model = scripted(ANSWERS, OTHERS)

    async def work(engine: CompletionEngine) -> Answer:
        await engine.complete(at("x"))
        model.fail = ModelError("broken")
        return await engine.complete(at("x"), 3)

    assert said(with_engine(model, work)) == [" = one"]


# --- the pure parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begun", "rest", "text", "finish", "tokens"),
    [
        ("ab", "cd", "abcd", Finish.END, 3),
        ("ab", "", "ab", Finish.END, 1),
        ("\n  ", "cd", "\n  cd", Finish.END, 3),
        ("ab\n", "", "ab", Finish.STOP, 1),
        ("ab", "c\nd", "abc", Finish.STOP, 2),
    ],
)
def test_alternatives_are_cut_as_other_suggestions(
    begun: str, rest: str, text: str, finish: Finish, tokens: int
) -> None:
    behind = GeneratedText(rest, Finish.END, tuple(range(1, len(rest) + 1)), (-1.0,) * len(rest))
    whole = joined(Beginning(begun, -0.5), behind, StopRule(1, 10))
    assert (whole.text, whole.finish) == (text, finish)
    assert len(whole.ends) == len(whole.logprobs) == tokens
    assert whole.ends[-1] == len(text) and whole.logprobs[0] == -0.5
