"""The client's edit history: what enters it, what leaves it, and which documents go with it."""

from __future__ import annotations

from tabspec_lsp.state.documents import ContentChange, Documents, TextRange
from tabspec_lsp.state.edit_log import MOST_CHARS, MOST_OTHERS, EditLog

from tabspec.edits.history import MOST_STEPS
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Position

SECRET = "file:///project/secret.py"


class Stage:
    """Documents with their log; each change comes ten seconds after the one before."""

    def __init__(self) -> None:
        self.ignored = {SECRET}
        self.documents = Documents()
        self.log = EditLog(self.documents, lambda uri: uri in self.ignored)
        self.time = 0.0

    def open(self, uri: str, text: str) -> None:
        document = Document(uri, text)
        self.documents.open(document)
        if uri not in self.ignored:
            self.log.opened(document)

    def insert(self, uri: str, line: int, text: str, accepted: Suggestion | None = None) -> None:
        at = Position(line, 0)
        changed = self.documents.change(uri, None, [ContentChange(text, TextRange(at, at))])
        assert changed
        self.time += 10
        self.log.changed(changed, self.time, accepted)

    @property
    def steps(self) -> list[tuple[str, str, bool]]:
        return [(step.uri, step.new, step.accepted) for step in self.log.history.steps]

    def others(self, uri: str) -> list[str]:
        document = self.documents.get(uri)
        assert document
        return [each.uri for each in self.log.context(document, 0).others]


def test_changes_of_several_documents_in_their_order() -> None:
    stage = Stage()
    stage.open("a", "one\n")
    stage.open("b", "two\n")
    stage.insert("a", 0, "x")
    stage.insert("b", 0, "y", accepted=Suggestion("y"))
    stage.insert("a", 1, "z")
    assert stage.steps == [("a", "xone\n", False), ("b", "ytwo\n", True), ("a", "z", False)]


def test_an_ignored_document_is_not_recorded() -> None:
    stage = Stage()
    stage.open(SECRET, "key = 1\n")
    stage.open("a", "one\n")
    stage.insert(SECRET, 0, "x")
    stage.insert("a", 0, "x")
    assert [uri for uri, *_ in stage.steps] == ["a"]
    assert stage.others("a") == []
    assert SECRET not in stage.log.history.texts


def test_a_document_that_becomes_ignored_is_removed() -> None:
    stage = Stage()
    for uri in ("a", "b"):
        stage.open(uri, "one\n")
        stage.insert(uri, 0, "x")
    stage.ignored.add("b")
    stage.log.purge()
    assert [uri for uri, *_ in stage.steps] == ["a"]
    assert stage.others("a") == []
    assert list(stage.log.history.texts) == ["a"]


def test_a_closed_document_is_removed() -> None:
    stage = Stage()
    for uri in ("a", "b"):
        stage.open(uri, "one\n")
        stage.insert(uri, 0, "x")
    stage.documents.close("b")
    stage.log.dropped("b")
    assert [uri for uri, *_ in stage.steps] == ["a"]
    assert stage.others("a") == []


def test_the_history_is_bounded() -> None:
    stage = Stage()
    stage.open("a", "\n" * 200)
    for line in range(150):
        stage.insert("a", line, f"{line}\n")
    assert len(stage.steps) == MOST_STEPS
    stage.insert("a", 0, "x" * (MOST_CHARS + 1))
    assert stage.steps == []
    assert stage.log.history.texts == {}


def test_the_other_documents_are_bounded_and_the_last_used_come_first() -> None:
    stage = Stage()
    for number in range(MOST_OTHERS + 3):
        stage.open(f"{number}", "one\n")
    stage.open("long", "x" * (MOST_CHARS + 1))
    stage.insert("3", 0, "x")
    stage.insert("5", 0, "x")
    last = MOST_OTHERS + 2
    expected = ["3", *map(str, range(last, 0, -1))]
    expected = [uri for at, uri in enumerate(expected) if uri != "5" and expected.index(uri) == at]
    assert stage.others("5") == expected[:MOST_OTHERS]
