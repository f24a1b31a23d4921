"""Steps between releases of held-out projects: their moments, and their kinds."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.lab.evaluation.next_edit.releases.kinds import Kind, kind_of
from tabspec.lab.evaluation.next_edit.releases.steps import read_steps, steps_of, write_steps
from tabspec.train.edits.build import FilePair
from tabspec.train.edits.hunks import Hunk, applied, hunks_between
from tests.examples import examples

LINES = st.lists(st.sampled_from(["", "a = b", "c(d)", "x"]), max_size=14)


def _pair(old: list[str], new: list[str]) -> FilePair:
    return FilePair("p", "a.py", "python", "\n".join(old), "\n".join(new), tuple(hunks_between(old, new)))


@settings(max_examples=examples(200), deadline=None)
@given(old=LINES.filter(bool), new=LINES.filter(bool), seed=st.integers(0, 999))
def test_steps_lead_to_the_new_file(old: list[str], new: list[str], seed: int) -> None:
    pair = _pair(old, new)
    steps = steps_of(pair, Random(seed))
    assert len(steps) == len(pair.hunks)  # after each edit
    for step in steps:
        assert applied(step.lines, sorted(step.due)) == new
        assert (step.kind is Kind.END) == (not step.due)
        assert step.history
        newest = step.history[-1].new
        added = newest.split("\n") if newest is not None else []
        assert list(step.lines[step.last : step.last + len(added)]) == added


def test_kinds_by_replacements_made_before() -> None:
    lines = ["x = old(1)", "y = old(2)", "z = foo(3)", "other()", "q = old(bar)"]
    made = [(lines, Hunk(0, 1, ("x = new(1)",)))]
    assert kind_of((lines, Hunk(1, 2, ("y = new(2)",))), made) is Kind.ECHO
    assert kind_of((lines, Hunk(2, 3, ("z = bar(3)",))), made) is Kind.NAMES
    assert kind_of((lines, Hunk(4, 5, ("q = new(1)",))), made) is Kind.PARTLY
    assert kind_of((lines, Hunk(3, 4, ("other(1, 2)",))), made) is Kind.NOVEL
    assert kind_of((lines, Hunk(3, 3, ("new(2)",))), made) is Kind.NOVEL


def test_steps_are_read_as_they_were_written(tmp_path: Path) -> None:
    steps = steps_of(_pair(["a", "b", "c", "d"], ["A", "b", "C", "d"]), Random(1))
    write_steps(steps, tmp_path / "steps.jsonl.gz")
    assert read_steps(tmp_path / "steps.jsonl.gz") == steps
    (tmp_path / "other").write_text("no")
    with pytest.raises(InputError, match="not a file of release steps"):
        read_steps(tmp_path / "other")
