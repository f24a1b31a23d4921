"""The edit history: how changes become steps, and that the steps are what happened to the document."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tabspec.edits.history import EMPTY, MOST_CHARS, MOST_STEPS, PAUSE_S, History
from tabspec.text import Document, Edit, apply_edits
from tests.examples import examples

URI = "file:///a.py"


@dataclass
class Editor:
    """Makes changes in one document, each at its own time, and keeps the history."""

    document: Document
    history: History = EMPTY
    time: float = 0.0

    def edit(self, offset: int, delete: int, insert: str, after: float = 0.1, accepted: bool = False) -> None:
        self.time += after
        edit = Edit(offset, delete, insert)
        self.send([edit], accepted)

    def send(self, edits: list[Edit], accepted: bool = False) -> None:
        before = self.document
        for edit in edits:
            self.document = self.document.edited(edit)
        self.history = self.history.changed(before, edits, self.document, self.time, accepted)

    def type(self, offset: int, text: str, after: float = 0.1) -> None:
        for at, char in enumerate(text):
            self.edit(offset + at, 0, char, after if at == 0 else 0.1)

    @property
    def lines(self) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        return [(step.line, step.old_lines, step.new_lines) for step in self.history.steps]


def editor(text: str) -> Editor:
    return Editor(Document(URI, text))


def test_letters_typed_on_one_line_are_one_step() -> None:
    at = editor("a\nb\nc\n")
    at.type(3, "xyz")
    assert at.lines == [(1, ("b",), ("bxyz",))]
    (step,) = at.history.steps
    assert (step.old, step.new, step.line) == ("b\n", "bxyz\n", 1)
    assert step.typed and not step.accepted


@pytest.mark.parametrize(
    ("second", "pause", "steps"),
    [
        (4, 0.1, 1),  # on the same line
        (4, PAUSE_S + 1, 1),  # after a pause, but within the word
        (1, 0.1, 2),  # on another line
        (1, PAUSE_S + 1, 2),
    ],
)
def test_a_pause_and_another_line_end_a_step(second: int, pause: float, steps: int) -> None:
    at = editor("a\nb\nc\n")
    at.type(3, "x")
    at.type(second, "y", after=pause)
    assert len(at.history.steps) == steps


def test_a_pause_between_words_ends_a_step() -> None:
    at = editor("call()\n")
    at.type(5, "a")
    at.type(6, ", b", after=PAUSE_S + 1)
    assert at.lines == [(0, ("call()",), ("call(a)",)), (0, ("call(a)",), ("call(a, b)",))]


def test_enter_ends_a_step() -> None:
    at = editor("")
    at.type(0, "if a:\n    b")
    assert at.lines == [(0, (), ("if a:",)), (1, (), ("    b",))]


def test_accepted_suggestions_are_steps_of_their_own() -> None:
    at = editor("a = 1\n")
    at.type(5, "0")
    at.edit(6, 0, "00", accepted=True)
    at.type(8, "0")
    assert [(step.new, step.accepted) for step in at.history.steps] == [
        ("a = 10\n", False),
        ("a = 1000\n", True),
        ("a = 10000\n", False),
    ]


def test_what_is_undone_is_taken_out() -> None:
    at = editor("one\ntwo\nthree\n")
    at.edit(0, 3, "ONE", after=9)
    at.edit(8, 5, "THREE", after=9)
    at.edit(4, 3, "TWO", after=9)
    assert len(at.history.steps) == 3
    at.edit(8, 5, "three", after=9)  # not the last one
    assert at.lines == [(0, ("one",), ("ONE",)), (1, ("two",), ("TWO",))]
    at.edit(4, 3, "two", after=9)
    at.edit(0, 3, "one", after=9)
    assert at.history.steps == () and at.history == EMPTY and at.history.digest == 0


def test_an_undone_step_is_named_where_its_lines_stand_now() -> None:
    at = editor("a\nb\nc\nd\n")
    at.edit(6, 1, "D", after=9, accepted=True)
    at.edit(0, 0, "new\n", after=9)
    at.edit(4, 2, "", after=9)
    at.edit(8, 1, "d", after=9)
    assert [(step.old, step.line, step.offset) for step in at.history.undone] == [("d\n", 3, 8)]
    both = editor("a\nb\nc\nd\n")
    both.edit(6, 1, "D", after=9, accepted=True)
    both.edit(0, 0, "new\n", after=9)
    both.time += 9
    both.send([Edit(0, 4, "")])
    both.send([Edit(6, 1, "d")])  # in the same moment
    assert [(step.old, step.line, step.offset) for step in both.history.undone] == [("d\n", 3, 6)]
    lines = editor("a\nb\n")
    lines.edit(2, 2, "", after=9, accepted=True)
    lines.edit(2, 0, "b\n", after=9)
    assert [(step.old, step.offset) for step in lines.history.undone] == [("b\n", 2)]


def test_one_undo_may_take_back_two_steps() -> None:
    at = editor("a b\n")
    at.edit(0, 1, "c", after=9)
    at.edit(2, 1, "d", after=9)
    assert len(at.history.steps) == 2
    at.edit(0, 3, "a b", after=9)
    assert at.history.steps == ()


def test_steps_after_an_undone_one_move_to_where_they_are_now() -> None:
    at = editor("one\ntwo\n")
    at.edit(0, 0, "zero\nhalf\n", after=9)
    at.edit(14, 3, "TWO", after=9)
    assert at.lines[1][0] == 3
    at.edit(0, 10, "", after=9)
    assert at.lines == [(1, ("two",), ("TWO",))]
    assert at.history.steps[0].offset == 4


@pytest.mark.parametrize(
    ("edit", "typed"),
    [
        (Edit(0, 0, "def area(self) -> float:\n    return self.width * self.height\n"), False),  # a paste
        (Edit(0, 0, "x" * 65), False),
        (Edit(0, 0, "some_identifier_from_a_list(argument)"), True),
        (Edit(0, 0, "\n    "), True),  # Enter, with indentation
        (Edit(0, 20, ""), True),  # ten lines are deleted
    ],
)
def test_pastes_are_not_typed(edit: Edit, typed: bool) -> None:
    at = editor("a\n" * 20)
    at.send([edit])
    assert [step.typed for step in at.history.steps] == [typed]


def test_formatters_and_branch_switches_are_not_typed() -> None:
    text = "".join(f"a{i}=1\n" for i in range(100))
    formatted = editor(text)
    formatted.send([Edit(line * 6 + line * 2 if line < 10 else 0, 0, "  ") for line in range(5)])
    assert formatted.history.steps and not any(step.typed for step in formatted.history.steps)
    whole = editor(text)
    whole.send([Edit(0, len(text), text.replace("=", " = "))])
    assert [step.typed for step in whole.history.steps] == [False]
    many = editor("a\n" * 100)
    many.send([Edit(3 * line, 1, "bb") for line in range(100)])
    assert [step.typed for step in many.history.steps] == [False]


def test_cursors_at_several_places_make_several_steps() -> None:
    at = editor("old = 1\nx\nprint(old)\n")
    at.send([Edit(16, 3, "new"), Edit(0, 3, "new")])
    assert at.lines == [(0, ("old = 1",), ("new = 1",)), (2, ("print(old)",), ("print(new)",))]
    assert all(step.typed for step in at.history.steps)


def test_a_history_that_contradicts_the_document_begins_anew() -> None:
    at = editor("one\ntwo\n")
    at.edit(0, 3, "ONE", after=9)
    other = Document("file:///b.py", "b\n")
    history = at.history.changed(other, [Edit(0, 1, "c")], other.edited(Edit(0, 1, "c")), 20.0)
    missed = Document(URI, "One\ntwo\n")  # the editor has changed it, and has sent nothing
    history = history.changed(missed, [Edit(4, 3, "TWO")], missed.edited(Edit(4, 3, "TWO")), 30.0)
    assert [(step.uri, step.new) for step in history.steps] == [("file:///b.py", "c\n"), (URI, "TWO\n")]
    assert history.opened(Document(URI, "other")).of(URI) == ()


def test_documents_may_be_left_out() -> None:
    at = editor("one\n")
    at.edit(0, 3, "ONE")
    left = at.history.without(lambda uri: uri == URI)
    assert left.steps == () and left.texts == {}


def test_it_is_bounded() -> None:
    at = editor("a\n" * 500)
    for line in range(MOST_STEPS + 10):
        at.edit(2 * line, 1, "b", after=9)
    assert len(at.history.steps) == MOST_STEPS
    assert at.history.steps[-1].line == MOST_STEPS + 9
    at.send([Edit(0, 0, "x" * (MOST_CHARS + 1))])
    at.time += 9
    assert at.history.steps == ()
    at.edit(len(at.document.text), 0, "y")
    assert [step.new for step in at.history.steps] == ["y"]


# --- properties -------------------------------------------------------------------------------------------------------

TEXTS = st.text("ab \n\r_é😀", max_size=24)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[str, list[tuple[float, list[Edit], bool]]]:
    """A text, and messages: each with its time, its edits, and whether it was an accept."""
    text = start = draw(TEXTS)
    time, messages = 0.0, []
    undo: list[str] = [text]
    for _ in range(draw(st.integers(0, 12))):
        time += draw(st.sampled_from([0.0, 0.1, 1.0, 5.0]))
        edits = []
        for _ in range(draw(st.integers(1, 3))):
            if draw(st.integers(0, 3)) == 0 and len(undo) > 1:
                edit = _whole_difference(text, undo.pop())
            else:
                offset = draw(st.integers(0, len(text)))
                delete = draw(st.integers(0, min(4, len(text) - offset)))
                edit = Edit(offset, delete, draw(st.text("ab \n\r_é😀", max_size=4)))
                undo.append(text)
            text = edit.apply(text)
            edits.append(edit)
        messages.append((time, edits, draw(st.integers(0, 5)) == 0))
    return start, messages


def _whole_difference(before: str, after: str) -> Edit:
    """The change as a slow and plain program finds it: from the first differing character to the last."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    tail = 0
    while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return Edit(same, len(before) - same - tail, after[same : len(after) - tail])


@settings(max_examples=examples(400))
@given(recordings())
def test_replaying_the_steps_gives_the_document(recording: tuple[str, list[tuple[float, list[Edit], bool]]]) -> None:
    start, messages = recording
    at = editor(start)
    for time, edits, accepted in messages:
        at.time = time
        at.send(edits, accepted)
        text, document = start, Document(URI, start)
        for step in at.history.steps:
            assert text[step.offset : step.offset + len(step.old)] == step.old
            assert step.line == document.position(step.offset).line or not step.old
            text = step.change.apply(text)
            document = Document(URI, text)
            assert step.line == document.position(step.offset).line
            assert step.old != step.new
        assert text == at.document.text
        assert apply_edits(text, [step.inverse for step in reversed(at.history.steps)]) == start


@settings(max_examples=examples(300))
@given(recordings(), st.data())
def test_the_history_is_the_same_however_changes_are_sent(
    recording: tuple[str, list[tuple[float, list[Edit], bool]]], data: st.DataObject
) -> None:
    start, messages = recording
    one, other = editor(start), editor(start)
    for time, edits, _ in messages:
        one.time = other.time = time
        one.send(edits)
        cut = data.draw(st.integers(0, len(edits)))
        other.send(edits[:cut])
        assert other.history.steps is not None  # looking at it in between changes nothing
        other.send(edits[cut:])
        assert one.history == other.history
        assert one.history.digest == other.history.digest


@settings(max_examples=examples(200))
@given(
    st.text("ab \n\r", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.text("ab \n\r_é", max_size=24)), max_size=6),
)
@example("aa\na\n\na\n", [(0, 0, "__"), (4, 3, "")])  # the lines that come back could be these or those after them
def test_undoing_everything_leaves_nothing(start: str, changes: list[tuple[int, int, str]]) -> None:
    at = editor(start)
    texts = []
    for offset, delete, insert in changes:
        place = min(offset, len(at.document.text))
        texts.append(at.document.text)
        at.edit(place, min(delete, len(at.document.text) - place), insert, after=9)
    for text in reversed(texts):
        change = _whole_difference(at.document.text, text)
        at.edit(change.offset, change.delete, change.insert, after=9)
    assert at.document.text == start
    assert at.history.steps == ()
