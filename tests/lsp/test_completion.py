"""Inline completions and the completion menu, over standard input and output."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsp_client import URI, ResponseError

from tests.lsp.conftest import Start

TARGET = "def add(a, b):\n    return a + b\n\n\nprint(add(1, 2))\n"
MODEL = {"target": TARGET}


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["insertText"] for item in items]


async def test_an_item_holds_its_range_and_the_command_that_reports_an_accept(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("def a")
    (item,) = await client.inline(0, 5)
    here = {"line": 0, "character": 5}
    assert item["insertText"] == item["filterText"] == "dd(a, b):"
    assert item["range"] == {"start": here, "end": here}
    assert item["command"]["command"] == "tabspec.accepted"
    assert item["command"]["arguments"][0] == URI
    assert set(client.capabilities["executeCommandProvider"]["commands"]) == {"tabspec.accepted", "tabspec.rejected"}
    assert await client.stop() == 0


async def test_without_a_suggestion_the_list_is_empty(start: Start) -> None:
    client = await start(model={"answers": {}})
    client.open("def a")
    assert await client.inline(0, 5) == []
    assert (await client.status())["reasons"] == {"empty": 1}


async def test_an_existing_closing_bracket_is_replaced(start: Start) -> None:
    client = await start(model={"answers": {"f(": "x)"}})
    client.open("f()")
    (item,) = await client.inline(0, 2)
    # Either it is not said again, or it is replaced: the accepted line is the same.
    text = "f()"
    start_, end = item["range"]["start"]["character"], item["range"]["end"]["character"]
    assert text[:start_] + item["insertText"] + text[end:] == "f(x)"


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 7), ("utf-16", 5), ("utf-32", 4), (None, 5)])
async def test_positions_are_in_the_negotiated_encoding(start: Start, encoding: str | None, character: int) -> None:
    general = {"general": {"positionEncodings": [encoding]}} if encoding else {}
    capabilities = {"textDocument": {"inlineCompletion": {}}} | general
    client = await start(model={"answers": {'"😀"x': "yz"}}, initialize={"capabilities": capabilities})
    assert client.capabilities["positionEncoding"] == (encoding or "utf-16")
    client.open('"😀"x')
    (item,) = await client.inline(0, character)
    assert item["insertText"] == "yz"
    assert item["range"]["end"] == {"line": 0, "character": character}


async def test_several_documents_are_kept_apart(start: Start) -> None:
    client = await start(model={"answers": {"a": "aa", "b": "bb"}})
    client.open("a", "file:///project/a.py")
    client.open("b", "file:///project/b.py")
    first, second = await asyncio.gather(
        client.inline(0, 1, "file:///project/a.py"), client.inline(0, 1, "file:///project/b.py")
    )
    assert texts(first) == ["aa"]
    assert texts(second) == ["bb"]


async def test_a_request_sees_the_document_as_it_was_when_it_was_sent(start: Start) -> None:
    client = await start(model={"answers": {"ab": "cd"}})
    client.open("ab")
    # All in one write: the change must not reach the request before it.
    _, answer = client.begin_inline(0, 2)
    client.change(2, {"text": "something else"})
    result = await answer
    # It was for a text that is gone by now, so nothing is offered; above all, no error for a wrong place.
    assert result["items"] == [] or texts(result["items"]) == ["cd"]
    client.change(3, {"text": "ab"})
    assert texts(await client.inline(0, 2)) == ["cd"]


async def test_a_newer_request_ends_the_one_before_it_with_an_empty_list(start: Start) -> None:
    client = await start(model={"answers": {"a": "1", "ab": "2"}, "prefill_s": 0.05})
    client.open("ab")
    _, older = client.begin_inline(0, 1)
    assert texts(await client.inline(0, 2)) == ["2"]
    assert (await older)["items"] == []
    assert (await client.status())["reasons"] == {"superseded": 1}


async def test_a_cancelled_request_ends_with_its_error_and_stops_the_model(start: Start) -> None:
    client = await start(model={"any": True, "prefill_s": 3600})
    client.open("a")
    number, answer = client.begin_inline(0, 1)
    client.notify("$/cancelRequest", {"id": number})
    with pytest.raises(ResponseError) as caught:
        await answer
    assert caught.value.code == -32800  # RequestCancelled
    status = await client.status()
    assert status["reasons"] == {"cancelled": 1}
    assert await client.stop() == 0  # a model that still ran would hold it up for an hour


async def test_work_for_unreachable_states_stops(start: Start) -> None:
    client = await start(model={"answers": {"ab": "c"}, "prefill_s": 3600})
    client.open("ab")
    _, older = client.begin_inline(0, 2)
    client.change(2, {"text": "something else"})  # and no request behind it: the user has left insert mode, say
    assert (await older)["items"] == []
    status = await client.status()
    assert status["reasons"] == {"superseded": 1}


async def test_work_for_reachable_states_continues(start: Start) -> None:
    client = await start(model={"target": "abcdef", "prefill_s": 1.0})
    client.open("ab")
    _, older = client.begin_inline(0, 2)
    here = {"line": 0, "character": 2}
    client.change(2, {"range": {"start": here, "end": here}, "text": "c"})
    (item,) = await client.inline(0, 3)
    assert item["insertText"] == "def"
    assert (await older)["items"] == []
    status = await client.status()
    assert (status["sources"]["joined"], status["sources"]["model"]) == (1, 0)  # one generation answered


async def test_cancelling_a_finished_request_changes_nothing(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("def a")
    number, answer = client.begin_inline(0, 5)
    await answer
    client.notify("$/cancelRequest", {"id": number})
    client.notify("$/cancelRequest", {"id": "nobody's"})
    assert texts(await client.inline(0, 5)) == ["dd(a, b):"]


async def test_an_item_includes_the_selected_completion_of_the_menu(start: Start) -> None:
    client = await start(model={"answers": {"x.append": "(y)"}})
    client.open("x.ap")
    place = {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 4}}
    info = {"range": place, "text": "append"}
    (item,) = await client.inline(0, 4, selectedCompletionInfo=info)
    assert item["insertText"] == "append(y)"
    assert item["range"] == place
    assert await client.inline(0, 4) == []  # without the menu, the script has nothing to say there


async def test_the_menu_is_offered_to_editors_without_ghost_text_only(start: Start) -> None:
    client = await start(model=MODEL, initialize={"capabilities": {}})
    assert "completionProvider" in client.capabilities
    client.open("def a")
    params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 5}}
    (item,) = (await client.request("textDocument/completion", params))["items"]
    assert item["label"] == "add(a, b):"  # from the beginning of the word, which is what menus filter by
    assert item["textEdit"]["range"]["start"] == {"line": 0, "character": 4}
    assert item["textEdit"]["newText"] == item["filterText"] == "add(a, b):"
    assert (await client.status())["shown"] == 1

    other = await start(model=MODEL)
    assert "completionProvider" not in other.capabilities
    asked = await start(model=MODEL, initialize={"options": {"completion": "always"}})
    assert "completionProvider" in asked.capabilities
    never = await start(model=MODEL, initialize={"capabilities": {}, "options": {"completion": "never"}})
    assert "completionProvider" not in never.capabilities


async def test_unknown_documents_and_invalid_positions_get_nothing(start: Start) -> None:
    client = await start(model={"any": True})
    assert await client.inline(0, 0, "file:///never/opened.py") == []
    client.open("one line")
    assert await client.inline(7, 0) == []
    client.close()
    assert await client.inline(0, 0) == []
    client.close()
    assert await client.stop() == 0


async def test_a_model_that_fails_gives_nothing_and_one_message(start: Start) -> None:
    client = await start(model={"any": True, "fail": "out of order"})
    client.open("a")
    assert await client.inline(0, 1) == []
    assert await client.inline(0, 1) == []
    assert (await client.status())["reasons"] == {"failed": 2}
    assert len(client.received("window/showMessage")) == 1


async def test_the_suggestion_at_a_resting_cursor_is_computed_ahead(start: Start) -> None:
    client = await start(model=MODEL, initialize={"initializationOptions": {"policy": "tree", "economy": 0}})
    client.open("def a")
    for wrong in (None, {"uri": 1}, {"uri": URI, "position": {"line": 0}}, {"uri": "file:///other", "position": {}}):
        client.notify("tabspec/cursorRested", wrong)
    client.notify("tabspec/cursorRested", {"uri": URI, "position": {"line": 9, "character": 5}})
    client.notify("tabspec/cursorRested", {"uri": URI, "position": {"line": 0, "character": 5}})
    while (await client.status())["tokens"]["decoded_speculative"] == 0:
        pass
    assert await client.inline(0, 5)
    assert (await client.status())["sources"]["speculated"] == 1


async def test_a_resting_cursor_is_remembered_while_the_model_loads(start: Start) -> None:
    client = await start(
        model=MODEL | {"load_s": 0.3}, initialize={"initializationOptions": {"policy": "tree", "economy": 0}}
    )
    client.open("def a")
    client.notify("tabspec/cursorRested", {"uri": URI, "position": {"line": 0, "character": 5}})
    while (await client.status())["tokens"]["decoded_speculative"] == 0:
        pass
    assert await client.inline(0, 5)
    assert (await client.status())["sources"]["speculated"] == 1
