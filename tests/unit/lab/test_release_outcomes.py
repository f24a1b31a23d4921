"""What an edit model makes of steps between releases: text, place, precision and cost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.cli.main import tabspec
from tabspec.lab.evaluation.next_edit.releases.asked import Outcome, Passes, is_right, outcomes
from tabspec.lab.evaluation.next_edit.releases.figures import as_json, cross_fitted, halves, threshold
from tabspec.lab.evaluation.next_edit.releases.kinds import Kind
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep, write_steps
from tabspec.models.local.edits.calibration import UNFITTED, Evidence, fitted, load_edit_calibration
from tabspec.models.local.edits.scene import Change
from tabspec.prompt.edit_format import PastLines, Tag
from tabspec.train.edits.hunks import Hunk
from tests import tiny
from tests.edit_decoder import OURS_PIECES, SPECIAL, ruled

LINES = ("def f(total):", "    a = count", "    step()", "    step()", "    b(count)", "    return 1", "")
DUE = (Hunk(1, 2, ("    a = total",)), Hunk(4, 5, ("    b(total)",)))


def step(
    project: str, due: tuple[Hunk, ...] = DUE, kind: Kind = Kind.ECHO, lines: tuple[str, ...] = LINES
) -> ReleaseStep:
    return ReleaseStep(project, "src/a.py", lines, (PastLines("def f(count):", "def f(total):"),), due, kind, 0)


def test_a_model_that_is_right_everywhere() -> None:
    model, _ = ruled(
        lambda text: text.replace("count", "total"), lambda line: Tag.CHANGES if "count" in line else Tag.STAYS
    )
    done = tuple(line.replace("count", "total") for line in LINES)
    steps = [step(name) for name in "abcd"] + [step(name, (), Kind.END, done) for name in "abcd"]
    found = asyncio.run(outcomes(model, steps))
    figures = as_json(found)
    rows = figures["by_kind"]
    assert isinstance(rows, dict)
    assert rows["echo"]["text"] == 1.0 and rows["echo"]["stays"] == 0.0
    assert rows["echo"]["place"]["1"] == 1.0 and rows["echo"]["next_place"]["1"] == 1.0
    assert rows["novel"]["steps"] == 0 and rows["novel"]["text"] is None
    assert figures["by_precision"]["0.8"]["right"] == 1.0  # type: ignore[index]
    assert figures["by_precision"]["0.8"]["of_echoes"] == 1.0  # type: ignore[index]
    assert figures["written"] == {"any": 1.0, "first_right": 1.0, "some_right": 1.0, "at_end": 0.0}
    cost = figures["cost"]
    assert isinstance(cost, dict)
    assert (
        cost["chain"]["answers"] == 4
        and cost["chain"]["prefill"] < cost["anew"]["prefill"]
        and cost["anew"]["passes"] > 1
    )


def test_what_counts_as_right() -> None:
    both = (Hunk(1, 2, ("    a = total",)), Hunk(2, 3, ("    stop()",)))
    moment = step("a", both)
    assert is_right(moment, Change(0, 3, ("def f(total):", "    a = total", "    step()")))
    assert is_right(moment, Change(0, 4, ("def f(total):", "    a = total", "    stop()", "    step()")))
    assert not is_right(moment, Change(1, 2, ("    a = count + 1",)))
    assert not is_right(moment, Change(1, 2, ("    a = count",)))  # nothing changes
    assert not is_right(step("a", ()), Change(1, 2, ("    a = total",)))


COST = Passes(0.1, 10, 2, 5)


def outcome(project: str, place: float, right: bool, kind: Kind = Kind.ECHO) -> Outcome:
    return Outcome(project, kind, right, False, (), ((Evidence(place, 0.1, (-0.1,)), right),), COST, None)


def test_each_half_is_judged_by_the_curve_of_the_other() -> None:
    found = [outcome(name, place, place > 0.5) for name in "abcd" for place in (0.9, 0.8, 0.2, 0.1)]
    a, b = halves(found)
    assert {each.project for each in a} == {"a", "c"} and {each.project for each in b} == {"b", "d"}
    offers = cross_fitted(found)
    assert len(offers) == len(found)
    assert min(p for p, right, _ in offers if right) > max(p for p, right, _ in offers if not right)
    least = threshold(offers, 0.6)
    assert sum(p >= least for p, _, _ in offers) > sum(right for _, right, _ in offers)  # a few wrong ones may be shown
    assert threshold([each for each in offers if not each[1]], 0.6) > 1
    assert cross_fitted(found[:4]) == []  # one project only


def test_a_curve_survives_its_file_and_orders_evidence(tmp_path: Path) -> None:
    evidence = [Evidence(p, 1 - p, (-(1 - p),) * 3, rank) for p in (0.1, 0.3, 0.5, 0.7, 0.9) for rank in (0, 1)]
    curve = fitted(evidence, [each.place > 0.4 for each in evidence], 10)
    file = tmp_path / "calibration.json"
    curve.save(file)
    again = load_edit_calibration(file)
    assert again.steps == 10
    for each in evidence:
        assert again.probability(each) == pytest.approx(curve.probability(each), abs=1e-4)
    ordered = [curve.probability(each) for each in evidence if not each.rank]
    assert ordered == sorted(ordered) and ordered[0] < 0.5 < ordered[-1]
    assert fitted([], [], 0) == UNFITTED
    assert (
        0 < UNFITTED.probability(Evidence(0.0, 1.0, (-1e9,))) < 1e-6 < UNFITTED.probability(Evidence(1.0, 0.0, (0.0,)))
    )


def test_the_command_measures_a_folder(tmp_path: Path) -> None:
    folder = tiny.save_model(
        tmp_path / "model", tiny.byte_level(SPECIAL, OURS_PIECES), seed=1, max_position_embeddings=2048
    )
    file, output, calibration = tmp_path / "steps.gz", tmp_path / "out.json", tmp_path / "calibration.json"
    write_steps([step(name) for name in "abc"], file)
    arguments = ["evaluate", "--next-edit-releases", str(file), "--edit-model", str(folder), "--steps", "2"]
    ran = CliRunner().invoke(tabspec, [*arguments, "--json", str(output), "--calibration", str(calibration)])
    assert ran.exit_code == 0, ran.output
    data = json.loads(output.read_text())
    assert (
        data["format"] == "tabspec-next-edit-releases" and data["steps"] == 2 and data["about"]["model"] == str(folder)
    )
    assert load_edit_calibration(calibration).steps in (0, 2)


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "steps.gz").write_text("nonsense")
    for arguments, words in (
        (["--next-edit-releases", str(tmp_path / "steps.gz"), "--edit-model", "http://127.0.0.1:9"], "in this process"),
        (["--next-edit-releases", str(tmp_path / "steps.gz"), "--edit-model", str(tmp_path)], "not a file of release"),
        (["--next-edit-releases", "x", "--next-edit", "y"], "name what to measure on"),
        (["--edit-model", "bundled", "--corpus", "x"], "--edit-model belongs to"),
    ):
        ran = CliRunner().invoke(tabspec, ["evaluate", *arguments])
        assert words in str(ran.exception)
