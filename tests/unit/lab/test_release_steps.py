"""Steps between releases of held-out projects: their moments, their kinds, and the scores of predictions."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty, kind_of
from tabspec.lab.evaluation.next_edit.releases.scoring import (
    PredictedChange,
    Prediction,
    at_precision,
    halves,
    is_right,
    place,
    probabilities,
    shown,
    text_given_place,
)
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep, read_steps, steps_of, write_steps
from tabspec.train.edits.build import FilePair
from tabspec.train.edits.hunks import LineHunk, applied, hunks_between
from tests.examples import examples

LINES = st.lists(st.sampled_from(["", "a = b", "c(d)", "x"]), max_size=14)


def _pair(old: list[str], new: list[str]) -> FilePair:
    return FilePair("p", "a.py", "python", "\n".join(old), "\n".join(new), tuple(hunks_between(old, new)))


def _step(project: str, kind: Novelty, lines: tuple[str, ...] = ("a", "b", "c")) -> ReleaseStep:
    due = () if kind is Novelty.END else (LineHunk(1, 2, ("B",)),)
    return ReleaseStep(project, "a.py", lines, (), due, kind)


@settings(max_examples=examples(200), deadline=None)
@given(old=LINES.filter(bool), new=LINES.filter(bool), seed=st.integers(0, 999))
def test_steps_lead_to_the_new_file(old: list[str], new: list[str], seed: int) -> None:
    pair = _pair(old, new)
    steps = steps_of(pair, Random(seed))
    assert len(steps) == len(pair.hunks)  # after each edit
    for step in steps:
        assert applied(step.lines, sorted(step.due)) == new
        assert (step.kind is Novelty.END) == (not step.due)
        assert step.history
        newest = step.history[-1].new
        added = newest.split("\n") if newest is not None else []
        assert list(step.lines[step.last : step.last + len(added)]) == added


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES.filter(bool), new=LINES, chosen=st.integers(0, 255), around=st.integers(0, 3))
def test_one_hunk_and_a_whole_window_are_right(old: list[str], new: list[str], chosen: int, around: int) -> None:
    due = hunks_between(old, new)
    if not due:
        return
    step = ReleaseStep("p", "a.py", tuple(old), (), tuple(due), Novelty.NOVEL)
    hunk = due[chosen % len(due)]
    start, stop = max(hunk.start - around, 0), min(hunk.stop + around, len(old))
    alone = applied(old[start:stop], [hunk.moved(-start)])
    assert is_right(step, PredictedChange(start, stop, tuple(alone)))
    whole = sorted(h for h in due if h.start <= stop and h.stop >= start)
    start, stop = min(h.start for h in whole), max(h.stop for h in whole)
    together = applied(old[start:stop], [h.moved(-start) for h in whole])
    assert is_right(step, PredictedChange(start, stop, tuple(together)))


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES.filter(bool), new=LINES, other=LINES, start=st.integers(0, 13), size=st.integers(0, 4))
def test_nothing_else_is_right(old: list[str], new: list[str], other: list[str], start: int, size: int) -> None:
    due = hunks_between(old, new)[:6]
    step = ReleaseStep("p", "a.py", tuple(old), (), tuple(due), Novelty.NOVEL)
    start, stop = min(start, len(old)), min(start + size, len(old))
    result = applied(old, [LineHunk(start, stop, tuple(other))])
    some = [[h for n, h in enumerate(due) if subset >> n & 1] for subset in range(1, 2 ** len(due))]
    if all(applied(old, hunks) != result for hunks in some):  # the oracle: no set of remaining hunks gives this text
        assert not is_right(step, PredictedChange(start, stop, tuple(other)))


def test_kinds_by_replacements_made_before() -> None:
    lines = ["x = old(1)", "y = old(2)", "z = foo(3)", "other()", "q = old(bar)"]
    made = [(lines, LineHunk(0, 1, ("x = new(1)",)))]
    assert kind_of((lines, LineHunk(1, 2, ("y = new(2)",))), made) is Novelty.ECHO
    assert kind_of((lines, LineHunk(2, 3, ("z = bar(3)",))), made) is Novelty.NAMES
    assert kind_of((lines, LineHunk(4, 5, ("q = new(1)",))), made) is Novelty.PARTLY
    assert kind_of((lines, LineHunk(3, 4, ("other(1, 2)",))), made) is Novelty.NOVEL
    assert kind_of((lines, LineHunk(3, 3, ("new(2)",))), made) is Novelty.NOVEL


def test_steps_are_read_as_they_were_written(tmp_path: Path) -> None:
    steps = steps_of(_pair(["a", "b", "c", "d"], ["A", "b", "C", "d"]), Random(1))
    write_steps(steps, tmp_path / "steps.jsonl.gz")
    assert read_steps(tmp_path / "steps.jsonl.gz") == steps
    (tmp_path / "other").write_text("no")
    with pytest.raises(InputError, match="not a file of release steps"):
        read_steps(tmp_path / "other")


def test_text_and_place() -> None:
    steps = [_step("p", Novelty.ECHO), _step("p", Novelty.ECHO), _step("p", Novelty.NOVEL), _step("p", Novelty.END)]
    good = Prediction(PredictedChange(0, 3, ("a", "B", "c")), (9, 1))
    bad = Prediction(PredictedChange(0, 3, ("a", "b", "C")), (9, 8))
    predictions = [good, bad, Prediction(), good]
    assert text_given_place(steps, predictions) == {Novelty.ECHO: 0.5, Novelty.NOVEL: 0.0}
    assert place(steps, predictions, 1)["any"] == 0.0
    found = place(steps, predictions, 2)
    assert found == {"any": 1 / 3, "next": 1 / 3, "echo_any": 0.5, "echo_next": 0.5}


def test_a_probability_is_fitted_on_the_other_half() -> None:
    first, second = halves(["a", "b", "c"])
    assert (first, second) == ({"a", "c"}, {"b"})
    right, wrong = ("B",), ("X",)
    steps, predictions = [], []
    for number in range(40):
        project = "ab"[number % 2]
        sure = number % 4 < 2
        # in project "a" what is sure is right, in "b" it is wrong
        new = right if sure == (project == "a") else wrong
        steps.append(_step(project, Novelty.ECHO))
        predictions.append(Prediction(proposal=PredictedChange(1, 2, new, (1.0 if sure else -1.0,))))
    found = probabilities(steps, predictions)
    for prediction, step, probability in zip(predictions, steps, found, strict=True):
        assert prediction.proposal is not None
        sure = prediction.proposal.features[0] > 0
        assert (probability > 0.5) == (sure == (step.project == "b"))  # learned from the other half


def test_what_is_shown_at_ends_is_wrong() -> None:
    steps = [_step("a", Novelty.ECHO), _step("a", Novelty.NOVEL), _step("b", Novelty.END), _step("b", Novelty.END)]
    good, bad = PredictedChange(1, 2, ("B",)), PredictedChange(0, 1, ("x",))
    predictions = [Prediction(proposal=p) for p in (good, bad, bad, None)]
    found = shown(steps, predictions, [0.9, 0.3, 0.55, 0.0])
    assert (found[0.5].shown, found[0.5].right, found[0.5].echoes) == (0.5, 0.5, 1.0)
    assert (found[0.5].precision, found[0.5].at_ends) == (0.5, 0.5)
    assert found[0.6].precision == 1.0
    assert (found[0.0].precision, found[0.0].at_ends) == (1 / 3, 0.5)
    best = at_precision(steps, predictions, [0.9, 0.3, 0.55, 0.0])
    assert best[0.8] == found[0.6]
    assert best[0.5] == found[0.5]
    assert at_precision(steps, [Prediction()] * 4, [0.0] * 4)[0.5] is None
