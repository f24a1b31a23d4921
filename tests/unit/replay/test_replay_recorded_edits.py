"""The recorded assistant's edits in other places: read from the side file, offered, and taken by the recorded user."""

from __future__ import annotations

from pathlib import Path

import pytest

import tabspec.replay.sessions
from tabspec.context import EditContext
from tabspec.edits.edit import EditSource
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.recorded import RecordedModel
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import EditEvent, Fetch, Fetched, FetchedItem, Session, Side
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.users.user import User
from tabspec.text import Document, Edit

SHIPPED = Path(tabspec.replay.sessions.__file__).parent / "vscode-ts-customized-tests.test.ts.jsonl.gz"
TEXT = "old = 1\n\n😀 = old\n"
TYPED = Edit(8, 0, "x")


def small(*items: FetchedItem) -> RecordedModel:
    fetched = Fetch(1.0, 0, 7), Fetched(1.3, 7, 300, items)
    return RecordedModel(Session(TEXT, (EditEvent(1.0, (TYPED,)),), side=Side(fetched), name="small"))


def item(place: str, text: str) -> FetchedItem:
    return FetchedItem(place, text, True, "who")


def at(offset: int) -> EditContext:
    return EditContext(Document("file:///a", TEXT).edited(TYPED), offset)


def test_an_edit_in_another_place_is_offered_wherever_the_cursor_is() -> None:
    model = small(item("[3,6 -> 3,9]", "new"))  # the emoji counts as two columns
    for offset in (0, 9, 12):
        edit = model.edit_at(at(offset))
        assert edit is not None and edit.source is EditSource.RECORDED
        assert edit.apply(at(0).document).text == "old = 1\nx\n😀 = new\n"
    assert model.edit_at(EditContext(Document("file:///a", TEXT), 0)) is None
    assert "was offered 3 times" in model.note


def test_answers_that_are_not_edits_are_not_offered() -> None:
    for place, text in (("[3,6 -> 3,9]", "old"), ("[9,1 -> 9,2]", "new"), ("somewhere", "new")):
        assert small(item(place, text)).edit_at(at(0)) is None


@pytest.mark.slow
def test_the_recorded_user_accepts_recorded_edits() -> None:
    session = read_session(SHIPPED)
    model = RecordedModel(session)
    setting = Setting(user=User.RECORDED, edits=True)
    found = run_virtual(replay(session, model, setting, knows=model.knows, recorded=model.edit_at))
    taken = [record for record in found.timeline if record.accepted and record.edit == EditSource.RECORDED]
    assert len(taken) == 5  # of the six accepted edits in other places, five were recorded with their answer
    assert found.edits is not None and found.edits.accepted == 5 and found.stale_served == 0
    assert found.edits.shown < 40  # an edit that stays on the screen while the cursor moves counts once
