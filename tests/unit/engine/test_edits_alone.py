"""Next edits alone: where no completion competes, such as in Neovim's Normal mode. The model is asked as elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from written_scene import Editor, at, changing

from tabspec.edits.edit import EditSource
from tabspec.engine.next_edits.choice import TYPING_PAUSE_S
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Reason, Source
from tests.edit_engine import TEXT as PATTERN


@pytest.mark.parametrize("completion", ["", " = 3"])
def test_the_model_is_asked_whatever_completion_there_may_be(completion: str) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"), completion)
        editor.edit(at(10), 4, "row", cursor=at(10))
        answer = await editor.engine.edit(editor.context)
        assert answer.suggestion and answer.suggestion.edit and answer.suggestion.edit.source is EditSource.MODEL
        assert (answer.source, answer.waited) == (Source.MODEL, pytest.approx(0.2))
        again = await editor.engine.edit(editor.context)
        assert (again.source, again.waited, again.suggestion) == (Source.EXACT, 0.0, answer.suggestion)
        assert len(editor.edits.requests) == 1 and not editor.model.requests
        await editor.engine.close()

    run_virtual(scenario())


def test_a_pattern_asks_no_model() -> None:
    async def scenario() -> None:
        editor = Editor(changing("a", "b"), text=PATTERN)
        editor.edit(6, 5, "total")
        answer = await editor.engine.edit(editor.context, pause=True)
        assert answer.suggestion and answer.suggestion.edit and answer.suggestion.edit.source is EditSource.RENAME
        assert answer.waited == 0.0 and not editor.edits.requests
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("pause", [False, True])
def test_a_step_that_is_being_typed(pause: bool) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        editor.edit(at(10), 4, "row")
        answer = await editor.engine.edit(editor.context, pause)
        assert answer.suggestion and answer.waited == pytest.approx(0.2 + (TYPING_PAUSE_S if pause else 0.0))
        await editor.engine.close()

    run_virtual(scenario())


def test_where_nothing_was_edited_there_is_no_request() -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        assert (await editor.engine.edit(editor.context)).reason is Reason.EMPTY
        assert not editor.edits.requests
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("by", ["change", "request", "cancelling", "refusal"])
def test_what_ends_a_request_stops_the_model(by: str) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"), seconds=5.0)
        editor.edit(at(10), 4, "row", cursor=at(10))
        asked = asyncio.create_task(editor.engine.edit(editor.context))
        await asyncio.sleep(1)
        assert editor.edits.running == 1
        if by == "change":
            editor.edit(0, 0, "x")
            editor.engine.changed(editor.context)
            assert (await asked).reason is Reason.SUPERSEDED
        elif by == "request":
            editor.put(at(20) - 1)
            other = asyncio.create_task(editor.engine.edit(editor.context))
            assert (await asked).reason is Reason.SUPERSEDED
            assert (await other).suggestion
        elif by == "cancelling":
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            editor.put(0)
            editor.engine.changed(editor.context)
        else:
            suggestion = (await asked).suggestion
            assert suggestion
            editor.engine.rejected(editor.context, suggestion)
            assert (await editor.engine.edit(editor.context)).suggestion is None
        await asyncio.sleep(0)
        assert editor.edits.running == 0
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("first", ["completion", "edit"])
def test_a_completion_at_the_same_place_is_answered_beside_it(first: str) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"), " = 3", seconds=5.0)
        editor.edit(at(10), 4, "row", cursor=at(10))
        calls = (editor.engine.complete, editor.engine.edit)
        begun = []
        for call in calls if first == "completion" else reversed(calls):
            begun.append(asyncio.create_task(call(editor.context)))
            await asyncio.sleep(0)
        completion, edit = [await each for each in (begun if first == "completion" else reversed(begun))]
        assert completion.suggestion and completion.suggestion.text.startswith(" = 3")
        assert edit.suggestion and edit.suggestion.edit and edit.suggestion.edit.source is EditSource.MODEL
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("closed", [False, True])
def test_a_change_ends_the_requests_of_both_kinds(closed: bool) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"), " = 3", seconds=5.0)
        editor.edit(at(10), 4, "row", cursor=at(10))
        tasks = [asyncio.create_task(call(editor.context)) for call in (editor.engine.complete, editor.engine.edit)]
        await asyncio.sleep(0)
        if closed:
            editor.engine.closed(editor.context.uri)
        else:
            editor.edit(0, 0, "x")
            editor.engine.changed(editor.context)
        assert [(await task).reason for task in tasks] == [Reason.SUPERSEDED] * 2
        await editor.engine.close()

    run_virtual(scenario())


def test_the_edit_after_it_is_written_ahead() -> None:
    async def scenario() -> None:
        editor = Editor(lambda request: request.region.replace("line 12", "row 12").replace("line 18", "row 18"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        first = (await editor.engine.edit(editor.context)).suggestion
        assert first
        editor.engine.shown(editor.context, first)
        await asyncio.sleep(2)
        editor.take(first)
        answer = await editor.engine.edit(editor.context)
        assert answer.source is Source.SPECULATED and answer.suggestion and answer.waited == 0.0
        await editor.engine.close()

    run_virtual(scenario())
