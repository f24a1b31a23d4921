"""What the benches count and compare. No time is asserted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import tabspec.replay
from tabspec.context import EditContext
from tabspec.fitting.truncation import FitPlace
from tabspec.lab.measuring.accepts import measure_accepts
from tabspec.lab.measuring.decoding import read_ms
from tabspec.lab.measuring.suggestions import answer, measure_suggestions, measure_trimmed, question
from tabspec.lab.measuring.trimmed import Cut, cut_away
from tabspec.models.load import load_model
from tabspec.models.protocol import StopRule
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.models.measured import session_places
from tabspec.replay.sessions.session_file import read_session
from tabspec.suggestion import Finish, GeneratedText
from tabspec.text import Document

SESSION = Path(tabspec.replay.__file__).parent / "sessions" / "python-cachetools.jsonl.gz"


def at(before: str, behind: str = "") -> EditContext:
    return EditContext(Document("file:///a.py", before + behind, "python"), len(before))


def letters(text: str) -> GeneratedText:
    """A token a letter; the last one only ended the text, as a line end does."""
    return GeneratedText(text, Finish.STOP, (*range(1, len(text) + 1), len(text)), (-0.1,) * (len(text) + 1))


@pytest.mark.parametrize(
    ("before", "text", "behind", "cut"),
    [
        ("x = ", "1", "", {Cut.BLANK: 1}),
        ("x = ", "1  ", "", {Cut.BLANK: 3}),
        ("f(", "ab)", ")", {Cut.BLANK: 1}),
        ("x", "yz", "yz", {Cut.BLANK: 1, Cut.OVERLAP: 2}),
        ("x", "y", "yz", {Cut.BLANK: 1, Cut.STANDS: 1}),
        ("x = ", "ab ab ab ab ab ", "", {Cut.SETTLED: 4, Cut.BLANK: 1, Cut.REPETITION: 11}),
        ("    x", "\n    y\nz = 1", "", {Cut.SETTLED: 5, Cut.INDENTATION: 2}),
        ("x", "\nlong_enough()\nmore", "\nlong_enough()", {Cut.SETTLED: 5, Cut.BLANK: 1, Cut.REPETITION: 14}),
    ],
)
def test_each_unused_token_is_counted_once(before: str, text: str, behind: str, cut: dict[Cut, int]) -> None:
    context, written = at(before, behind), letters(text)
    found = cut_away(context, written)
    assert Cut.SETTLED not in cut_away(context, FitPlace(context).truncate(written))
    assert found.total() <= len(written.ends)
    assert {name: number for name, number in found.items() if number} == cut


def test_early_stop_saves_only_tokens_that_are_cut_off() -> None:
    model = ScriptedModel(lambda request: "ab " * 9, token_chars=3)
    stop = StopRule(max_tokens=20)
    without, with_ = (asyncio.run(measure_trimmed(model, [at("x = ")], stop, early)) for early in (False, True))
    assert (without.decoded, with_.decoded) == (9, 4)
    assert without.cut == {Cut.SETTLED: 5, Cut.REPETITION: 4} and with_.cut == {Cut.REPETITION: 4}


def test_models_are_compared_text_by_text() -> None:
    places = [at("a"), at("b")]
    requests = [question(place, "", StopRule()) for place in places]
    models = {
        "one": ScriptedModel({"a": "1", "b": "2"}),
        "other": ScriptedModel({"a": "1", "b": "3"}),
    }
    one, other = measure_suggestions(models, requests, 1, "one")
    assert (one.same, other.same, other.chars, other.decoded) == (2, 1, 2, 2)


def test_the_request_after_an_accept_is_made_twice() -> None:
    said = {"a": "bc", "abc": "d", "z": ""}
    model = ScriptedModel(said)
    found = asyncio.run(measure_accepts(model, [at("a"), at("z"), at("a")], 2))
    assert found and (found.places, found.same) == (1, 1), "the first place warms up; at the second, nothing is said"
    assert [request.prefix for request in model.requests[-3:]] == ["a", "abc", "abc"]
    assert asyncio.run(measure_accepts(model, [at("z")], 1)) is None


@pytest.mark.slow
def test_the_answer_after_an_accept_does_not_depend_on_the_kv_cache() -> None:
    """The bundled model, in the number format that it is used in: the compiled decoder gives the same to the bit; torch
    does in float32."""
    model = load_model(None, device="cpu")
    if "compiled" not in model.info.detail:
        model = load_model(None, device="cpu", dtype="float32")

    async def play() -> int:
        checked = 0
        for context in list(session_places(read_session(SESSION)))[::4]:
            await model.close()
            asked = question(context, "", StopRule())
            said = (await answer(model, asked)).written
            if not said.text:
                continue
            following = question(context.after_typing(said.text), "", StopRule())
            kept = await answer(model, following)
            await model.close()
            fresh = await answer(model, following)
            assert (kept.written.text, kept.written.finish) == (fresh.written.text, fresh.written.finish)
            assert kept.written.logprobs == pytest.approx(fresh.written.logprobs, abs=1e-4)
            checked += 1
        return checked

    assert asyncio.run(play()) >= 4


@pytest.mark.slow
def test_reading_more_memory_takes_longer() -> None:
    assert 0 < read_ms(1 << 12) < read_ms(1 << 27)
