"""The gate: what is shown, and what never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.gate import Experience, Refusals, in_word, is_shown, undoes
from tabspec.edits.history import EMPTY
from tabspec.edits.reward import expected_reward
from tabspec.text import Document, Edit

URI = "file:///a.py"
TEXT = Document(URI, "old = 1\nprint(old)\n")


def proposed(offset: int, delete: int, insert: str, probability: float = 0.9) -> ProposedEdit:
    return ProposedEdit(URI, Edit(offset, delete, insert), offset + len(insert), EditSource.RENAME, probability)


LEFTOVER = proposed(14, 3, "new")


@given(st.floats(0, 1))
def test_what_is_more_likely_than_one_in_four_is_worth_showing(probability: float) -> None:
    shown = is_shown(proposed(14, 3, "new", probability), TEXT, (TEXT, 0), EMPTY, Refusals())
    assert shown == (expected_reward(probability) > 0)
    if abs(probability - 0.25) > 1e-9:
        assert shown == (probability > 0.25)


@pytest.mark.parametrize(("cursor", "shown"), [(1, False), (2, False), (3, True), (0, True), (15, True), (18, True)])
def test_nothing_jumps_in_the_midst_of_a_word(cursor: int, shown: bool) -> None:
    assert is_shown(LEFTOVER, TEXT, (TEXT, cursor), EMPTY, Refusals()) == shown


def test_in_word_at_the_ends_of_a_document() -> None:
    assert not in_word(TEXT, 0) and not in_word(TEXT, len(TEXT.text)) and not in_word(Document(URI, ""), 0)


def test_a_refused_edit_does_not_come_back_in_that_place() -> None:
    refusals = Refusals().refused(LEFTOVER, TEXT)
    assert not is_shown(LEFTOVER, TEXT, (TEXT, 0), EMPTY, refusals)
    assert is_shown(proposed(0, 3, "new"), TEXT, (TEXT, 18), EMPTY, refusals)  # the same on another line
    assert is_shown(proposed(14, 3, "other"), TEXT, (TEXT, 0), EMPTY, refusals)  # another one there
    for changes in ([Edit(0, 0, "# first\n")], [Edit(0, 8, "")], [Edit(18, 0, "  # typed here")], [Edit(0, 0, "a, ")]):
        document = TEXT
        for change in changes:
            document = document.edited(change)
        at = document.text.index("print(old")
        again = proposed(at + 6, 3, "new")
        assert not is_shown(again, document, (TEXT, 0), EMPTY, refusals.changed(URI, changes))
    assert is_shown(LEFTOVER, TEXT, (TEXT, 0), EMPTY, refusals.closed(URI))


def test_a_refused_edit_does_not_come_back_without_the_lines_that_it_added() -> None:
    """A model had put a blank line after the line that it changed. A pattern changes the line alone."""
    refusals = Refusals().refused(proposed(14, 5, "new)\n\n"), TEXT)
    assert not is_shown(LEFTOVER, TEXT, (TEXT, 0), EMPTY, refusals)
    assert is_shown(proposed(14, 3, "other"), TEXT, (TEXT, 0), EMPTY, refusals)


@pytest.mark.parametrize(
    ("refused", "again"),
    [
        (proposed(8, 10, "import new\nprint(new)"), LEFTOVER),  # a line was added above
        (proposed(8, 10, "import new\nprint(new)"), proposed(8, 0, "import new\n")),  # that line alone
        (proposed(0, 18, "print(new)"), LEFTOVER),  # a line was removed above
    ],
)
def test_a_refused_edit_does_not_come_back_without_the_lines_above(refused: ProposedEdit, again: ProposedEdit) -> None:
    refusals = Refusals().refused(refused, TEXT)
    assert not is_shown(again, TEXT, (TEXT, 0), EMPTY, refusals)
    assert is_shown(proposed(14, 3, "other"), TEXT, (TEXT, 0), EMPTY, refusals)


def test_an_undone_edit_does_not_come_back_either() -> None:
    document = LEFTOVER.apply(TEXT)
    history = EMPTY.changed(TEXT, [LEFTOVER.change], document, 1.0, accepted=True)
    assert history.undone == ()
    undo = Edit(14, 3, "old")
    history = history.changed(document, [undo], document.edited(undo), 9.0)
    assert history.steps == () and len(history.undone) == 1
    assert not is_shown(LEFTOVER, TEXT, (TEXT, 0), history, Refusals().undone(history))


def test_what_takes_back_the_users_own_edit_is_never_shown() -> None:
    rename = Edit(0, 3, "new")
    document = TEXT.edited(rename)
    history = EMPTY.changed(TEXT, [rename], document, 1.0)
    assert undoes(proposed(0, 3, "old"), document, history)
    assert not undoes(proposed(14, 3, "new"), document, history)
    assert undoes(proposed(14, 3, "old"), document, history)  # it changes nothing
    added = Edit(3, 0, ": Final[int]")
    document, before = document.edited(added), document
    history = history.changed(before, [added], document, 9.0)
    assert undoes(proposed(10, 5, ""), document, history)  # a part of what was just inserted
    assert not is_shown(proposed(0, 15, "old"), document, (TEXT, 50), history, Refusals())


def test_a_change_refused_at_two_places_is_not_shown_at_a_third() -> None:
    document = Document(URI, "f(old)\nf(old)\nf(old)\n")
    refusals = Refusals().refused(proposed(2, 3, "new"), document)
    assert not refusals.hold(proposed(16, 3, "new"), document)
    refusals = refusals.refused(proposed(9, 3, "new"), document)
    assert refusals.hold(proposed(16, 3, "new"), document)
    assert not refusals.hold(proposed(16, 3, "other"), document)


@given(st.floats(0.25, 1), st.lists(st.booleans(), max_size=30))
def test_experience_moves_a_probability_towards_what_happened(probability: float, outcomes: list[bool]) -> None:
    experience, edit = Experience(), proposed(14, 3, "new", probability)
    assert experience.adjusted(edit) == edit
    for accepted in outcomes:
        before = experience.adjusted(edit).probability
        experience = experience.after(edit, accepted)
        after = experience.adjusted(edit).probability
        assert 0 <= after <= 1 and (after >= before if accepted else after <= before)
    for _ in range(13):
        experience = experience.after(edit, accepted=False)
    if not any(outcomes):
        assert expected_reward(experience.adjusted(edit).probability) < 0
