"""Repetitions that patterns find, beside a model that judges them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from written_scene import Editor, changing

from tabspec.edits.edit import EditSource
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.protocol import GenerationRequest
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Reason, Source

REPEATED = "".join(f"self.check(part_{number}, None)\nx = {number}\n" for number in range(6))
RENAMED = "def count(a):\n    return a\n\n\nprint(count(1))\n"


def repeating(judges: bool, script: Callable[[EditRequest], str], text: str = REPEATED) -> Editor:
    """The user has changed the first two of several lines alike: a pattern proposes the others."""
    editor = Editor(script, text=text)
    editor.edits.judges = judges
    for _ in range(2):
        editor.edit(editor.context.document.text.index("None"), 4, "0", cursor=0)
    return editor


def test_repetitions_are_left_to_a_model_that_judges_them() -> None:
    async def scenario() -> None:
        alone, absent = (repeating(judges, changing("nothing", "nothing")) for judges in (False, True))
        absent.edits.region = None  # it writes no edits
        for editor in (alone, absent):
            suggestion = (await editor.ask()).suggestion
            assert suggestion and suggestion.edit and suggestion.edit.source is EditSource.SIBLING
            assert editor.edits.requests == []
        agreeing = repeating(True, changing("(part_2, None)", "(part_2, 0)"))
        suggestion = (await agreeing.ask()).suggestion
        assert suggestion and suggestion.edit and suggestion.edit.source is EditSource.MODEL
        silent = repeating(True, changing("nothing", "nothing"))
        assert (await silent.ask()).reason is Reason.EMPTY and len(silent.edits.requests) == 1
        for editor in (alone, absent, agreeing, silent):
            await editor.engine.close()

    run_virtual(scenario())


def far(near: str) -> Editor:
    """Two changed lines at the top, then ``near``, and a line like them that the model reads from below only."""
    other = "".join(f"x = {number}\n" for number in range(40))
    text = f"self.check(part_0, None)\nself.check(part_1, None)\n{near}{other}self.check(part_2, None)\n"
    return repeating(True, changing("nothing", "nothing"), text)


def test_a_repetition_that_the_model_does_not_see_is_shown_at_once() -> None:
    async def scenario() -> None:
        editor = far("")
        place = editor.context.document.text.index("part_2")
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.edit and suggestion.edit.source is EditSource.SIBLING
        assert suggestion.edit.change.offset > place and editor.edits.requests == []
        editor.put(place - 20)
        assert (await editor.ask()).reason is Reason.EMPTY and len(editor.edits.requests) == 1
        await editor.engine.close()

    run_virtual(scenario())


def test_it_is_not_shown_before_a_nearer_one_that_the_model_judges() -> None:
    async def scenario() -> None:
        editor = far("self.check(part_3, None)\n")
        text = editor.context.document.text
        assert (await editor.ask()).reason is Reason.EMPTY and len(editor.edits.requests) == 1
        near = replace(editor.context, offset=text.index("part_3"))
        editor.edits.judges = False
        first = (await editor.engine.edit(near)).suggestion
        assert first and first.edit and first.edit.change.offset < text.index("x = 0")
        editor.edits.judges = True
        editor.engine.rejected(near, first)
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.edit and suggestion.edit.change.offset > text.index("part_2")
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("error", [ModelError("wrong"), ModelUnavailable("gone")])
def test_repetitions_are_shown_where_the_model_fails(error: Exception) -> None:
    async def scenario() -> None:
        editor = repeating(True, changing("nothing", "nothing"))
        editor.edits.fail = error
        for ask in (editor.ask(), editor.engine.edit(editor.context)):
            suggestion = (await ask).suggestion
            assert suggestion and suggestion.edit and suggestion.edit.source is EditSource.SIBLING
        assert len(editor.edits.requests) == 2
        await editor.engine.close()

    run_virtual(scenario())


def test_a_completion_that_fails_shows_no_repetition_that_was_judged() -> None:
    async def scenario() -> None:
        def failing(_: GenerationRequest) -> str:
            raise ModelError("wrong")

        editor = repeating(True, changing("nothing", "nothing"))
        editor.model.script = failing
        assert (await editor.ask()).reason is Reason.FAILED and len(editor.edits.requests) == 1
        await editor.engine.close()

    run_virtual(scenario())


def test_a_rename_is_shown_at_once_beside_a_model_that_judges() -> None:
    async def scenario() -> None:
        editor = Editor(changing("nothing", "nothing"), text=RENAMED)
        editor.edits.judges = True
        editor.edit(4, 5, "total")
        editor.put(0)
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.edit and suggestion.edit.source is EditSource.RENAME
        assert editor.edits.requests == []
        await editor.engine.close()

    run_virtual(scenario())


def test_behind_a_judged_edit_the_next_one_is_asked_ahead() -> None:
    async def scenario() -> None:
        def next_one(request: EditRequest) -> str:
            return request.region.replace("None)", "0)", 1)

        editor = repeating(True, next_one)
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.edit
        editor.engine.shown(editor.context, suggestion)
        await asyncio.sleep(1.0)
        editor.take(suggestion)
        answer = await editor.ask()
        assert answer.source is Source.SPECULATED and answer.waited == 0.0 and answer.suggestion
        await editor.engine.close()

    run_virtual(scenario())
