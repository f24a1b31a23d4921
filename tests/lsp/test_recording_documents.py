"""`--record` with several documents: the files of a recording replay to the same texts and the same edit history."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabspec_lsp.state.documents import DocumentChange, Documents
from tabspec_lsp.state.edit_log import EditLog
from tabspec_lsp.state.recorder import Recorder

from tabspec.context import EditContext
from tabspec.edits.history import EMPTY, History
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session, session_files
from tabspec.replay.sessions.together import together
from tabspec.replay.users.user import Player, StepKind, User
from tabspec.text import Document, difference
from tests.examples import examples
from tests.lsp.conftest import Start

URIS = [f"file:///{name}" for name in ("a.py", "b.py", "secret.py")]


class Editor:
    """What the server does with documents, in a recording: open, change, ask, leave."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.now = 5.0
        self.documents = Documents()
        self.log = EditLog(self.documents, lambda uri: "secret" in uri)
        self.recorder = Recorder(folder, clock=lambda: self.now, **limits)

    def text(self, uri: str) -> str | None:
        document = self.documents.get(uri)
        return document and document.text

    def open(self, uri: str, text: str) -> None:
        document = Document(uri, text)
        self.close(uri)
        self.documents.open(document)
        if "secret" not in uri:  # as the service does
            self.log.opened(document)
            self.recorder.opened(document)

    def close(self, uri: str) -> None:
        if self.documents.close(uri):
            self.log.dropped(uri)
            self.recorder.closed(uri)

    def write(self, uri: str, text: str) -> None:
        before = self.documents.get(uri)
        edit = difference(before.text, text) if before else None
        if before is None or edit is None:
            return
        after = before.edited(edit)
        self.documents.open(after)
        changed = DocumentChange(before, after, (edit,))
        self.log.changed(changed, self.now, None)
        self.recorder.changed(changed)

    def ask(self, uri: str, offset: int) -> None:
        document = self.documents.get(uri)
        if document and "secret" not in uri:
            self.recorder.requested(EditContext(document, min(offset, len(document.text))))


class Played(NamedTuple):
    """A recording at its end. ``edited``: the documents of its edits, in their order; ``closed``: all closed ones."""

    texts: dict[str, str]
    history: History
    edited: list[str]
    closed: list[str]


def played(session: Session) -> Played:
    """A user who takes nothing, with the history as a replay keeps it."""
    player, history, edited, closed = Player(session, User.TYPE), EMPTY, list[str](), list[str]()
    while not player.done:
        step = player.perform()
        gone = player.closed
        history = history.without(gone.__contains__) if gone else history
        history = history.changed(player.changed, step.edits, player.document, step.time)
        edited += [player.document.uri] if step.kind is StepKind.TYPE else []
        closed += gone
    return Played(player.texts, history, edited, closed)


def one(folder: Path) -> Session:
    (session,) = together([read_session(path) for path in session_files(folder)])
    return session


@settings(max_examples=examples(100), deadline=None)
@given(st.data(), st.sampled_from([1 << 20, 600]))
def test_the_texts_and_the_history_are_those_of_the_editor(data: st.DataObject, file_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        editor = Editor(Path(name), file_bytes=file_bytes)
        texts = st.text("ab \n", max_size=12)
        for uri in URIS:
            editor.open(uri, data.draw(texts))
        last = ""
        for _ in range(data.draw(st.integers(1, 25))):
            uri, what = data.draw(st.sampled_from(URIS)), data.draw(st.sampled_from("wwwwwaorc"))
            # Changes of one time stamp count as one change, so no event of another document may lie between them.
            editor.now += data.draw(st.sampled_from([0.0 if uri == last else 0.125, 0.125, 0.5, 3.0]))
            last = uri
            match what:
                case "w":
                    editor.write(uri, data.draw(texts))
                case "a":
                    editor.ask(uri, data.draw(st.integers(0, 12)))
                case "o":
                    editor.open(uri, data.draw(texts))
                case "r":
                    editor.open(uri, editor.text(uri) or "")
                case "c":
                    editor.close(uri)
        editor.now += 1.0
        for uri in URIS[:2]:  # at last each is changed, because a recording knows nothing of others
            editor.now += 1.0
            if editor.text(uri) is None:
                editor.open(uri, "")
            editor.write(uri, f"{editor.text(uri)}!")
        editor.recorder.close()
        found = played(one(Path(name)))
        assert found.texts == {uri: editor.text(uri) for uri in URIS[:2]}
        assert found.history.steps == editor.log.history.steps
        assert all("secret" not in path.name for path in session_files(Path(name)))


def test_a_document_is_open_before_it_is_edited(tmp_path: Path) -> None:
    editor = Editor(tmp_path)
    editor.open(URIS[0], "x\n")
    editor.now += 1
    editor.open(URIS[1], "y\n")
    editor.open("file:///seen.py", "only looked at")
    for uri, text in ((URIS[0], "x1\n"), (URIS[0], "x12\n"), (URIS[1], "y1\n")):
        editor.now += 1
        editor.write(uri, text)
    editor.recorder.close()
    player = Player(one(tmp_path), User.TYPE)
    player.perform()
    assert (player.document.text, [each.text for each in player.context.others]) == ("x1\n", ["y\n"])


def test_events_of_different_documents_keep_their_order(tmp_path: Path) -> None:
    """Many at one moment, as where an editor renames a name in all files."""
    editor = Editor(tmp_path)
    order = [URIS[number % 2] for number in range(20)]
    for uri in URIS[:2]:
        editor.open(uri, "")
    for number, uri in enumerate(order):
        editor.write(uri, "x" * (number + 1))
    editor.recorder.close()
    assert played(one(tmp_path)).edited == order


async def test_a_server_records_all_documents_as_one_session(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    client = await start("--record", str(folder), model={"answers": {}})
    for name in "ab":
        client.open(f"{name} = 1\n", f"file:///{name}.py")
    client.change(2, {"text": "a = 2\n"}, uri="file:///a.py")
    client.change(2, {"text": "b = 2\n"}, uri="file:///b.py")
    client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///b.py"}})
    client.change(3, {"text": "a = 3\n"}, uri="file:///a.py")
    assert await client.stop() == 0
    session = one(folder)
    assert session.warnings == () and [each.uri for each in session.parts] == ["file:///a.py", "file:///b.py"]
    found = played(session)
    assert found.edited == ["file:///a.py", "file:///b.py", "file:///a.py"]
    assert (found.texts, found.closed) == ({"file:///a.py": "a = 3\n"}, ["file:///b.py"])


@pytest.mark.parametrize("gone", URIS[:2])
def test_what_is_ignored_later_is_deleted_and_the_rest_stays(tmp_path: Path, gone: str) -> None:
    editor = Editor(tmp_path)
    for uri in URIS[:2]:
        editor.open(uri, "")
        editor.write(uri, uri)
    editor.recorder.purge(lambda uri: uri == gone)
    editor.recorder.close()
    (path,) = session_files(tmp_path)
    assert read_session(path).uri != gone and gone not in path.read_text()
