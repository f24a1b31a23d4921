"""The settings `edit_model` and `edit_format`: the user's own, and reported where they cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp.conftest import Start

MODEL = {"target": "abc\ndef\n"}


async def texts(client: Any) -> list[str]:
    return [item["insertText"] for item in await client.inline(0, 1)]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [("editModel", "http://127.0.0.1:9", "edit_model"), ("edit_format", "sweep", "edit_format")],
)
async def test_a_workspace_does_not_choose_it(start: Start, name: str, value: str, shown: str) -> None:
    client = await start(model=MODEL)
    client.open("a")
    for _ in range(2):
        client.notify("workspace/didChangeConfiguration", {"settings": {"tabspec": {name: value, "maxLines": 2}}})
        assert await texts(client) == ["bc\ndef"]
    (message,) = client.received("window/showMessage")
    assert f"setting {shown} is ignored" in message["message"] and "initialization options" in message["message"]


async def test_an_edit_model_that_is_not_a_server_is_reported_and_suggestions_continue(start: Start) -> None:
    client = await start(model=MODEL, initialize=False)
    await client.initialize(options={"editModel": "sweep-next-edit"})
    client.open("a")
    assert await texts(client) == ["bc"]
    (message,) = client.received("window/showMessage")
    assert "setting edit_model" in message["message"] and "no address" in message["message"]


async def test_an_unknown_format_is_reported(start: Start) -> None:
    client = await start(model=MODEL, initialize=False)
    await client.initialize(options={"editFormat": "latin"})
    client.open("a")
    assert await texts(client) == ["bc"]
    (message,) = client.received("window/showMessage")
    assert "setting edit_format: 'latin' is not one of auto, sweep" in message["message"]
