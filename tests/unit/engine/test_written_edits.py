"""Next edits that a model writes: when it is asked, what is kept, what is asked ahead, and that the cache serves what
the model would answer now."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_scene import TEXT, URI, Editor, at, changing

from tabspec.context import EditContext
from tabspec.edits.edit import EditSource
from tabspec.edits.history import EMPTY
from tabspec.engine.next_edits.choice import TYPING_PAUSE_S
from tabspec.engine.next_edits.state import UNKNOWN, EditState
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.edit_protocol import PAST_CHARS, EditRequest, RegionSize
from tabspec.models.protocol import GenerationRequest
from tabspec.prompt.window import WindowSize
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Reason, Source, Suggestion
from tabspec.text import Document, Edit
from tests.examples import examples
from tests.scripted_edit_model import ScriptedEditModel


def test_where_nothing_else_is_offered_the_model_is_asked() -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        answer = await editor.ask()
        suggestion = answer.suggestion
        assert suggestion and suggestion.edit and suggestion.edit.source is EditSource.MODEL
        assert answer.source is Source.MODEL and answer.waited == pytest.approx(0.25, abs=0.02)
        assert suggestion.edit.apply(editor.context.document).text == editor.context.document.text.replace(
            "line 12", "row 12"
        )
        (request,) = editor.edits.requests
        assert request.path == "a.py" and request.foreground and request.region.startswith("line 0\n")
        assert [(past.old, past.new) for past in request.history] == [("line 10\n", "row 10\n")]
        assert "line 10\n" in request.earlier and "row 10\n" in request.region
        again = await editor.ask()
        assert again.source is Source.EXACT and again.suggestion == suggestion and again.waited == 0.0
        assert len(editor.edits.requests) == 1
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize(("completion", "asked"), [("", 1), (" = 3", 0)])
def test_a_completion_comes_first(completion: str, asked: int) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"), completion)
        editor.edit(at(10), 4, "row", cursor=at(11) - 2)
        answer = await editor.ask()
        assert answer.suggestion and (answer.suggestion.edit is not None) == bool(asked)
        assert len(editor.edits.requests) == asked
        await editor.engine.close()

    run_virtual(scenario())


def test_without_edits_it_is_not_asked() -> None:
    async def scenario() -> None:
        editor = Editor(changing("line", "row"))
        assert (await editor.ask()).reason is Reason.EMPTY
        editor.context = replace(editor.context, history=None)
        assert (await editor.ask()).reason is Reason.EMPTY
        assert not editor.edits.requests
        await editor.engine.close()

    run_virtual(scenario())


def test_a_model_that_writes_no_edits_is_not_asked() -> None:
    async def scenario() -> None:
        editor = Editor(changing("line", "row"))
        editor.edits.region = None
        editor.edit(at(10), 4, "row", cursor=at(10))
        assert (await editor.ask()).reason is Reason.EMPTY
        assert not editor.edits.requests
        await editor.engine.close()

    run_virtual(scenario())


def test_nothing_to_change_is_an_answer_that_is_kept() -> None:
    async def scenario() -> None:
        editor = Editor(lambda request: request.region)
        editor.edit(at(10), 4, "row", cursor=at(10))
        for _ in range(2):
            answer = await editor.ask()
            assert answer.suggestion is None and answer.reason is Reason.EMPTY
        assert len(editor.edits.requests) == 1
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(ModelError("it broke"), Reason.FAILED), (ModelUnavailable("it is gone"), Reason.UNAVAILABLE)],
)
def test_a_failure_is_reported_and_the_next_request_asks_again(fault: ModelError, reason: Reason) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        editor.edits.fail = fault
        editor.edit(at(10), 4, "row", cursor=at(10))
        answer = await editor.ask()
        assert answer.reason is reason and answer.detail == str(fault)
        editor.edits.fail = None
        assert (await editor.ask()).suggestion is not None
        await editor.engine.close()

    run_virtual(scenario())


def test_the_gate_holds_for_it() -> None:
    """What is unlikely, was refused, or takes back the user's own edit is not shown."""

    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        editor.edits.logprob = -2.0  # 0.14, below one in four
        assert (await editor.ask()).suggestion is None
        await editor.engine.close()
        editor = Editor(changing("line 12", "row 12"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        suggestion = (await editor.ask()).suggestion
        assert suggestion
        editor.engine.rejected(editor.context, suggestion)
        assert (await editor.ask()).suggestion is None
        await editor.engine.close()
        editor = Editor(changing("row 10", "line 10"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        assert (await editor.ask()).suggestion is None
        await editor.engine.close()

    run_virtual(scenario())


def test_of_an_answer_with_several_places_one_is_offered_and_the_rest_is_asked_anew() -> None:
    """Ahead, while the first is on the screen. Where that one was refused, the other is offered."""

    async def scenario() -> None:
        editor = Editor(lambda request: request.region.replace("line 12", "row 12").replace("line 18", "row 18"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        first = (await editor.ask()).suggestion
        assert first and first.edit
        editor.engine.shown(editor.context, first)
        await asyncio.sleep(2)
        taken = editor.context.after_accept(first)
        answer = await editor.engine.complete(taken)
        assert answer.source is Source.SPECULATED and answer.suggestion and answer.waited == 0.0
        after = taken.after_accept(answer.suggestion).document.text
        assert "row 12\n" in after and "row 18\n" in after
        assert [request.foreground for request in editor.edits.requests] == [True, False, False]
        editor.engine.rejected(editor.context, first)
        other = (await editor.ask()).suggestion
        assert other and other.edit
        assert "row 18\n" in other.edit.apply(editor.context.document).text
        await editor.engine.close()

    run_virtual(scenario())


def one_further(request: EditRequest) -> str:
    """Rewrites the first line below the cursor that is not yet rewritten."""
    rest = request.region[request.cursor :]
    return request.region[: request.cursor] + rest.replace("line", "row", 1)


def test_the_model_is_asked_ahead_along_the_chain() -> None:
    """While an edit is read, those after it are written, several accepts deep; then each Tab is instant."""

    async def scenario() -> None:
        editor = Editor(one_further, policy="chain", depth=3)
        editor.edit(at(10), 4, "row")
        first = (await editor.ask()).suggestion
        assert first and first.edit
        editor.engine.shown(editor.context, first)
        await asyncio.sleep(3)
        asked = len(editor.edits.requests)
        assert asked == 4 and not editor.edits.requests[-1].foreground  # the shown one, and three ahead
        suggestion: Suggestion | None = first
        for _ in range(3):
            assert suggestion
            editor.take(suggestion)
            answer = await editor.ask()
            assert answer.source is Source.SPECULATED and answer.waited == 0.0
            suggestion = answer.suggestion
        assert len(editor.edits.requests) == asked
        kinds = editor.engine.stats.kinds["written"]
        assert (kinds.asked, kinds.used, kinds.tokens, kinds.used_tokens) == (3, 3, 3, 3)
        await editor.engine.close()

    run_virtual(scenario())


def test_the_completion_and_the_edit_that_are_asked_ahead_are_priced_as_one() -> None:
    """The completion takes 0.05 s and is nothing, the edit after it 0.2 s: the answer after Tab is there after both."""

    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        suggestion = (await editor.ask()).suggestion
        assert suggestion is not None
        measured: list[tuple[float, float]] = []
        editor.engine._price.measured = lambda *times: measured.append(times)  # type: ignore[method-assign]
        editor.engine.shown(editor.context, suggestion)
        await asyncio.sleep(5)
        assert measured == [(pytest.approx(0.25, abs=0.02), pytest.approx(0.25, abs=0.02))]
        await editor.engine.close()

    run_virtual(scenario())


def test_behind_the_last_edit_of_a_pattern_the_model_is_asked_ahead() -> None:
    """A renamed parameter has two uses left; what the model writes after them is there at once."""

    async def scenario() -> None:
        gap = "".join(f"    step_{line}()\n" for line in range(6))
        text = f"def f(count):\n{gap}    a = count\n{gap}    return count\n"
        editor = Editor(changing("a = total", "b = total"), text=text, policy="chain")
        editor.edit(6, 5, "total", cursor=12)
        for name in ("rename", "rename", "model"):
            answer = await editor.ask()
            suggestion = answer.suggestion
            assert suggestion and suggestion.edit and suggestion.edit.source.value == name
            assert answer.waited == 0.0 and answer.cached
            editor.engine.shown(editor.context, suggestion)
            await asyncio.sleep(2)
            editor.take(suggestion)
        assert "b = total\n" in editor.context.document.text
        await editor.engine.close()

    run_virtual(scenario())


def test_a_request_joins_what_is_being_written_for_its_state() -> None:
    async def scenario() -> None:
        editor = Editor(one_further, seconds=1.0, policy="chain")
        editor.edit(at(10), 4, "row")
        first = (await editor.ask()).suggestion
        assert first
        editor.engine.shown(editor.context, first)
        await asyncio.sleep(0.5)
        editor.take(first)
        answer = await editor.ask()
        assert answer.source is Source.JOINED and answer.suggestion and 0 < answer.waited < 1.0
        assert len(editor.edits.requests) == 2 and not editor.edits.cancelled
        await editor.engine.close()

    run_virtual(scenario())


def test_a_foreground_request_interrupts_a_speculation() -> None:
    async def scenario() -> None:
        editor = Editor(one_further, seconds=5.0, policy="chain")
        editor.edit(at(10), 4, "row")
        first = (await editor.ask()).suggestion
        assert first
        editor.engine.shown(editor.context, first)
        await asyncio.sleep(0.5)
        assert editor.edits.running == 1
        editor.put(at(20) + 3)  # the edit on the screen may still be taken from there
        answer = await editor.ask()
        assert answer.suggestion and answer.waited < 5.5 and editor.edits.cancelled == 1
        await editor.engine.close()
        assert editor.edits.running == 0

    run_virtual(scenario())


def test_typing_stops_what_can_no_longer_be_reached() -> None:
    async def scenario() -> None:
        editor = Editor(one_further, seconds=5.0)
        editor.edit(at(10), 4, "row")
        asked = asyncio.create_task(editor.ask())
        await asyncio.sleep(1 + TYPING_PAUSE_S)
        assert editor.edits.running == 1
        editor.edit(0, 0, "x")
        editor.engine.changed(editor.context)
        assert (await asked).reason is Reason.SUPERSEDED
        await asyncio.sleep(0)
        assert editor.edits.running == 0
        await editor.engine.close()

    run_virtual(scenario())


def test_closing_the_document_or_the_engine_stops_the_model() -> None:
    async def scenario() -> None:
        for close in ("document", "engine"):
            editor = Editor(one_further, seconds=5.0)
            editor.edit(at(10), 4, "row")
            asked = asyncio.create_task(editor.ask())
            await asyncio.sleep(1 + TYPING_PAUSE_S)
            assert editor.edits.running == 1
            if close == "document":
                editor.engine.closed(URI)
            else:
                await editor.engine.close()
            assert (await asked).suggestion is None
            await asyncio.sleep(0.1)
            assert editor.edits.running == 0
            await editor.engine.close()

    run_virtual(scenario())


def test_without_a_cache_each_request_asks() -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"), policy="none")
        editor.edit(at(10), 4, "row", cursor=at(10))
        for _ in range(2):
            answer = await editor.ask()
            assert answer.suggestion and answer.source is Source.MODEL and not answer.cached
        assert len(editor.edits.requests) == 2
        await editor.engine.close()

    run_virtual(scenario())


@pytest.mark.parametrize("char", ["\u202e", "\u200b", "\x1b"])
def test_no_edit_holds_a_character_that_is_not_seen(char: str) -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", f"row {char}12"))
        editor.edit(at(10), 4, "row", cursor=at(10))
        assert (await editor.ask()).reason is Reason.EMPTY
        await editor.engine.close()

    run_virtual(scenario())


def test_an_unknown_probability_counts_as_one_half() -> None:
    async def scenario() -> None:
        editor = Editor(changing("line 12", "row 12"))
        editor.edits.logprob = None
        editor.edit(at(10), 4, "row", cursor=at(10))
        suggestion = (await editor.ask()).suggestion
        assert suggestion and suggestion.probability == UNKNOWN
        await editor.engine.close()

    run_virtual(scenario())


# --- what the model is shown ----------------------------------------------------------------------------------------

# No "\r" alone: before "\r\n" it makes a "\r\n" of what a model sees as "\n".
texts = st.lists(st.sampled_from((*"ab \n\t é😀", "\r\n")), max_size=120).map("".join)


@given(text=texts, data=st.data())
def test_a_request_holds_whole_lines_around_the_cursor_within_the_window(text: str, data: st.DataObject) -> None:
    document = Document(URI, "x" + text)
    edit = Edit(0, 0, "y")
    after = document.edited(edit)
    history = EMPTY.changed(document, [edit], after, 1.0)
    context = EditContext(after, data.draw(st.integers(0, len(after.text))), history)
    size = WindowSize(*data.draw(st.sampled_from([(64, 40, 20), (2300, 640, 766), (30, 10, 10)])))
    region = RegionSize(data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4)))
    state = EditState.of(context, region, size, "model", lambda *_: ())
    if state is None:
        return
    lines = {*after.line_starts, len(after.text)}
    assert state.begin <= state.start <= context.offset <= state.stop <= state.end
    assert {state.start, state.stop} <= lines
    assert context.offset - state.begin <= size.prefix_chars and state.end - context.offset <= size.suffix_chars
    request = state.request(stop=None)  # type: ignore[arg-type]
    assert "\r\n" not in request.before + request.region + request.after
    shown = request.before + request.region + request.after
    assert shown in after.text.replace("\r\n", "\n")
    assert request.region[: request.cursor] == after.text[state.start : context.offset].replace(
        "\r\n", "\n"
    ).removesuffix("\r")
    assert after.position(state.start).line == request.line


@given(text=texts, data=st.data())
def test_a_region_of_its_own_size_holds_the_cursor_and_stays_along_a_chain(text: str, data: st.DataObject) -> None:
    """Accepted next edits do not move it, as long as it holds the cursor; else it is around the cursor."""
    document = Document(URI, "x" + text)
    own = Edit(data.draw(st.sampled_from(document.line_starts)), 0, "y")
    history, time = EMPTY.changed(document, [own], document := document.edited(own), 1.0), 1.0
    region = RegionSize(data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6)), chars=30)
    before = document.text
    for _ in range(data.draw(st.integers(0, 3))):  # each at the end of a line that the user did not change
        ends = [end for start in document.line_starts if (end := _line_end(document, start)) > own.end]
        if not ends:
            break
        taken, time = Edit(data.draw(st.sampled_from(ends)), 0, "z"), time + 9
        after = document.edited(taken)
        history = history.changed(document, [taken], after, time, accepted=True, source=EditSource.MODEL)
        document = after
    context = EditContext(document, data.draw(st.integers(0, len(document.text))), history)
    state = EditState.of(context, region, WindowSize(), "model", lambda *_: ())
    if state is None:
        return
    assert state.begin <= state.start <= context.offset <= state.stop <= state.end
    request = state.request(stop=None)  # type: ignore[arg-type]
    lines = request.region.count("\n", 0, request.cursor)
    assert document.position(context.offset).line == request.line + lines
    first = EditState.of(
        EditContext(Document(URI, before), own.offset, history), region, WindowSize(), "", lambda *_: ()
    )
    if first is not None and first.start <= context.offset < first.stop:
        assert state.start == first.start


def _line_end(document: Document, start: int) -> int:
    return start + len(document.line(document.position(start).line).rstrip("\r\n"))


def test_the_history_shown_is_bounded() -> None:
    document, history = Document(URI, "a\n"), EMPTY
    for number in range(12):
        edit = Edit(0, 0, f"{'b' * 500}{number}\n")
        after = document.edited(edit)
        history = history.changed(document, [edit], after, 10.0 * number)
        document = after
    state = EditState.of(EditContext(document, 0, history), RegionSize(0, 0), WindowSize(), "model", lambda *_: ())
    assert state
    past = state.request(stop=None).history  # type: ignore[arg-type]
    assert 0 < sum(len(edit.old) + len(edit.new) for edit in past) <= PAST_CHARS
    assert past[-1].new.endswith("11\n")


# --- the equation ---------------------------------------------------------------------------------------------------


def anything(request: EditRequest) -> str:
    """An answer that depends on all that the model is shown."""
    lines = request.region.split("\n")
    dice = hash((request.before, request.region, request.after, request.cursor, request.history))
    place = dice % len(lines)
    choice = dice // 7 % 4
    if choice == 0:
        return request.region
    if choice == 1:
        lines[place] += "q"
    elif choice == 2:
        lines.insert(place, f"new{dice % 5}")
    else:
        lines[place : place + 2] = []
    return "\n".join(lines)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("type"), st.integers(0, 60), st.sampled_from(["z", "\n", "ab", "0"])),
        st.tuples(st.just("put"), st.integers(0, 60), st.just("")),
        st.tuples(st.just("tab"), st.just(0), st.just("")),
        st.tuples(st.just("wait"), st.just(0), st.just("")),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=examples(60))
@given(moves=moves, line_end=st.sampled_from(["\n", "\r\n"]))
def test_the_cache_serves_what_the_model_would_answer_now(moves: list[tuple[str, int, str]], line_end: str) -> None:
    """On whole sessions: the chain that is known of a state, asked ahead or not, equals the one of a model that is
    asked anew."""

    async def scenario() -> None:
        start = line_end.join(["alpha", "  beta", "", "gamma(1)", "delta", "epsilon", "zeta", ""])
        editor = Editor(anything, text=start, policy="chain")
        known = 0
        shown: Suggestion | None = None
        for kind, where, insert in moves:
            length = len(editor.context.document.text)
            if kind == "type":
                editor.edit(min(where, length), 0, insert)
            elif kind == "put":
                editor.put(min(where, length))
            elif kind == "wait":
                await asyncio.sleep(1)
                continue
            elif shown is not None:
                editor.take(shown)
            editor.engine.changed(editor.context)
            answer = await editor.ask()
            shown = answer.suggestion
            writer = editor.engine._edits._writer
            assert writer is not None
            chain = writer.known(editor.context)
            state = writer._state(editor.context)
            if chain is not None and state is not None:
                known += 1
                fresh = await ScriptedEditModel(anything).edit(state.request(stop=None))  # type: ignore[arg-type]
                region = state.request(stop=None).region  # type: ignore[arg-type]
                new = region if fresh.change is None else fresh.change.apply(region)
                assert chain == state.edits(new, fresh.logprobs)
            if shown is not None:
                editor.engine.shown(editor.context, shown)
        await editor.engine.close()
        assert editor.edits.running == 0

    run_virtual(scenario())


def test_the_same_text_after_other_edits_is_another_question() -> None:
    async def scenario() -> None:
        editor = Editor(one_further)
        first, second = (at(10), 4, "row"), (at(20), 4, "column")
        asked = []
        for one, other in ((first, second), (second, first)):
            editor.context = EditContext(Document(URI, TEXT, "python"), 0, EMPTY)
            for offset, delete, insert in (one, other):
                moved = -1 if (one, other) == (first, second) and offset == second[0] else 0
                editor.edit(offset + moved, delete, insert)
            editor.put(at(15))
            await editor.ask()
            asked.append(editor.context.document.text)
        assert asked[0] == asked[1]
        assert [[past.line for past in each.history] for each in editor.edits.requests] == [[10, 20], [20, 10]]
        await editor.engine.close()

    run_virtual(scenario())


def test_a_long_line_is_not_asked_about() -> None:
    def silent(request: GenerationRequest) -> str:
        return ""

    async def scenario() -> None:
        editor = Editor(changing("x", "y"), text="x" * 9000 + "\n")
        editor.edit(4000, 0, "-")
        assert (await editor.ask()).suggestion is None
        assert not editor.edits.requests
        await editor.engine.close()

    run_virtual(scenario())
