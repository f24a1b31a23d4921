"""The shipped sessions: they are read without a warning, replayed to their ends, and name their owners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tabspec.fitting.postprocess import postprocess
from tabspec.replay.models.recorded import AnswerKind, RecordedModel, recorded_answers
from tabspec.replay.sessions import FOLDER
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session, session_files, session_name
from tabspec.replay.users.user import Player, User, actions_of
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import apply_edits

SHIPPED = {session_name(path): path for path in session_files(FOLDER)}
RECORDED = "vscode-ts-customized-tests.test.ts"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_session_is_read_and_replayed(name: str) -> None:
    session = read_session(SHIPPED[name])
    assert session.warnings == () and session.cut_off is None and session.name == name
    assert session.source and session.language and len(session.edits) > 50
    assert session.spread == name.startswith("josephg") and session.synthetic == name.startswith("python")
    for user in User:
        player = Player(session, user)
        while not player.done:
            player.perform()
        assert player.document.text == session.final_text()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_readme_names_each_session_and_its_owner(name: str) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if f"`{name}`" in line)
    licence, owner = read_session(SHIPPED[name]).licence.rstrip(")").split(" (")
    assert licence.replace("-", " ") in row and owner in row


def states(session: Session) -> Iterator[str]:
    text = session.text
    yield text
    for event in session.edits:
        text = apply_edits(text, event.edits)
        yield text


def test_recorded_answers_lead_to_the_accepted_text() -> None:
    """The meaning of a side file, held against the document: 26 of the person's 31 accepts can be said at the cursor
    (the 5 others were edits elsewhere), and of 23 the next answer is known."""
    session = read_session(SHIPPED[RECORDED])
    texts = list(states(session))
    accepts = session.side.accepts
    assert len(accepts) == 31 == sum(action.accept for action in actions_of(session))
    model = RecordedModel(session)
    said, next_known = set(), set()
    for answer in recorded_answers(session):
        suggestion = postprocess(answer.context, GeneratedText(answer.text, Finish.END))
        if answer.kind is not AnswerKind.SUGGESTED or not isinstance(suggestion, Suggestion):
            continue
        after = answer.context.after_accept(suggestion)
        for event in accepts:
            if (answer.context.document.text, after.document.text) == (texts[event], texts[event + 1]):
                said.add(event)
                if model.knows(after):
                    next_known.add(event)
    assert (len(said), len(next_known)) == (26, 23)


def test_the_recorded_user_accepts_the_recorded_answers() -> None:
    session = read_session(SHIPPED[RECORDED])
    answers = {(a.context.document.text, a.context.offset): a for a in recorded_answers(session) if a.text}
    player = Player(session, User.RECORDED)
    while not player.done:
        answer = answers.get((player.document.text, player.cursor))
        step = player.next_event()
        if answer is not None and step is not None:
            suggestion = postprocess(answer.context, GeneratedText(answer.text, Finish.END))
            if isinstance(suggestion, Suggestion):
                player.offer(suggestion, step.time - 0.001)
        player.perform()
    assert player.document.text == session.final_text()
    assert len(session.accepts) == 31 and player.tabs == 26
