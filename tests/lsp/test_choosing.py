"""Several suggestions to choose from, for a user who asks (`triggerKind` Invoked)."""

from __future__ import annotations

import asyncio
from typing import Any

from lsp_client import URI, Client

from tests.lsp.conftest import Start
from tests.patience import PATIENCE

INVOKED = {"triggerKind": 1}
ONE, TWO, THREE, FOUR = " = one()", " + two()", " - three()", "[four]"
MODEL = {"answers": {"x": ONE}, "others": {"x": [TWO, THREE, FOUR]}, "token_chars": 2}
BEHIND_TWO = {"answers": {"x": ONE, f"x{TWO}": ".more"}, "others": {"x": [TWO, THREE]}, "token_chars": 2}


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["insertText"] for item in items]


async def until_cached(client: Client, entries: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.status())["cache"]["entries"] < entries:
            pass


async def test_the_first_alternative_is_that_of_an_automatic_request(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("x")
    assert texts(await client.inline(0, 1)) == [ONE]
    asked = await client.status()
    items = await client.inline(0, 1, **INVOKED)
    assert texts(items) == [ONE, TWO, THREE]
    assert len({item["command"]["arguments"][-1] for item in items}) == 3
    assert all(item["range"] == items[0]["range"] for item in items)
    assert asked["tokens"]["decoded"] == 4  # nothing was looked for before it was wanted
    decoded = (await client.status())["tokens"]["decoded"]
    assert texts(await client.inline(0, 1, **INVOKED)) == [ONE, TWO, THREE]
    assert (await client.status())["tokens"]["decoded"] == decoded


async def test_the_setting_gives_the_number_of_alternatives(start: Start) -> None:
    client = await start(model=MODEL, initialize={"options": {"alternatives": 1}})
    client.open("x")
    assert texts(await client.inline(0, 1, **INVOKED)) == [ONE]
    assert await client.stop() == 0


async def test_an_accepted_alternative_is_recognized_and_the_next_suggestion_is_computed_ahead(start: Start) -> None:
    """A client that reports what it shows, as the plugin for Neovim does."""
    client = await start(model=BEHIND_TWO)
    client.open("x")
    items = await client.inline(0, 1, **INVOKED)
    for item in items[:2]:
        client.notify("textDocument/didShowCompletion", {"item": item})
    await until_cached(client, 4)  # three that are shown, and one that was asked ahead
    client.change(2, {"text": f"x{TWO}"})
    await client.command(items[1])
    (item,) = await client.inline(0, len(f"x{TWO}"))
    assert item["insertText"] == ".more"
    status = await client.status()
    assert (status["accepted"], status["instant_tabs"], status["sources"]["speculated"]) == (1, 1, 1)


async def test_alternatives_work_for_a_client_that_reports_nothing(start: Start) -> None:
    client = await start(model=BEHIND_TWO)
    client.open("x")
    await client.inline(0, 1, **INVOKED)
    client.change(2, {"text": f"x{TWO}"})
    assert texts(await client.inline(0, len(f"x{TWO}"))) == [".more"]
    status = await client.status()
    assert (status["accepted"], status["tabs"]) == (1, 1)


async def test_after_accepting_a_word_of_an_alternative_its_rest_is_offered(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("x")
    items = await client.inline(0, 1, **INVOKED)
    client.notify("textDocument/didShowCompletion", {"item": items[2]})
    client.change(2, {"text": "x - three"})
    client.notify("textDocument/didPartiallyAcceptCompletion", {"item": items[2], "acceptedLength": len(" - three")})
    assert texts(await client.inline(0, len("x - three"))) == ["()"]
    status = await client.status()
    assert (status["accepted"], status["sources"]["type_through"]) == (1, 1)


async def test_after_a_refusal_another_alternative_is_offered(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("x")
    items = await client.inline(0, 1, **INVOKED)
    await client.command(items[1], "tabspec.rejected")
    assert texts(await client.inline(0, 1, **INVOKED)) == [ONE, FOUR, THREE]  # the likelier first
    await client.command(items[0], "tabspec.rejected")
    assert texts(await client.inline(0, 1)) == []
    assert texts(await client.inline(0, 1, **INVOKED)) == [FOUR, THREE]


async def test_typing_ends_the_search_for_alternatives(start: Start) -> None:
    client = await start(model=MODEL | {"prefill_s": 0.2})
    client.open("x")
    assert texts(await client.inline(0, 1)) == [ONE]
    _, searching = client.begin_inline(0, 1, **INVOKED)
    client.change(2, {"text": "x "})
    assert texts(await client.inline(0, 2)) == [ONE[1:]]
    assert (await searching)["items"] == []
    assert (await client.status())["reasons"] == {"superseded": 1}


async def test_alternatives_follow_the_selected_completion_of_the_menu(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("")
    at = {"line": 0, "character": 0}
    selected = {"selectedCompletionInfo": {"range": {"start": at, "end": at}, "text": "x"}}
    assert texts(await client.inline(0, 0, URI, **INVOKED, **selected)) == [f"x{ONE}", f"x{TWO}", f"x{THREE}"]
