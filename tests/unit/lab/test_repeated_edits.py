"""The part of a recording that repeats earlier edits."""

from __future__ import annotations

from tabspec.lab.evaluation.next_edit.repeated import Repetition, repetition
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.text import Edit

TEXT = "a = old\nb = old\nc = old\n"


def session(*edits: Edit) -> Session:
    events = tuple(EditEvent(10.0 * number, (edit,), edit.end) for number, edit in enumerate(edits))
    return Session(TEXT, events, uri="file:///a.py")


def test_the_second_and_third_of_three_equal_changes_are_repetitions() -> None:
    found = repetition(session(Edit(4, 3, "new"), Edit(12, 3, "new"), Edit(20, 3, "new")))
    assert (found.steps, found.repeated_steps) == (3, 2)
    # Three letters, a deletion and a move each; the first change begins where the cursor is not, too.
    assert (found.keys, found.replacing, found.repeated) == (15, 15, 10)


def test_new_lines_and_other_changes_are_no_repetitions() -> None:
    found = repetition(session(Edit(4, 3, "new"), Edit(12, 3, "other"), Edit(len(TEXT) + 2, 0, "d = new\n")))
    assert found.repeated_steps == 0 == found.repeated


def test_repetitions_are_summed_up() -> None:
    assert Repetition(1, 2, 3, 4, 5) + Repetition(10, 20, 30, 40, 50) == Repetition(11, 22, 33, 44, 55)
