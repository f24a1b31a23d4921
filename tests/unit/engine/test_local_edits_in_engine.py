"""The edit model of a local process in the engine: what it is asked along a chain that the user accepts, and that what
was kept or computed ahead is what it would answer now. The decoder answers by a rule."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.edits.edit import EditSource
from tabspec.edits.history import EMPTY
from tabspec.engine.engine import CompletionEngine
from tabspec.models.edit_protocol import EditAnswer, EditRequest
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.process_edits import REGION
from tabspec.models.scripted.model import ScriptedModel
from tabspec.prompt.edit_format import Tag
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer, Source, Suggestion
from tabspec.text import Document, Edit
from tests.edit_decoder import RuleDecoder, ruled

URI = "file:///shop/a.py"
WANTED = {"one = red": "one = 'crimson'", "two = 2 + 2": "two = four", "three(x)": "three(x, y)"}
GAP = "".join(f"step_{number}()\n" for number in range(5))
TEXT = GAP + GAP.join(f"{line}\n" for line in WANTED) + GAP


def written(window: str) -> str:
    for old, new in WANTED.items():
        window = "\n".join(new if line == old else line for line in window.split("\n"))
    return window


class Editor:
    """A document before an engine whose edits come from `LocalEdits`."""

    def __init__(self, text: str = TEXT) -> None:
        self.edits, self.decoder = model()
        self.engine = CompletionEngine(ScriptedModel(lambda _: ""), EngineConfig(), edits=self.edits)
        self.context = EditContext(Document(URI, text, "python"), 0, EMPTY)
        self.time = 0.0

    def edit(self, offset: int, delete: int, insert: str) -> None:
        self.time += 9
        document, edit = self.context.document, Edit(offset, delete, insert)
        history = self.context.history
        assert history is not None
        new = document.edited(edit)
        self.context = EditContext(new, edit.end, history.changed(document, [edit], new, self.time))

    def put(self, offset: int) -> None:
        self.context = replace(self.context, offset=offset)

    async def ask(self) -> Answer:
        return await self.engine.complete(self.context)

    def take(self, suggestion: Suggestion) -> None:
        self.engine.accepted(self.context, suggestion)
        self.context = self.context.after_accept(suggestion)


def model() -> tuple[LocalEdits, RuleDecoder]:
    return ruled(written, lambda line: Tag.CHANGES if line in WANTED else Tag.STAYS, sure=14.0)


def test_a_chain_is_one_scan() -> None:
    async def scenario() -> None:
        editor = Editor()
        editor.edit(len("step_0("), 0, "now")
        scans, reads = set(), []
        for line in WANTED.values():
            editor.decoder.passes.clear()
            answer = await editor.ask()
            reads.append(sum(editor.decoder.passes))
            assert answer.suggestion is not None and answer.suggestion.edit is not None
            assert answer.suggestion.edit.source is EditSource.MODEL
            scans.update(editor.edits._tags)
            editor.take(answer.suggestion)
            assert line in editor.context.document.text.split("\n")
        assert editor.context.document.text == "step_0(now" + written(TEXT)[len("step_0(") :]
        assert (await editor.ask()).suggestion is None
        assert len(scans) == 1
        assert max(reads[1:]) < reads[0] / 2
        await editor.engine.close()

    run_virtual(scenario())


def test_the_region_stays_while_the_user_goes_far_along_a_chain() -> None:
    """A region around the cursor would move with the jump, and with it what patterns and words find elsewhere."""

    async def scenario() -> None:
        apart = "".join(f"step_{number}({', '.join('abcdefghij')})\n" for number in range(250))
        assert REGION.chars / 2 < len(apart) < REGION.chars
        editor = Editor(f"{apart}{apart}two()\n{apart}two = 2 + 2\n{apart}{apart}")
        requests: list[EditRequest] = []
        write = editor.edits.edit

        async def noted(request: EditRequest) -> EditAnswer:
            requests.append(request)
            return await write(request)

        editor.edits.edit = noted  # type: ignore[method-assign]
        editor.edit(2 * len(apart), 3, "x")
        answer = await editor.ask()
        read, scans = sum(editor.decoder.passes), len(editor.edits._tags)
        assert scans == 2 and answer.suggestion is not None and "four" in answer.suggestion.text
        editor.take(answer.suggestion)
        assert (await editor.ask()).suggestion is None
        assert len(editor.edits._tags) == scans
        assert sum(editor.decoder.passes) - read < read / 2
        assert requests[1].line == requests[0].line
        editor.put(0)  # too far from the user's edit
        await editor.ask()
        assert (requests[2].line, requests[2].cursor) == (0, 0)
        await editor.engine.close()

    run_virtual(scenario())


def test_what_is_computed_ahead_is_what_a_fresh_model_answers() -> None:
    async def scenario() -> None:
        editor = Editor(TEXT.replace("\n", "\r\n"))
        editor.edit(len("step_0("), 0, "now")
        answer = await editor.ask()
        for turn in range(3):
            assert answer.suggestion is not None
            editor.engine.shown(editor.context, answer.suggestion)
            await asyncio.sleep(60)  # on the virtual clock: what follows is asked ahead
            editor.take(answer.suggestion)
            answer = await editor.ask()
            if turn < 2:
                assert answer.source is Source.SPECULATED
            fresh = CompletionEngine(ScriptedModel(lambda _: ""), EngineConfig(), edits=model()[0])
            expected = await fresh.complete(replace(editor.context))
            assert (answer.suggestion and answer.suggestion.edit and answer.suggestion.edit.change) == (
                expected.suggestion and expected.suggestion.edit and expected.suggestion.edit.change
            )
            await fresh.close()
        assert editor.context.document.text.count("\r\n") == TEXT.count("\n")
        await editor.engine.close()

    run_virtual(scenario())


def test_it_is_asked_ahead_of_edits_and_not_of_completions() -> None:
    async def scenario() -> None:
        editor = Editor()
        completing = CompletionEngine(
            ScriptedModel(lambda request: "now" if request.prefix.endswith("step_0(") else ""),
            EngineConfig(),
            edits=editor.edits,
        )
        editor.edit(len("step_0("), 1, ")")
        editor.edit(len("step_0("), 1, "")
        context = replace(editor.context, offset=len("step_0("))
        answer = await completing.complete(context)
        assert answer.suggestion is not None and answer.suggestion.edit is None
        completing.shown(context, answer.suggestion)
        await asyncio.sleep(60)
        assert not editor.decoder.passes
        await completing.close()
        await editor.engine.close()

    run_virtual(scenario())


def test_the_calibrated_probability_decides() -> None:
    """An edit that is right less often than once in four is not shown."""

    async def scenario() -> None:
        for least, bias in ((True, 0.0), (False, -30.0)):
            editor = Editor()
            weights = editor.edits.calibration.weights
            editor.edits.calibration = replace(editor.edits.calibration, weights=(bias, *weights[1:]))
            editor.edit(len("step_0("), 0, "now")
            assert ((await editor.ask()).suggestion is not None) == least
            await editor.engine.close()

    run_virtual(scenario())
