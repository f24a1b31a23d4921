"""The benefit of each step of fitting: places, simulated user and table, with models that know the answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.lab.evaluation.ablation import AblationCase, AblationPart, AblationRow, ablate
from tabspec.lab.evaluation.infilling.snippets import HoleKind, Snippet
from tabspec.lab.evaluation.report import ablation_table, as_json
from tabspec.models.scripted.model import ScriptedModel, continuing

BEFORE, MIDDLE, AFTER = "def f(a):\n    print(", "a, [1])", "\n\n\nf(2)\n"


def snippet(prefix: str = BEFORE, middle: str = MIDDLE, suffix: str = AFTER) -> Snippet:
    return Snippet(HoleKind.REST, "project", "a/b.py", "python", prefix, middle, suffix)


def rows(model: ScriptedModel, *snippets: Snippet) -> dict[AblationPart | None, AblationRow]:
    found = ablate(model, snippets or [snippet()], lambda what, done, total: None)
    return {row.off: row for row in found}


def test_open_brackets_are_closed_as_by_an_editor() -> None:
    place = AblationCase.of(snippet())
    assert place.context.document.text == BEFORE + ")" + AFTER
    assert AblationCase.of(snippet(middle="a,")).context.document.text == BEFORE + AFTER, "the author broke the line"
    assert AblationCase.of(snippet("f([g(", "x)])")).context.document.text == "f([g()])" + AFTER


def test_a_model_that_knows_the_line_saves_all_keystrokes() -> None:
    table = rows(ScriptedModel(continuing(BEFORE + MIDDLE)))
    assert set(table) == {None, *AblationPart}
    full = table[None]
    assert (full.shown, full.right, full.exact, full.parses, full.bracket) == (1, 1, 1, 1, 0)
    assert full.saved == 1, "the bracket that stands there is taken over"
    without = table[AblationPart.OVERLAP]
    assert (without.exact, without.bracket) == (0, 1), "a second bracket"


def test_a_model_without_suggestions_saves_nothing() -> None:
    full = rows(ScriptedModel({}))[None]
    assert (full.shown, full.exact, full.saved) == (0, 0, 0)


def test_early_stop_and_token_healing_can_be_turned_off() -> None:
    unsure = rows(ScriptedModel(continuing(BEFORE + MIDDLE), logprob=-3.0))
    assert unsure[None].shown == 0 and unsure[AblationPart.DOUBT].shown == 1
    model = ScriptedModel(continuing(BEFORE + MIDDLE))
    rows(model)
    assert {bool(request.forced) for request in model.requests} == {True, False}
    assert {request.stop.min_logprob is None for request in model.requests} == {True, False}


@given(st.text(alphabet="ab()[], ", min_size=1, max_size=20), st.integers(0, 20))
def test_the_simulated_user_always_types_the_whole_text(middle: str, known: int) -> None:
    """Whatever the editor has closed and however much the model knows, every character is typed or saved."""
    text = BEFORE + middle
    model = ScriptedModel(continuing(text[: len(BEFORE) + known] + "?"))
    full = rows(model, snippet(middle=middle))[None]
    assert 0 <= full.saved <= 1
    assert full.saved == 0 or known


@pytest.mark.parametrize("output", ["table", "json"])
def test_the_result_is_printed_in_rows(output: str) -> None:
    found = list(rows(ScriptedModel(continuing(BEFORE + MIDDLE))).values())
    if output == "table":
        assert ablation_table(found).row_count == len(found)
    else:
        listed = as_json([], {}, found)["ablation"]
        assert listed[0]["off"] is None and listed[0]["exact"] == 1 and len(listed) == len(found)
        assert "ablation" not in as_json([], {})
