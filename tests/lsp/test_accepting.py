"""Outcomes of a suggestion: accepted, partly accepted, typed, refused, undone; and the next one computed ahead."""

from __future__ import annotations

from typing import Any

import pytest
from lsp_client import Client

from tests.lsp.conftest import Start

TARGET = "def add(a, b):\n    return a + b\n\nprint(add(1, 2))\nprint(add(3, 4))\n"


class Editor:
    """One document in a client, and its cursor at the end of what was written."""

    def __init__(self, client: Client, text: str) -> None:
        self.client, self.text, self.version = client, text, 1
        client.open(text)

    @property
    def place(self) -> tuple[int, int]:
        before, _, last = self.text.rpartition("\n")
        return (before.count("\n") + 1 if "\n" in self.text else 0), len(last.encode("utf-16-le")) // 2

    def insert(self, text: str) -> None:
        line, character = self.place
        self._change({"line": line, "character": character}, {"line": line, "character": character}, text)
        self.text += text

    def delete(self, count: int) -> None:
        line, character = self.place
        before = Editor.__new__(Editor)
        before.text = self.text[:-count]
        start = before.place
        self._change({"line": start[0], "character": start[1]}, {"line": line, "character": character}, "")
        self.text = self.text[:-count]

    def _change(self, start: Any, end: Any, text: str) -> None:
        self.version += 1
        self.client.change(self.version, {"range": {"start": start, "end": end}, "text": text})

    async def ask(self) -> dict[str, Any] | None:
        items = await self.client.inline(*self.place)
        return items[0] if items else None

    async def suggestion(self) -> str | None:
        item = await self.ask()
        return item["insertText"] if item else None


async def figures(client: Client) -> tuple[int, int, int]:
    status = await client.status()
    return status["accepted"], status["rejected"], status["tabs"]


@pytest.fixture
async def editor(start: Start) -> Editor:
    return Editor(await start(model={"target": TARGET}), "def a")


async def settled(client: Client) -> dict[str, Any]:
    """The status once everything that was asked ahead is there."""
    before: dict[str, Any] = {}
    while (now := await client.status())["cache"] != before.get("cache") or not now["cache"]["entries"]:
        before = now
    return now


@pytest.mark.parametrize("heard_from", ["command", "document", "both", "command first"])
async def test_after_an_accept_the_next_suggestion_is_already_computed(editor: Editor, heard_from: str) -> None:
    client = editor.client
    written = []
    for _ in range(3):
        item = await editor.ask()
        assert item
        await settled(client)
        if heard_from == "command first":
            await client.command(item)
        # Where only the command is to be heard, the text comes by two changes that say nothing by themselves.
        if heard_from == "command":
            for char in item["insertText"]:
                editor.insert(char)
        else:
            editor.insert(item["insertText"])
        if heard_from in ("command", "both"):
            await client.command(item)
        written.append(item["insertText"])
    assert written == ["dd(a, b):", "\n    return a + b", "\n\nprint(add(1, 2))"]
    await editor.ask()
    status = await client.status()
    assert (status["accepted"], status["tabs"], status["instant_tabs"]) == (3, 3, 3)
    assert status["sources"]["speculated"] == 3
    assert status["sources"]["model"] == 1


async def test_without_speculation_the_next_suggestion_is_not_computed_ahead(start: Start) -> None:
    client = await start(model={"target": TARGET}, initialize={"options": {"policy": "cache"}})
    editor = Editor(client, "def a")
    item = await editor.ask()
    assert item
    editor.insert(item["insertText"])
    assert await editor.suggestion() == "\n    return a + b"
    status = await client.status()
    assert (status["tabs"], status["instant_tabs"], status["sources"]["model"]) == (1, 0, 2)


@pytest.mark.parametrize("told", [False, True])
async def test_after_accepting_a_word_the_rest_is_still_offered(editor: Editor, told: bool) -> None:
    client = editor.client
    item = await editor.ask()
    assert item
    editor.insert("dd")  # the first word of "dd(a, b):"
    if told:
        client.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 2})
    assert await editor.suggestion() == "(a, b):"
    status = await client.status()
    assert status["accepted"] == 1
    assert status["sources"]["type_through"] == 1
    editor.insert("(a, b):")
    assert await editor.suggestion() == "\n    return a + b"
    assert (await client.status())["accepted"] == 2


async def test_after_accepting_a_line_the_rest_is_still_offered(start: Start) -> None:
    one_block = "def add(a, b):\n    c = a + b\n    return c\n"  # what ends a block would be cut off behind the line
    client = await start(model={"target": one_block}, initialize={"options": {"maxLines": 3}})
    editor = Editor(client, "def a")
    item = await editor.ask()
    assert item
    assert item["insertText"].count("\n") >= 2
    first = item["insertText"].splitlines(keepends=True)[0]
    editor.insert(first)
    assert await editor.suggestion() == item["insertText"].removeprefix(first)
    status = await client.status()
    assert (status["accepted"], status["sources"]["type_through"]) == (1, 1)


async def test_a_partial_accept_is_measured_in_utf16(start: Start) -> None:
    client = await start(model={"answers": {"x = ": '"😀" + y'}})
    editor = Editor(client, "x = ")
    item = await editor.ask()
    client.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 4})
    editor.insert('"😀"')
    assert await editor.suggestion() == " + y"
    assert (await client.status())["accepted"] == 1


async def test_typing_a_suggestion_is_not_an_accept(editor: Editor) -> None:
    await editor.ask()
    for char in "dd(a":
        editor.insert(char)
        rest = await editor.suggestion()
    assert rest == ", b):"
    status = await editor.client.status()
    assert (status["accepted"], status["tabs"], status["sources"]["type_through"]) == (0, 0, 4)


async def test_typing_something_else_is_neither_accept_nor_refusal(editor: Editor) -> None:
    await editor.ask()
    editor.insert("xyz")
    await editor.suggestion()
    assert await figures(editor.client) == (0, 0, 0)


async def test_a_refused_suggestion_is_not_offered_again_at_its_place(editor: Editor) -> None:
    client = editor.client
    item = await editor.ask()
    assert item
    await client.command(item, "tabspec.rejected")
    await client.command(item, "tabspec.rejected")
    assert await editor.suggestion() is None
    assert await figures(client) == (0, 1, 0)
    editor.insert("d")
    assert await editor.suggestion() is None  # the rest of it is as unwanted


async def test_the_same_text_elsewhere_is_not_refused(start: Start) -> None:
    client = await start(model={"answers": {"a": "bcd", "x\na": "bcd"}})
    editor = Editor(client, "a")
    item = await editor.ask()
    assert item
    await client.command(item, "tabspec.rejected")
    assert await editor.suggestion() is None
    client.change(9, {"text": "x\na"})
    assert [item["insertText"] for item in await client.inline(1, 1)] == ["bcd"]


async def test_an_undone_suggestion_is_not_offered_again_at_its_place(editor: Editor) -> None:
    text = await editor.suggestion()
    assert text
    editor.insert(text)
    assert await editor.suggestion() == "\n    return a + b"
    editor.delete(len(text))
    assert await editor.suggestion() is None
    assert await figures(editor.client) == (1, 1, 1)


async def test_two_accepts_undone_one_after_another(editor: Editor) -> None:
    first = await editor.suggestion()
    assert first
    editor.insert(first)
    second = await editor.suggestion()
    assert second
    editor.insert(second)
    editor.delete(len(second))
    assert await editor.suggestion() is None
    editor.delete(len(first))
    assert await editor.suggestion() is None
    assert (await figures(editor.client))[:2] == (2, 2)


async def test_deleting_something_else_refuses_nothing(editor: Editor) -> None:
    text = await editor.suggestion()
    assert text
    editor.insert(text)
    editor.delete(2)
    assert await editor.suggestion() == text[-2:]
    assert (await figures(editor.client))[:2] == (1, 0)


async def test_a_returned_item_counts_as_shown_until_the_client_reports_what_is_shown(editor: Editor) -> None:
    client = editor.client
    await editor.ask()
    assert (await client.status())["shown"] == 1
    editor.insert("d")
    item = await editor.ask()
    client.notify("textDocument/didShowCompletion", {"item": item})
    assert (await client.status())["shown"] == 2  # it had been counted when it was returned
    editor.insert("d")
    item = await editor.ask()
    assert (await client.status())["shown"] == 2  # now it is the client's word that counts
    client.notify("textDocument/didShowCompletion", {"item": item})
    client.notify("textDocument/didShowCompletion", {"item": item})
    assert (await client.status())["shown"] == 3


async def test_suggestions_that_are_not_shown_start_no_speculation(start: Start) -> None:
    client = await start(model={"target": TARGET}, initialize={"options": {"shown": "told"}})
    editor = Editor(client, "def a")
    item = await editor.ask()
    assert (await settled(client))["tokens"]["decoded_speculative"] == 0
    client.notify("textDocument/didShowCompletion", {"item": item})
    while not (await client.status())["tokens"]["decoded_speculative"]:
        pass


async def test_invalid_notifications_about_offers_change_nothing(editor: Editor) -> None:
    client = editor.client
    await editor.ask()
    for params in (None, [], {}, {"item": None}, {"item": {"command": {"arguments": []}}}, {"acceptedLength": "x"}):
        client.notify("textDocument/didShowCompletion", params)
        client.notify("textDocument/didPartiallyAcceptCompletion", params)
    for arguments in ([], ["only one"], [1, 2, 3], ["file:///x", {"no": "id"}]):
        for name in ("tabspec.accepted", "tabspec.rejected"):
            await client.request("workspace/executeCommand", {"command": name, "arguments": arguments})
    assert await figures(client) == (0, 0, 0)
    assert await client.stop() == 0
