"""Next edits where no completion competes, over the protocol: an edit model on a server is asked, as elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from edit_scenes import PLACES, Document, place, renamed
from lsp_client import PATIENCE, URI, Client, ResponseError

from tests.lsp.conftest import Start
from tests.stub_server import Reply, Request, Stub, infill_events, llama_cpp, running

TEXT = "def total(items):\n    result = 0\n    print(result)\n    return result\n"
CHANGED = TEXT.replace("    print(result)\n", "")
WRITTEN = CHANGED.replace("return result", "return found")
IN_A_WORD = (0, 6)  # as the cursor stands in the normal mode of a modal editor


# Until the model writes, it sends an event without text each second, so often: a client that has not cancelled stays.
# It gives up a server that is silent for 10 s, or does not end within 120 s (tabspec/models/http/connection/body.py).
BEAT_S, BEATS = 1.0, 60


class EditModel:
    """A server whose model writes ``WRITTEN`` once ``free`` is set, or after a minute. ``stopped``: whether the last
    client was gone by then."""

    def __init__(self, stub: Stub) -> None:
        self.stub = llama_cpp(stub, "sweep-next-edit-1.5b.q8_0.v2.gguf")
        self.stub.routes["/v1/completions"] = self.answer
        self.free, self.asked, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.stopped = False
        self.free.set()

    async def answer(self, _: Request, reply: Reply) -> None:
        self.asked.set()
        await reply.start()
        waits = [asyncio.ensure_future(each.wait()) for each in (self.free, reply.gone)]
        self.stopped = True
        with suppress(ConnectionError):
            for _ in range(BEATS):
                if (await asyncio.wait(waits, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED))[0]:
                    break
                await reply.event(infill_events("")[0])
            self.stopped = reply.gone.is_set()
        self.ended.set()
        if self.stopped:
            return
        for event in infill_events(WRITTEN):
            await reply.event(event)
        await reply.end()


@pytest.fixture
async def model() -> AsyncIterator[EditModel]:
    async with running(Stub()) as stub:
        yield EditModel(stub)


async def changed(start: Start, model: EditModel) -> tuple[Client, Document]:
    """A document in which a line was deleted. The model for completions is not to be asked."""
    client = await start(model={"any": True, "fail": "asked"}, initialize={"options": {"edit_model": model.stub.url}})
    document = Document(client, TEXT)
    document.edit({"start": place(2, 0), "end": place(3, 0)}, "")
    assert document.text == CHANGED
    return client, document


@pytest.mark.parametrize("method", ["nextEdit", "copilotInlineEdit", "codeAction"])
async def test_the_model_is_asked(start: Start, model: EditModel, method: str) -> None:
    client, document = await changed(start, model)
    edit: Any
    if method == "nextEdit":
        (edit,) = (await document.next_edit(*IN_A_WORD, editsOnly=True))["chain"]
        assert edit["source"] == "model"
    elif method == "copilotInlineEdit":
        (edit,) = await document.copilot(*IN_A_WORD)
    else:
        where = {"start": place(*IN_A_WORD), "end": place(*IN_A_WORD)}
        params = {"textDocument": {"uri": URI}, "range": where, "context": {"diagnostics": [], "triggerKind": 1}}
        (action,) = await client.request("textDocument/codeAction", params)
        assert action["title"] == "tabspec: next edit (line 3)"
        (change,) = action["edit"]["documentChanges"]
        (edit,) = change["edits"]
        edit["text"] = edit["newText"]
    document.edit(edit["range"], edit["text"])
    assert document.text == WRITTEN
    assert len(model.stub.asked("/v1/completions")) == 1


async def test_a_cursor_that_rests_there_does_not_end_the_request(start: Start, model: EditModel) -> None:
    client, document = await changed(start, model)
    model.free.clear()
    asked = asyncio.create_task(document.next_edit(*IN_A_WORD, editsOnly=True))
    async with asyncio.timeout(PATIENCE):
        await model.asked.wait()
    client.notify("tabspec/cursorRested", {"uri": URI, "position": place(*IN_A_WORD)})
    await client.status()
    model.free.set()
    assert (await asked)["chain"][0]["source"] == "model"


@pytest.mark.parametrize("by", ["cancelling", "a change"])
async def test_what_ends_the_request_stops_the_model(start: Start, model: EditModel, by: str) -> None:
    client, document = await changed(start, model)
    model.free.clear()
    params = {"textDocument": {"uri": URI}, "position": place(*IN_A_WORD), "editsOnly": True}
    number, answer = client.begin("tabspec/nextEdit", params)
    async with asyncio.timeout(PATIENCE):
        await model.asked.wait()
    if by == "cancelling":
        client.notify("$/cancelRequest", {"id": number})
        with pytest.raises(ResponseError):
            await answer
        document.replace(0, 0, 0, "#")  # until the cursor or the text has changed, the answer may be of use
    else:
        document.replace(0, 0, 0, "#")
        assert await answer is None
    async with asyncio.timeout(PATIENCE):
        await model.ended.wait()
    assert model.stopped


async def test_a_request_waits_for_a_model_that_is_being_loaded(start: Start) -> None:
    client = await start(model={"target": "", "load_s": 0.3}, initialize={"options": {"patience": 60}})
    document = renamed(client)
    assert len((await document.next_edit(0, 22, editsOnly=True))["chain"]) == len(PLACES)
