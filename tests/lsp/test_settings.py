"""Settings from three places, and reports of invalid ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsp_client import ROOT, Client
from tabspec_lsp.options import Options, ServerOptions, all_fields, snake_case, unknown_names

from tabspec.config import EngineConfig, Policy
from tests.lsp.conftest import Start

CONFIGURABLE = {
    "textDocument": {"inlineCompletion": {}},
    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
}


def test_valid_values_are_used_and_each_invalid_one_is_reported() -> None:
    options, problems = Options().updated(
        {"max_lines": 3, "maxTokens": 7, "policy": "chain", "patience": "long", "depth": 99, "colour": "red"}
    )
    assert unknown_names({"tabspec": {"maxLines": 3, "colour": "red"}}) == ["colour"]
    assert options.engine == EngineConfig(max_lines=3, max_tokens=7, policy=Policy.CHAIN)
    assert options.server == ServerOptions()
    assert problems == ["setting patience: 'long' is not a number", "setting depth: 99 lies outside 1 to 16"]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_no_settings_of_a_client_raise(values: Any) -> None:
    Options().updated(values)
    unknown_names(values)
    options, _ = Options().updated({item.name: values for item in all_fields()})
    assert isinstance(options, Options)


def test_null_means_the_default_and_settings_may_be_in_a_section() -> None:
    changed, _ = Options().updated({"tabspec": {"maxLines": 3}})
    assert changed.engine.max_lines == 3
    assert changed.updated({"max_lines": None}) == (Options(), [])
    assert changed.updated(None) == (changed, [])


def test_settings_have_names_in_camel_case() -> None:
    assert [snake_case(name) for name in ("maxLines", "max_lines", "statusNotifications")] == [
        "max_lines",
        "max_lines",
        "status_notifications",
    ]


def test_the_documentation_names_every_setting() -> None:
    """`scripts/check_documents.py` compares the whole page."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for item in all_fields():
        assert f"| `{item.name}` |" in page


async def lines_of(client: Client) -> int:
    """How many lines a suggestion has: what `max_lines` is about."""
    (item,) = await client.inline(0, 1)
    return item["insertText"].count("\n") + 1


MODEL = {"target": "abc\ndef\nghi\njkl\n"}


async def test_settings_from_the_initialization_options(start: Start) -> None:
    client = await start(model=MODEL, initialize={"options": {"maxLines": 2}})
    client.open("a")
    assert await lines_of(client) == 2


async def test_invalid_settings_are_reported_in_one_message_and_have_the_default(start: Start) -> None:
    client = await start(
        model=MODEL, initialize={"options": {"maxLines": 0, "depth": "deep", "policy": "chain", "hue": 1}}
    )
    message = (await client.notified("window/showMessage"))["message"]
    assert "max_lines" in message
    assert "depth" in message
    assert "'hue'" in message
    client.open("a")
    assert await lines_of(client) == 1
    status = await client.status()
    assert status["policy"] == "chain"
    assert len(client.received("window/showMessage")) == 1


async def test_settings_are_read_from_the_workspace_at_start_and_when_they_change(start: Start) -> None:
    client = await start(model=MODEL, initialize=False)
    settings: dict[str, Any] = {"maxLines": 2, "statusBarColour": "the plugin's own"}
    client.answers["workspace/configuration"] = lambda params: [settings]
    await client.initialize(CONFIGURABLE)
    await client.until(lambda message: message.get("method") == "workspace/configuration")
    await client.status()
    client.open("a")
    assert await lines_of(client) == 2
    settings["maxLines"] = 3
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.until(lambda _: len(client.received("workspace/configuration")) == 2)
    await client.status()
    assert await lines_of(client) == 3
    assert client.received("workspace/configuration")[0] == {"items": [{"section": "tabspec"}]}
    (registration,) = client.received("client/registerCapability")[0]["registrations"]
    assert registration["method"] == "workspace/didChangeConfiguration"
    assert registration["registerOptions"] == {"section": "tabspec"}
    assert client.received("window/showMessage") == []
    settings["maxLines"] = 0
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    assert "max_lines" in (await client.notified("window/showMessage"))["message"]


@pytest.mark.parametrize("answer", [None, [], [None], "text", [7], [{}, {}]])
async def test_a_client_with_an_invalid_configuration_gets_the_defaults(start: Start, answer: Any) -> None:
    client = await start(model=MODEL, initialize=False)
    client.answers["workspace/configuration"] = lambda params: answer
    await client.initialize(CONFIGURABLE)
    client.open("a")
    assert await lines_of(client) == 1
    assert await client.stop() == 0


async def test_a_changed_setting_keeps_the_counts_and_disabling_stops_suggestions(start: Start) -> None:
    client = await start(model=MODEL)
    client.open("a")
    assert await lines_of(client) == 1
    client.notify("workspace/didChangeConfiguration", {"settings": {"maxLines": 2}})
    assert await lines_of(client) == 2
    client.notify("workspace/didChangeConfiguration", {"settings": {"enabled": False}})
    assert await client.inline(0, 1) == []
    status = await client.status()
    assert (status["requests"], status["enabled"]) == (3, False)


async def test_status_notifications_come_when_asked_for_and_no_faster_than_readable(start: Start) -> None:
    quiet = await start(model=MODEL)
    client = await start(model=MODEL, initialize={"options": {"status_notifications": True}})
    for one in (quiet, client):
        one.open("abc\nd")
        for character in range(4):
            await one.inline(0, character)
    shown = await client.notified("tabspec/statusChanged", requests=4)
    assert shown["sources"].keys() == (await client.status())["sources"].keys()
    assert len(client.received("tabspec/statusChanged")) <= 3
    await quiet.status()
    assert quiet.received("tabspec/statusChanged") == []
