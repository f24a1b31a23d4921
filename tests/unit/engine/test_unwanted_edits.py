"""Edits that were refused or undone do not come back, and edits that contradict the document are not offered."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.gate import Refusals, is_shown, repeats, undoes
from tabspec.edits.history import EMPTY
from tabspec.edits.hunks import step_of
from tabspec.engine.next_edits import choice
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit, difference
from tests.edit_engine import URI, Editor
from tests.examples import examples

PLACE = re.compile(r"use_(\d+)\(value\)")


def places_of(document: Document, edit: ProposedEdit) -> set[str]:
    """The numbers of the places that an edit changes."""
    step = step_of(document, edit.change)
    assert step is not None
    return set(PLACE.findall(step.old)) - set(PLACE.findall(step.new))


@settings(max_examples=examples(120), deadline=None)
@given(
    st.lists(st.sampled_from((0, 1, 5)), min_size=3, max_size=8),
    st.lists(
        st.tuples(st.sampled_from(("take", "refuse", "undo", "undo", "type", "write", "move")), st.integers(0, 99)),
        max_size=12,
    ),
)
@example([5, 5, 5], [("take", 0), ("write", 1), ("undo", 0), ("move", 1)])
@example([5, 5, 5], [("refuse", 0), ("write", 1), ("move", 1)])
def test_refused_and_undone_edits_do_not_come_back_at_their_place(
    gaps: list[int], actions: list[tuple[str, int]]
) -> None:
    """``gaps``: how many lines lie between places; near ones form one edit."""
    run_virtual(_unwanted(gaps, actions))


async def _unwanted(gaps: list[int], actions: list[tuple[str, int]]) -> None:
    body = "".join(f"    use_{n}(value)\n" + "    pass\n" * gap for n, gap in enumerate(gaps))
    editor = Editor()
    editor.context = EditContext(Document(URI, "def f(value):\n" + body, "python"), 0, EMPTY)
    editor.edit(6, 5, "amount")
    editor.context = replace(editor.context, offset=0)
    unwanted: set[str] = set()
    taken: list[tuple[set[str], str, str]] = []
    for action, number in actions:
        suggestion = editor.engine.next_edit(editor.context)
        if suggestion is not None:
            assert suggestion.edit is not None
            places = places_of(editor.context.document, suggestion.edit)
            assert not places & unwanted
            step = step_of(editor.context.document, suggestion.edit.change)
            assert step is not None
            if action == "take":
                editor.take(suggestion)
                taken.append((places, step.old, step.new))
            elif action == "refuse":
                editor.engine.rejected(editor.context, suggestion)
                unwanted |= places
        text = editor.context.document.text
        if action == "undo" and taken:
            places, old, new = taken.pop(number % len(taken))
            if new in text:
                change = difference(text, text.replace(new, old, 1))
                assert change is not None
                editor.send([change])
                unwanted |= places
        elif action == "type":  # in the midst of a line elsewhere
            editor.edit(0, 0, "async ")
        elif action == "write":
            at = editor.context.document.line_starts[number % editor.context.document.line_count]
            editor.edit(at, 0, "    # a remark\n")
        elif action == "move":
            editor.context = replace(editor.context, offset=number % len(text))
    await editor.engine.close()


def proposed(offset: int, delete: int, insert: str) -> ProposedEdit:
    return ProposedEdit(URI, Edit(offset, delete, insert), offset + len(insert), EditSource.MODEL, 0.9)


def test_a_part_of_a_refused_edit_does_not_come_back_alone() -> None:
    document = Document(URI, "use(old)\nuse(old, 1)\n")
    refusals = Refusals().refused(proposed(4, 12, "new)\nuse(new"), document)
    for part in (proposed(4, 3, "new"), proposed(13, 3, "new"), proposed(0, 21, "use(new)\nuse(new, 1)\n")):
        assert refusals.hold(part, document)
    assert not refusals.hold(proposed(4, 3, "another"), document)
    assert (
        not Refusals()
        .refused(proposed(4, 12, "new)\nuse(new"), document)
        .hold(proposed(4, 3, "new"), Document("file:///b.py", document.text))
    )


@pytest.mark.parametrize(
    ("edit", "back"),
    [
        (proposed(4, 13, "count"), True),  # all of it
        (proposed(4, 13, "c"), True),  # half of it: what was put in goes
        (proposed(4, 13, "the_new_total_sum"), False),
        (proposed(20, 1, "2"), False),
        (proposed(27, 5, "total"), False),
    ],
)
def test_a_part_of_the_users_last_edit_is_not_taken_back(edit: ProposedEdit, back: bool) -> None:
    before = Document(URI, "use(count, 1)\n# comment count\n")
    rename = Edit(4, 5, "the_new_total")
    document = before.edited(rename)
    history = EMPTY.changed(before, [rename], document, 1.0)
    assert undoes(edit, document, history) == back
    accepted = Edit(document.text.index("count"), 5, "total")  # a next edit changes nothing about it
    later = document.edited(accepted)
    history = history.changed(document, [accepted], later, 2.0, accepted=True, source=EditSource.RENAME)
    if edit.change.offset < 20:
        assert undoes(edit, later, history) == back


def test_text_inserted_by_an_accepted_edit_is_not_inserted_again_next_to_it() -> None:
    document, lines = Document(URI, "a\nb\n"), Edit(2, 0, "new\n")
    after = document.edited(lines)
    history = EMPTY.changed(document, [lines], after, 1.0, accepted=True, source=EditSource.SIBLING)
    assert repeats(proposed(2, 0, "new\n"), after, history) and repeats(proposed(6, 0, "new\n"), after, history)
    assert not repeats(proposed(8, 0, "new\n"), after, history)
    assert not repeats(proposed(2, 0, "other\n"), after, history)
    assert not is_shown(proposed(6, 0, "new\n"), after, (after, 0), history, Refusals())
    own = EMPTY.changed(document, [lines], after, 1.0)
    assert not repeats(proposed(2, 0, "new\n"), after, own)


def test_a_line_with_the_same_beginning_above_does_not_take_over_a_refusal() -> None:
    """As a difference of texts, the new line could begin in the midst of the refused one."""

    async def scenario() -> None:
        editor = Editor()
        editor.context = EditContext(Document(URI, "def f(value):\n    use(value, 1)\n", "python"), 0, EMPTY)
        editor.edit(6, 5, "amount")
        editor.context = replace(editor.context, offset=0)
        suggestion = editor.engine.next_edit(editor.context)
        assert suggestion and suggestion.edit
        editor.engine.rejected(editor.context, suggestion)
        editor.edit(editor.context.document.line_starts[1], 0, "    use(values, 2)\n")
        assert editor.engine.next_edit(replace(editor.context, offset=0)) is None
        await editor.engine.close()

    run_virtual(scenario())


def test_the_document_wins_over_a_history_that_contradicts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        editor = Editor()
        editor.edit(6, 5, "total")
        context = replace(editor.context, offset=0)
        assert editor.engine.next_edit(context)
        missed = replace(context, document=Document(URI, "# above\n" + context.document.text, "python"))
        assert editor.engine.next_edit(missed) is None
        assert (await editor.engine.complete(missed)).suggestion is None
        assert editor.engine.next_edit(context)  # as it was: what was found for the other text is not served here
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("kind", ["paste", "formatter", "branch", "many"])
def test_changes_that_were_not_typed_give_no_proposals(kind: str) -> None:
    async def scenario() -> None:
        editor = Editor()
        text = editor.context.document.text
        changes = {
            "paste": [Edit(0, 0, text.replace("count", "total"))],
            "formatter": [Edit(at, 4, "\t") for at in reversed(editor.context.document.line_starts[1:-1])],
            "branch": [Edit(0, len(text), text.replace("count", "total").replace("step_", "stage_") + text)],
            "many": [Edit(at + 4, 0, "x = ") for at in reversed(editor.context.document.line_starts[1:-2])],
        }
        editor.send(changes[kind])
        assert editor.engine.next_edit(replace(editor.context, offset=0)) is None
        await editor.engine.close()

    run_virtual(scenario())


def test_proposals_for_other_documents_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Document, ...]] = []

    def propose(document: Document, cursor: int, steps: object, others: tuple[Document, ...]) -> tuple[()]:
        asked.append(others)
        return ()

    monkeypatch.setattr(choice, "propose", propose)

    async def scenario() -> None:
        editor = Editor()
        editor.edit(6, 5, "total")
        for others in ((), (Document("file:///b", "x"),), (Document("file:///b", "x", "python"),), ()):
            assert editor.engine.next_edit(replace(editor.context, offset=0, others=others)) is None
        await editor.engine.close()

    run_virtual(scenario())
    assert [len(others) for others in asked] == [0, 1, 1]


def test_an_edit_is_applied_to_the_text_it_was_offered_for() -> None:
    suggestion = Suggestion.of(proposed(2, 1, "x"))
    state = EditContext(Document(URI, "abc"), 0, EMPTY).after_accept(suggestion)
    assert difference("abc", state.document.text) == Edit(2, 1, "x")
    assert state.history is not None and [step.source for step in state.history.steps] == [EditSource.MODEL]
