"""Next edits in the engine: offered, walked from the completion cache, refused, undone, and beside completions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.edits.chain import at_once
from tabspec.edits.edit import EditSource, ProposedEdit, chained
from tabspec.edits.history import EMPTY
from tabspec.engine.next_edits import choice
from tabspec.engine.next_edits.choice import SURE, TYPING_PAUSE_S
from tabspec.errors import ModelError, PositionError
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Reason, Source
from tabspec.text import Document, Edit
from tests.edit_engine import GAP, TEXT, URI, Editor, on_engine, renamed
from tests.examples import examples


@on_engine
async def test_a_chain_is_walked_from_the_completion_cache() -> None:
    editor = Editor(policy="chain")
    renamed(editor)
    for number in range(3):
        answer = await editor.ask()
        suggestion = answer.suggestion
        assert suggestion and suggestion.edit and suggestion.text == "total"
        assert answer.source is (Source.SPECULATED if number else Source.EXACT)
        assert answer.cached and answer.waited == 0.0
        editor.engine.shown(editor.context, suggestion)
        editor.take(suggestion)
    assert editor.context.document.text == TEXT.replace("count", "total")
    assert (await editor.ask()).reason is Reason.EMPTY
    await editor.engine.close()


@on_engine
async def test_without_a_history_there_are_none() -> None:
    editor = Editor()
    renamed(editor)
    editor.context = replace(editor.context, history=None)
    assert (await editor.ask()).reason is Reason.EMPTY
    assert editor.engine.next_edit(editor.context) is None
    await editor.engine.close()


@on_engine
async def test_a_refused_edit_gives_way_to_the_next_and_does_not_come_back() -> None:
    editor = Editor()
    renamed(editor)
    places = []
    for _ in range(2):
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.edit
        places.append(editor.context.document.position(suggestion.edit.change.offset).line)
        editor.engine.rejected(editor.context, suggestion)
    assert places == [7, 14]
    assert (await editor.ask()).suggestion is None  # refused at two places, it is not offered at the third
    editor.edit(0, 0, "# a comment\n")
    editor.context = replace(editor.context, offset=5)
    assert (await editor.ask()).suggestion is None
    await editor.engine.close()


@on_engine
async def test_an_undone_edit_does_not_come_back() -> None:
    editor = Editor()
    renamed(editor)
    suggestion = (await editor.ask()).suggestion
    assert suggestion and suggestion.edit
    editor.take(suggestion)
    change = suggestion.edit.change
    editor.edit(change.offset, len(change.insert), "count")
    following = (await editor.ask()).suggestion
    assert following and following.edit and following.edit.change.offset > change.offset
    await editor.engine.close()


@on_engine
async def test_while_a_word_is_typed_an_edit_waits_for_a_pause() -> None:
    editor = Editor()
    editor.edit(6, 5, "total")
    first = asyncio.create_task(editor.ask())
    await asyncio.sleep(TYPING_PAUSE_S / 2)
    assert not first.done()
    editor.edit(11, 0, "s", after=0.1)
    second = asyncio.create_task(editor.ask())
    assert (await first).reason is Reason.SUPERSEDED
    answer = await second
    assert answer.suggestion and answer.suggestion.edit and answer.waited >= TYPING_PAUSE_S
    await editor.engine.close()


@on_engine
async def test_while_a_word_is_typed_its_completion_comes_first() -> None:
    editor = Editor(lambda request: "_items")
    editor.edit(6, 5, "total")
    answer = await editor.ask()
    assert answer.suggestion and answer.suggestion.edit is None and answer.suggestion.text == "_items"
    await editor.engine.close()


@on_engine
async def test_after_the_chain_the_model_is_asked_ahead() -> None:
    editor = Editor(lambda request: "  # done" if request.prefix.endswith("return total") else "", policy="chain")
    renamed(editor)
    for _ in range(3):
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.edit
        editor.engine.shown(editor.context, suggestion)
        await asyncio.sleep(1)
        editor.take(suggestion)
    answer = await editor.ask()
    assert answer.source is Source.SPECULATED and answer.suggestion and answer.suggestion.text == "  # done"
    await editor.engine.close()


@pytest.mark.parametrize(
    ("probability", "completion", "edited"),
    [
        (0.9, "a_long_completion_of_the_line", True),  # likelier than not: the model is not asked
        (0.4, "a_long_completion_of_the_line", False),  # 0.5 x 29 keys against 0.4 x 7
        (0.4, "x", True),
        (0.4, "", True),
        (0.2, "", False),  # worth less than silence
    ],
)
def test_edit_and_completion_compete(
    probability: float, completion: str, edited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = TEXT.index("a = count") + 4
    only = ProposedEdit(URI, Edit(place, 5, "total"), place + 5, EditSource.RENAME, probability)
    monkeypatch.setattr(choice, "propose", lambda *_: (only,))

    async def scenario() -> None:
        editor = Editor(lambda request: completion)
        renamed(editor)
        for _ in range(2):  # the second time from the completion cache: nothing else is offered
            suggestion = (await editor.ask()).suggestion
            assert (suggestion is not None and suggestion.edit is not None) == edited
            if not edited:
                assert (suggestion.text if suggestion else "") == completion
        assert len(editor.model.requests) == (probability < SURE)
        await editor.engine.close()

    run_virtual(scenario())


@on_engine
async def test_a_model_that_fails_leaves_the_edit() -> None:
    editor = Editor(lambda request: "some text")
    editor.model.fail = ModelError("down")
    editor.edit(6, 5, "total")  # still in the word: the completion is asked for first
    answer = await editor.ask()
    assert answer.suggestion and answer.suggestion.edit
    await editor.engine.close()


@on_engine
async def test_a_cursor_that_was_put_somewhere_gets_an_edit_without_the_model() -> None:
    editor = Editor()
    renamed(editor)
    suggestion = editor.engine.next_edit(editor.context)
    assert suggestion and suggestion.edit and editor.model.requests == []
    await editor.engine.close()


def in_import(document: Document, cursor: int, steps: object, others: tuple[Document, ...]) -> tuple[ProposedEdit, ...]:
    """Proposes to rename the function in what the other documents import."""
    places = [(each, each.text.find("import area") + 7) for each in others]
    edits = [(each.uri, Edit(at, 4, "circle")) for each, at in places if at > 6]
    return chained(tuple(ProposedEdit(uri, edit, edit.end, EditSource.RENAME, 0.9) for uri, edit in edits))


@on_engine
async def test_an_edit_may_be_in_another_document() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "propose", in_import)
        await _an_edit_may_be_in_another_document()


async def _an_edit_may_be_in_another_document() -> None:
    other = Document("file:///b.py", f"from a import area\n{GAP}", "python")
    start = Document(URI, "def area(r):\n    return 3 * r\n", "python")
    editor = Editor(policy="chain")
    editor.context = EditContext(start, 0, EMPTY, (other,))
    editor.edit(4, 4, "circle")
    editor.context = replace(editor.context, offset=0)
    suggestion = (await editor.ask()).suggestion
    assert suggestion and suggestion.edit and suggestion.edit.uri == other.uri
    editor.engine.shown(editor.context, suggestion)
    editor.take(suggestion)
    assert editor.context.document.text == other.text.replace("area", "circle")
    assert [each.text for each in editor.context.others] == [start.text.replace("area", "circle")]
    history = editor.context.history
    assert history and [(step.uri, step.accepted) for step in history.steps] == [(URI, False), (other.uri, True)]
    assert (await editor.ask()).suggestion is None
    await editor.engine.close()


@on_engine
async def test_a_refused_edit_of_another_document_does_not_come_back() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "propose", in_import)
        await _a_refused_edit_of_another_document_does_not_come_back()


async def _a_refused_edit_of_another_document_does_not_come_back() -> None:
    other = Document("file:///b.py", "from a import area\n", "python")
    start = Document(URI, "def area(r):\n    return 3 * r\n", "python")
    editor = Editor()
    editor.context = EditContext(start, 0, EMPTY)
    editor.edit(4, 4, "circle")
    editor.context = replace(editor.context, offset=0, others=(other,))
    suggestion = (await editor.ask()).suggestion
    assert suggestion and suggestion.edit and suggestion.edit.uri == other.uri
    editor.engine.rejected(editor.context, suggestion)
    assert (await editor.ask()).suggestion is None
    with pytest.raises(PositionError, match="not open"):
        replace(editor.context, others=()).after_accept(suggestion)
    await editor.engine.close()


# --- the cache and fresh engines -----------------------------------------------------------------------------------


@settings(max_examples=examples(25))
@given(st.lists(st.sampled_from(["take", "refuse", "type", "rename", "move", "undo"]), max_size=8))
def test_what_the_cache_serves_is_what_is_computed_now(actions: list[str]) -> None:
    run_virtual(_compare(actions))


async def _compare(actions: list[str]) -> None:
    cached, fresh = Editor(policy="chain"), Editor(policy="cache")
    renamed(cached)
    for action in actions:
        fresh.context = cached.context
        answers = [(await each.ask()).suggestion for each in (cached, fresh)]
        assert answers[0] == answers[1]
        suggestion, offset = answers[0], cached.context.offset
        if suggestion is not None:
            for each in (cached, fresh):
                each.engine.shown(each.context, suggestion)
        if action == "take" and suggestion is not None:
            fresh.take(suggestion)
            cached.take(suggestion)
        elif action == "refuse" and suggestion is not None:
            for each in (cached, fresh):
                each.engine.rejected(each.context, suggestion)
        elif action == "type":
            cached.edit(offset, 0, " ")
        elif action == "rename" and "step_3" in cached.context.document.text:
            cached.edit(cached.context.document.text.index("step_3"), 6, "stage_3")
        elif action == "undo" and cached.context.history and cached.context.history.steps:
            change = cached.context.history.steps[-1].inverse
            cached.edit(change.offset, change.delete, change.insert)
        elif action == "move":
            cached.context = replace(cached.context, offset=min(offset + 40, len(cached.context.document.text)))
    await cached.engine.close()
    await fresh.engine.close()


@pytest.mark.parametrize("probability", [SURE, 0.4])
def test_edits_of_a_chain_that_can_be_made_at_once(probability: float) -> None:
    text = Document(URI, "ab\nab\nab\n")
    chain = chained(
        tuple(
            ProposedEdit(URI, Edit(offset, 1, "xyz"), offset + 3, EditSource.RENAME, probability)
            for offset in (6, 0, 5)
        )
    )
    now = list(at_once(chain))
    assert [edit.change.offset for edit in now] == [6, 0, 3]
    assert [edit.apply(text).text for edit in now] == ["ab\nab\nxyzb\n", "xyzb\nab\nab\n", "ab\nxyzb\nab\n"]
    inside = chained((chain[0], replace(chain[0], change=Edit(7, 1, ""), cursor=7)))
    assert list(at_once(inside)) == [inside[0]]
    other = replace(chain[0], uri="file:///b.py")
    assert list(at_once((*chain, other)))[-1] == other
