"""The report's part about next edits, and their marks on the timeline."""

from __future__ import annotations

from dataclasses import replace

import made_results as results
import pytest
from test_report import Page

from tabspec.replay.report import render
from tabspec.replay.report.drawing import timeline
from tabspec.replay.report.edits import edit_view, saved_share
from tabspec.replay.results.edits import DepthResult, EditResult, Effort
from tabspec.replay.results.result import ReplayResult, RequestRecord, Run
from tabspec.suggestion import Source

DEPTHS = tuple(DepthResult(depth, 10 - depth, 8 - depth, 1) for depth in range(1, 8))


def with_edits(run: Run) -> Run:
    records = list(run.timeline)
    for at, accepted, jump in ((3, True, True), (9, True, False), (12, False, True)):
        records[at] = replace(records[at], edit="rename", shown=True, accepted=accepted, jump=jump)
    edits = EditResult(shown=9, accepted=4, jumps=3, quiet=120, reverted=1, refused=2)
    return replace(run, timeline=tuple(records), edits=edits, effort=Effort(800, 260), by_depth=DEPTHS)


def test_the_page_shows_effort_edits_and_depth() -> None:
    runs = tuple(with_edits(results.run(policy)) for policy in ("none", "adaptive"))
    page = Page(render(ReplayResult(runs)))
    for text in (
        "Effort saved",
        "Next edits that were shown",
        "of 129, 1 undone",
        "Tab after Tab",
        "Tab 2",
    ):
        assert text in page.text
    view = edit_view(runs)
    assert view is not None and [row.name for row in view["depths"][0]["rows"]][3:] == ["Tab 4", "Tab 5+"]
    marks = {attributes.get("class") for tag, attributes in page.elements if tag == "path"}
    assert {"edit-jump", "edit-taken", "edit-shown"} <= marks
    assert "Next edit (rename), away from the cursor" in page.scripts["hover"]


def test_a_page_without_next_edits_has_no_such_part() -> None:
    page = Page(render(ReplayResult((results.run("adaptive"),))))
    assert "Effort saved" not in page.text and "next edit" not in page.text
    assert edit_view([results.run("adaptive")]) is None


def test_a_run_without_next_edits_shows_only_its_effort() -> None:
    run = replace(results.run("adaptive"), effort=Effort(1000, 0), by_depth=DEPTHS)
    view = edit_view([run])
    assert view is not None and len(view["effort"]) == 1 and not view["fates"]


@pytest.mark.parametrize(("keys", "saved", "accepted", "share"), [(60, 50, 10, 0.4), (10, 0, 0, 0.0), (0, 0, 0, 0.0)])
def test_a_tab_costs_one_key(keys: int, saved: int, accepted: int, share: float) -> None:
    run = replace(results.run("adaptive"), effort=Effort(keys, saved), accepted=accepted)
    assert saved_share(run) == pytest.approx(share)


def test_outcomes_of_edits_add_up() -> None:
    view = edit_view([with_edits(results.run("adaptive"))])
    assert view is not None
    (row,) = view["fates"]
    assert row.value == "9"
    for part in ("away from the cursor: 3", "at the cursor: 1", "the recording makes it: 3", "by the recording: 2"):
        assert part in row.chart


def test_the_mark_of_a_column_of_several_requests_is_that_of_the_best_edit() -> None:
    plain = RequestRecord(0.0, 5.0, Source.EXACT)
    shown = replace(plain, edit="sibling", shown=True)
    taken = replace(shown, accepted=True)
    for cell, name in [((plain, shown), "edit-shown"), ((shown, taken), "edit-taken"), ((plain,), None)]:
        strip = timeline.row([cell], None)
        marks = {each for each in ("edit-shown", "edit-taken", "edit-jump") if each in strip}
        assert marks == ({name} if name else set())
