"""Next edits over the protocol: chains, accepts, refusals, undo, and what clients of Copilot's server get."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from edit_scenes import AFTER, BEFORE, PLACES, Document, place, renamed
from lsp_client import URI, Client, ResponseError

from tests.lsp.conftest import Start

END_OF_RENAME = (0, 22)
# The model suggests nothing, so that next edits alone are on the screen.
SILENT: dict[str, Any] = {"answers": {}}


@pytest.fixture
async def client(start: Start) -> Client:
    return await start(model=SILENT)


async def test_a_chain_from_a_rename_leads_to_the_whole_change(client: Client) -> None:
    document = renamed(client)
    answer = await document.next_edit(*END_OF_RENAME, editsOnly=True)
    assert answer["version"] == 3
    chain = answer["chain"]
    assert [(link["jump"]["line"], link["jump"]["character"]) for link in chain] == PLACES
    for link in chain:
        assert (link["text"], link["source"]) == ("bound", "rename")
        assert 0.5 < link["probability"] <= 1
        assert link["textDocument"] == {"uri": URI, "version": 3}
        assert link["cursor"] == link["jump"] | {"character": link["jump"]["character"] + 5}
        document.accept(link)
    assert document.text == AFTER
    state = await client.request("tabspec/document", {"uri": URI})
    assert state["characters"] == len(AFTER)


@pytest.mark.parametrize("report", ["text", "both", "command first"])
async def test_after_an_accept_the_rest_of_the_chain_is_offered_again(client: Client, report: str) -> None:
    document = renamed(client)
    at, texts = END_OF_RENAME, []
    for left in range(len(PLACES), 0, -1):
        answer = await document.next_edit(*at, editsOnly=True)
        assert len(answer["chain"]) == left
        link = answer["chain"][0]
        client.notify("textDocument/didShowInlineEdit", {"item": link})
        if report == "command first":
            await client.command(link)
        document.accept(link)
        if report == "both":
            await client.command(link)
        at = (link["cursor"]["line"], link["cursor"]["character"])
        texts.append(document.text)
    assert document.text == AFTER
    assert await document.next_edit(*at, editsOnly=True) is None
    status = await client.status()
    assert (status["accepted"], status["rejected"], status["shown"]) == (4, 0, 4)


async def test_the_whole_chain_can_be_taken_without_a_request_in_between(client: Client) -> None:
    document = renamed(client)
    chain = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"]
    for link in chain:
        client.notify("textDocument/didShowInlineEdit", {"item": link})
        document.accept(link)
        await client.command(link)
    status = await client.status()
    assert (status["accepted"], status["rejected"], status["shown"]) == (4, 0, 4)


async def test_an_edit_that_two_answers_offer_is_shown_and_accepted_once(client: Client) -> None:
    document = renamed(client)
    for _ in range(2):
        link = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"][0]
        client.notify("textDocument/didShowInlineEdit", {"item": link})
    document.accept(link)
    await client.command(link)
    document.edit({"start": link["range"]["start"], "end": link["cursor"]}, "limit")
    await document.next_edit(*END_OF_RENAME, editsOnly=True)
    status = await client.status()
    assert (status["shown"], status["accepted"], status["rejected"]) == (1, 1, 1)


async def test_a_refused_edit_and_the_same_change_twice_refused_do_not_come_back(client: Client) -> None:
    """Nor from a cache (vscode#255613)."""
    document = renamed(client)
    first = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"]
    await client.command(first[0], "tabspec.rejected")
    second = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"]
    assert second[0]["range"] == first[1]["range"]
    await client.command(second[0], "tabspec.rejected")
    assert await document.next_edit(*END_OF_RENAME, editsOnly=True) is None
    assert (await client.status())["rejected"] == 2


async def test_an_undone_edit_is_not_offered_again(client: Client) -> None:
    """vscode#255141."""
    document = renamed(client)
    link = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"][0]
    client.notify("textDocument/didShowInlineEdit", {"item": link})
    document.accept(link)
    await client.command(link)
    start = link["range"]["start"]
    document.edit({"start": start, "end": link["cursor"]}, "limit")  # the editor's undo
    again = await document.next_edit(*END_OF_RENAME, editsOnly=True)
    assert again is None or all(each["range"]["start"] != start for each in again["chain"][:1])
    status = await client.status()
    assert (status["accepted"], status["rejected"]) == (1, 1)


async def test_what_the_user_takes_back_is_not_proposed_to_come_back(client: Client) -> None:
    """vscode-copilot-release#8763."""
    document = renamed(client)
    assert await document.next_edit(*END_OF_RENAME, editsOnly=True)
    document.replace(0, 17, 22, "")
    assert await document.next_edit(0, 17, editsOnly=True) is None
    document.replace(0, 17, 17, "limit")
    assert await document.next_edit(*END_OF_RENAME, editsOnly=True) is None


async def test_a_line_indented_elsewhere_keeps_the_chain(client: Client) -> None:
    """vscode#326537."""
    document = renamed(client)
    before = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"]
    document.edit({"start": place(1, 0), "end": place(1, 0)}, "    # a comment\n")
    document.replace(1, 0, 0, "    ")
    after = (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"]
    assert [link["jump"]["line"] for link in after] == [link["jump"]["line"] + 1 for link in before]


async def test_other_open_documents_are_part_of_the_chain(client: Client) -> None:
    other = "file:///project/other.py"
    text = "def fetch(a):\n    return a\n\n\n\n\nx = fetch(1)\n"
    Document(client, "from a import fetch\n", other)
    document = Document(client, text)
    document.replace(0, 4, 9, "")
    document.replace(0, 4, 4, "load")
    chain = (await document.next_edit(0, 8, editsOnly=True))["chain"]
    places = [(link["textDocument"], link["jump"]["line"]) for link in chain]
    here, there = {"uri": URI, "version": 3}, {"uri": other, "version": 1}
    assert places == [(here, 6), (there, 0)]
    document.accept(chain[0])
    await client.command(chain[0])
    assert document.text == text.replace("fetch", "load")
    answer = await document.next_edit(6, 8, editsOnly=True)
    assert answer["version"] == 4
    for name in ("textDocument", "range", "text", "cursor", "jump", "source"):
        assert answer["chain"][0][name] == chain[1][name]


# --- completions and edits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["edit", "completion"])
async def test_a_completion_and_an_edit_are_never_offered_together(start: Start, first: str) -> None:
    client = await start(model={"any": True, "prefill_s": 0.02})
    document = renamed(client)
    await document.next_edit(0, 0)  # from now on the client's completions compete with edits
    last = len(document.text.splitlines()) - 1
    both = 0
    for line, character in [(0, 24), (2, 0), (last, 11), PLACES[1], (1, 14), END_OF_RENAME]:
        document.version += 1
        document.client.change(document.version, uri=URI)
        asked = [
            lambda line=line, character=character: document.next_edit(line, character),
            lambda line=line, character=character: client.inline(line, character),
        ]
        found = await asyncio.gather(*(ask() for ask in (asked if first == "edit" else reversed(asked))))
        edit, items = found if first == "edit" else reversed(found)
        assert not (edit and items), f"both at {line}, {character}"
        assert edit or items, f"neither at {line}, {character}"
        both += bool(edit)
        # One after the other: the second request gets the answer of the first.
        edit = await document.next_edit(line, character)
        assert not (edit and await client.inline(line, character))
    assert both


async def test_the_second_request_for_a_state_costs_no_run_of_the_model(start: Start) -> None:
    client = await start(model={"target": "x = call(1)\n"}, initialize={"options": {"policy": "none"}})
    document = Document(client, "x = \n")
    assert await document.next_edit(0, 4) is None
    assert len(await client.inline(0, 4)) == 1
    status = await client.status()
    assert (status["requests"], status["sources"]["model"]) == (1, 1)
    assert len(await client.inline(0, 4)) == 1  # a further request of the same kind is a new one
    assert (await client.status())["requests"] == 2


@pytest.mark.parametrize("typed", [False, True])
async def test_the_first_request_for_an_edit_does_not_end_the_completion_before_it(start: Start, typed: bool) -> None:
    client = await start(model={"target": "x = call(1)\n", "prefill_s": 0.1})
    document = Document(client, "x = \n")
    if typed:
        document.replace(0, 4, 4, "c")
    _, inline = client.begin_inline(0, 4 + typed)
    assert await document.next_edit(0, 4 + typed) is None
    assert len((await inline)["items"]) == 1


async def test_a_request_that_is_repeated_while_it_waits_does_not_end_the_other(start: Start) -> None:
    client = await start(model=SILENT)
    document = renamed(client)
    await document.next_edit(0, 0)
    edit = asyncio.ensure_future(document.next_edit(*END_OF_RENAME))  # comes after a pause, as the name may grow
    inline = [client.begin_inline(*END_OF_RENAME)[1] for _ in range(2)]
    assert [(await each)["items"] for each in inline] == [[], []]
    assert len((await edit)["chain"]) == len(PLACES)


async def test_cancelling_one_of_two_requests_leaves_the_other(start: Start) -> None:
    client = await start(model={"target": "x = call(1)\n", "prefill_s": 0.2})
    document = Document(client, "x = \n")
    params = {"textDocument": {"uri": URI}, "position": place(0, 4)}
    number, edit = client.begin("tabspec/nextEdit", params)
    _, inline = client.begin_inline(0, 4)
    await client.status()
    client.notify("$/cancelRequest", {"id": number})
    with pytest.raises(ResponseError) as error:
        await edit
    assert error.value.code == -32800
    assert len((await inline)["items"]) == 1
    assert await document.next_edit(0, 4) is None


async def test_clients_that_do_not_ask_for_edits_get_completions_only(start: Start) -> None:
    client = await start(model={"any": True})
    renamed(client)
    assert len(await client.inline(*END_OF_RENAME)) == 1
    assert (await client.status())["sources"]["model"] == 1


async def test_with_the_setting_on_an_edit_that_fits_is_an_inline_completion(start: Start) -> None:
    client = await start(model=SILENT, initialize={"options": {"next_edits": "on"}})
    document = Document(client, BEFORE)
    document.replace(0, 22, 22, "s")
    line, character = PLACES[0]
    assert await client.inline(line + 1, 0) == []  # on another line
    (item,) = await client.inline(line, character + 5)
    assert (item["insertText"], item["filterText"]) == ("limits", "limits")
    document.edit(item["range"], item["insertText"])
    await client.command(item)
    assert (await client.status())["accepted"] == 1


async def test_with_the_setting_on_an_edit_that_does_not_fit_leaves_the_completion(start: Start) -> None:
    client = await start(model={"any": True}, initialize={"options": {"next_edits": "on"}})
    renamed(client)
    (item,) = await client.inline(*END_OF_RENAME)
    assert item["range"]["start"] == place(*END_OF_RENAME)


@pytest.mark.parametrize("how", ["off", "disabled", "ignored"])
async def test_no_edits_where_there_should_be_none(start: Start, how: str) -> None:
    options = {"off": {"next_edits": "off"}, "disabled": {"enabled": False}, "ignored": {}}[how]
    client = await start(model={"any": True}, initialize={"options": options})
    uri = "file:///project/.env" if how == "ignored" else URI
    document = renamed(client, uri)
    assert await document.next_edit(*END_OF_RENAME) is None
    assert await document.next_edit(*END_OF_RENAME, editsOnly=True) is None
    assert await document.copilot(*END_OF_RENAME) == []


async def test_text_of_an_ignored_file_never_becomes_part_of_an_edit(client: Client) -> None:
    secret = renamed(client, "file:///project/.env")
    document = Document(client, BEFORE)
    assert secret.text != BEFORE
    assert await document.next_edit(*END_OF_RENAME, editsOnly=True) is None


# --- other clients ----------------------------------------------------------------------------------------------------


async def test_copilots_clients_get_one_edit_at_a_time(client: Client) -> None:
    document = renamed(client)
    client.notify("textDocument/didFocus", {"textDocument": {"uri": URI}})
    at = (0, 21)  # as after leaving insert mode
    for _ in PLACES:
        (edit,) = await document.copilot(*at)
        assert set(edit) == {"text", "range", "textDocument", "command"}
        assert edit["textDocument"] == {"uri": URI, "version": document.version}
        document.accept(edit)
        await client.command(edit)
        start = edit["range"]["start"]
        at = start["line"], start["character"] + len(edit["text"])
    assert document.text == AFTER
    status = await client.status()
    assert (status["accepted"], status["shown"]) == (4, 4)  # what was served counts as shown


async def test_a_code_action_on_request_only(client: Client) -> None:
    assert client.capabilities["codeActionProvider"]
    document = renamed(client)
    for kind, count in ((1, 1), (2, 0)):
        where = {"start": place(*END_OF_RENAME), "end": place(*END_OF_RENAME)}
        context = {"diagnostics": [], "triggerKind": kind}
        params = {"textDocument": {"uri": URI}, "range": where, "context": context}
        actions = await client.request("textDocument/codeAction", params)
        assert len(actions) == count
        for action in actions:
            assert action["title"] == f"tabspec: next edit (line {PLACES[0][0] + 1})"
            (change,) = action["edit"]["documentChanges"]
            assert change["textDocument"] == {"uri": URI, "version": 3}
            (edit,) = change["edits"]
            document.edit(edit["range"], edit["newText"])
            await client.command(action)
    assert (await client.status())["accepted"] == 1


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["tabspec/nextEdit", "textDocument/copilotInlineEdit"])
@pytest.mark.parametrize(
    ("params", "code"),
    [
        (None, -32602),
        ([], -32602),
        ({}, -32602),
        ({"textDocument": {"uri": URI}}, -32602),
        ({"textDocument": {"uri": 5}, "position": place(0, 0)}, -32602),
        ({"textDocument": {"uri": URI}, "position": {"line": "0", "character": 0}}, -32602),
        ({"textDocument": {"uri": URI}, "position": place(-1, 0)}, -32602),
        ({"textDocument": {"uri": URI}, "position": place(9999, 0)}, -32602),
        ({"textDocument": {"uri": URI, "version": "1"}, "position": place(0, 0)}, -32602),
        ({"textDocument": {"uri": URI, "version": 2}, "position": place(0, 0)}, -32801),
    ],
)
async def test_requests_that_make_no_sense_are_answered_with_an_error(
    client: Client, method: str, params: Any, code: int
) -> None:
    Document(client, BEFORE)
    with pytest.raises(ResponseError) as error:
        await client.request(method, params)
    assert error.value.code == code
    assert await client.stop() == 0


async def test_nonsense_in_notifications_and_unknown_documents_change_nothing(client: Client) -> None:
    document = renamed(client)
    for params in (
        None,
        [],
        {},
        {"item": None},
        {"item": {"command": {"arguments": ["a", "99"]}}},
        {"textDocument": 1},
    ):
        for method in ("textDocument/didShowInlineEdit", "tabspec/didJump", "textDocument/didFocus"):
            client.notify(method, params)
    unknown = {"textDocument": {"uri": "file:///not/open.py"}, "position": place(0, 0)}
    assert await client.request("tabspec/nextEdit", unknown) is None
    assert (await document.next_edit(*END_OF_RENAME, editsOnly=True))["chain"]
