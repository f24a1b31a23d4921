"""An edit that the recording makes only after others: the user takes it, and still does the rest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.replay.users.actions import Action
from tabspec.replay.users.making import making, remaining
from tabspec.replay.users.user import Player, StepKind
from tabspec.suggestion import Suggestion
from tabspec.text import Edit
from tests.examples import examples


@settings(max_examples=examples(500))
@given(st.data(), st.text("ab (\n", min_size=4, max_size=20))
def test_the_final_text_is_that_of_the_recording(data: st.DataObject, text: str) -> None:
    """Oracle: the same edits, in the order of the recording."""
    start = data.draw(st.integers(0, len(text) - 1))
    change = Edit(start, data.draw(st.integers(0, min(3, len(text) - start))), data.draw(st.text("xy", max_size=3)))
    now, coming = text, []
    place, done = change, False
    for _ in range(data.draw(st.integers(1, 5))):
        if not done and data.draw(st.booleans()):
            edit, done = place, True
        else:
            offset = data.draw(st.integers(0, len(now)))
            size = data.draw(st.integers(0, min(3, len(now) - offset)))
            edit = Edit(offset, size, data.draw(st.text("ab (", max_size=3)))
            done = done or not (edit.offset + edit.delete < place.offset or edit.offset > place.offset + place.delete)
            if edit.offset + edit.delete < place.offset:
                place = Edit(place.offset + len(edit.insert) - edit.delete, place.delete, place.insert)
        now = edit.apply(now)
        coming.append(Action(0.0, (edit,), edit.end))
    found = making(change, text, coming)
    if found.actions is None:
        return
    recorded = text
    for action in coming[: found.actions]:
        recorded = action.edits[0].apply(recorded)
    left = change.apply(text)
    for action in remaining(change, text, coming[: found.actions]):
        for edit in action.edits:
            left = edit.apply(left)
        assert 0 <= action.cursor <= len(left)
    assert left == recorded


TEXT = "old = 1\nprint(old)\n"


def player() -> Player:
    edits = [Edit(0, 3, "new"), Edit(8, 0, "log()\n"), Edit(20, 3, "new"), Edit(len(TEXT) + 6, 0, "end\n")]
    events, text = [], TEXT
    for number, edit in enumerate(edits):
        events.append(EditEvent(float(number), (edit,), edit.end))
        text = edit.apply(text)
    return Player(Session(TEXT, tuple(events), uri="file:///a.py"))


def test_the_user_takes_an_edit_that_comes_later_and_makes_the_others() -> None:
    user = player()
    user.perform(0.0)
    change = Edit(14, 3, "new")
    edit = ProposedEdit("file:///a.py", change, change.end, EditSource.RENAME, 0.9)
    assert user.offer(Suggestion.of(edit), 0.5) is not None
    step = user.perform()
    assert step.kind is StepKind.ACCEPT and user.document.text == "new = 1\nprint(new)\n"
    assert user.saved_keys == 3 + 1 + 1  # letters, a deletion and a move
    times = [step.time]
    while not user.done:
        times.append(user.perform().time)
    assert user.document.text == "new = 1\nlog()\nprint(new)\nend\n"
    assert times == sorted(times) and len(times) == 3
