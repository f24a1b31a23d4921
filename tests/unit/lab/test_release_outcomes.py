"""What an edit model makes of steps between releases: text, place, precision and cost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.cli.main import tabspec
from tabspec.errors import InputError
from tabspec.lab.evaluation.next_edit.releases.asked import Outcome, Passes, outcomes
from tabspec.lab.evaluation.next_edit.releases.figures import as_json, calibrate, least_probability, tables
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty
from tabspec.lab.evaluation.next_edit.releases.scoring import PredictedChange, Prediction
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep, write_steps
from tabspec.models.local.edits.calibration import UNFITTED, Evidence, load_edit_calibration
from tabspec.prompt.edit_format import PastLines, Tag
from tabspec.train.edits.hunks import LineHunk
from tests import tiny
from tests.edit_decoder import OURS_PIECES, SPECIAL, ruled

LINES = ("def f(total):", "    a = count", "    step()", "    step()", "    b(count)", "    return 1", "")
DUE = (LineHunk(1, 2, ("    a = total",)), LineHunk(4, 5, ("    b(total)",)))


def step(
    project: str, due: tuple[LineHunk, ...] = DUE, kind: Novelty = Novelty.ECHO, lines: tuple[str, ...] = LINES
) -> ReleaseStep:
    return ReleaseStep(project, "src/a.py", lines, (PastLines("def f(count):", "def f(total):"),), due, kind, 0)


def test_a_model_that_is_right_everywhere() -> None:
    model, _ = ruled(
        lambda text: text.replace("count", "total"), lambda line: Tag.CHANGES if "count" in line else Tag.STAYS
    )
    done = tuple(line.replace("count", "total") for line in LINES)
    steps = [step(name) for name in "abcd"] + [step(name, (), Novelty.END, done) for name in "abcd"]
    found = asyncio.run(outcomes(model, steps))
    figures = as_json(found)
    assert figures["text_given_place"] == {"all": 1.0, "echo": 1.0}
    assert figures["place"]["1"] == {"any": 1.0, "echo_any": 1.0, "next": 1.0, "echo_next": 1.0}  # type: ignore[index]
    best = figures["by_precision"]["0.8"]  # type: ignore[index]
    assert (best["right"], best["echoes"], best["at_ends"]) == (1.0, 1.0, 0.0)
    assert figures["written"] == {"any": 1.0, "some_right": 1.0}
    cost = figures["cost"]
    assert isinstance(cost, dict)
    assert cost["chain"]["answers"] == 4 and cost["chain"]["prefill"] < cost["anew"]["prefill"]
    assert cost["anew"]["passes"] > 1
    assert len(tables(figures)) == 4


COST = Passes(0.1, 10, 2, 5)


def outcome(project: str, place: float, right: bool) -> Outcome:
    new = "    a = total" if right else "    a = 1"
    proposal = PredictedChange(1, 2, (new,), Evidence(place, (-0.1,)).numbers()[1:])
    return Outcome(step(project), Prediction(proposal, (1,)), (proposal,), COST, None)


def test_the_threshold_is_that_of_the_other_half() -> None:
    found = [outcome(name, place, place > 0.5) for name in "abcd" for place in (0.9, 0.8, 0.2, 0.1)]
    curve = calibrate(found)
    good, bad = (curve.probability(Evidence(place, (-0.1,))) for place in (0.8, 0.2))
    assert bad < 0.5 < good and curve.least <= good
    # Two wrong ones of five may be shown.
    assert sum(curve.probability(Evidence(p, (-0.1,))) >= curve.least for p in (0.9, 0.8, 0.2, 0.1)) >= 2
    wrong = [outcome("a", 0.5, False), outcome("b", 0.5, False)]
    assert least_probability([each.step for each in wrong], [each.prediction for each in wrong], [0.9, 0.8], 0.6) == 1.0


def test_a_curve_survives_its_file(tmp_path: Path) -> None:
    curve = calibrate([outcome(name, place, place > 0.5) for name in "abcd" for place in (0.9, 0.6, 0.4, 0.1)])
    file = tmp_path / "calibration.json"
    curve.save(file)
    again = load_edit_calibration(file)
    assert again.steps == 16 and again.least == pytest.approx(curve.least, abs=1e-4)
    evidence = [
        Evidence(p, (-(1 - p), -0.1), all_, part, p)
        for p in (0.1, 0.9)
        for all_, part in ((True, False), (False, True))
    ]
    assert [again.probability(each) for each in evidence] == pytest.approx(
        [curve.probability(each) for each in evidence], abs=1e-3
    )
    assert 0 < UNFITTED.probability(Evidence(0.0, (-1e9,))) < 1e-6 < UNFITTED.probability(Evidence(1.0, (0.0,)))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "tabspec-edit-calibration", "version": 1}'])
def test_a_file_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(InputError, match=r"calibration\.json"):
        load_edit_calibration(tmp_path / "calibration.json")


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
    assert load_edit_calibration(calibration).steps == 2


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
