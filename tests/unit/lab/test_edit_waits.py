"""`tabspec bench edit-waits`: the states that it starts from, and what it counts. No time of a machine is asserted."""

from __future__ import annotations

import pytest

from tabspec.config import Policy
from tabspec.lab.benches.edit_waits import figures, measure, rows_of, start
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.scripted.model import ScriptedModel
from tabspec.prompt.edit_format import PastLines
from tabspec.replay.clock import run_virtual
from tests.scripted_edit_model import ScriptedEditModel

LINES = ("def f(total):", "    a = 1", "    b = 2", "    c = 3", "")


def step(project: str = "p", history: tuple[PastLines, ...] = (PastLines("def f():", "def f(total):"),)) -> ReleaseStep:
    return ReleaseStep(project, f"{project}/a.py", LINES, history, (), Novelty.NOVEL, 0)


def test_a_state_has_the_text_and_the_edits_whose_place_is_known() -> None:
    context = start(step(), 7)
    assert context.document.text == "\n".join(LINES) and context.document.uri == "file:///7/a.py"
    assert context.history is not None and [each.old for each in context.history.steps] == ["def f():\n"]
    lost = PastLines("nowhere", "not there")
    known = (PastLines("    a = 0", "    a = 1"), PastLines("def f():", "def f(total):"))
    found = start(step(history=(lost, *known)), 1).history
    assert found is not None
    assert [(each.line, each.old, each.new) for each in found.steps] == [
        (1, "    a = 0\n", "    a = 1\n"),
        (0, "def f():\n", "def f(total):\n"),
    ]


def doubled(request: EditRequest) -> str:
    """The first digit that stands for itself is doubled."""
    lines = request.region.split("\n")
    at = next((n for n, line in enumerate(lines) if line[-1:].isdigit() and not line[-2:].isdigit()), None)
    if at is not None:
        lines[at] += lines[at][-1]
    return "\n".join(lines)


def test_speculation_has_the_next_edit_ready_and_its_absence_costs_an_answer() -> None:
    edits = ScriptedEditModel(doubled, seconds=0.1)
    found = run_virtual(measure(ScriptedModel(lambda _: ""), edits, [step("p"), step("q")]))
    ahead, none = found[Policy.ADAPTIVE], found[Policy.NONE]
    # Three edits a chain: two Tabs are followed by another, the last one by nothing.
    assert (len(ahead.ms), len(ahead.silent)) == (4, 2)
    assert ahead.ms == pytest.approx([0.0] * 4, abs=1e-6)
    assert (len(none.ms), len(none.silent)) == (4, 2)
    assert none.ms == pytest.approx([100.0] * 4)
    assert not ahead.other and not none.other
    assert rows_of(Policy.ADAPTIVE, ahead)[1][1:] == ["4", "4 of 4", "0.0", "0.0", "0.0", "0.0"]
    assert rows_of(Policy.NONE, none)[0][1:3] == ["6", "0 of 6"]
    made = figures(found, 2, "tabspec bench edit-waits STEPS", real=True)
    table = made["tables"][0]  # type: ignore[index]
    assert len(table["rows"]) == 8 and {len(row) for row in table["rows"]} == {len(table["columns"])}


def test_the_work_of_each_tab_is_counted() -> None:
    """The models compute 0.03 s between two calls of ``busy``, and it is called before and after each Tab."""
    seconds = iter(range(1000))
    edits = ScriptedEditModel(doubled, seconds=0.1)
    steps = [step("p"), step("q")]
    found = run_virtual(measure(ScriptedModel(lambda _: ""), edits, steps, lambda: next(seconds) * 0.03))
    assert found[Policy.NONE].work_s == pytest.approx(6 * 0.03)
    notes = figures(found, 2, "tabspec bench edit-waits STEPS", real=False)["notes"]
    assert notes == ["30 ms of passes for each Tab: adaptive", "30 ms of passes for each Tab: none"]
