"""A repository's settings do not choose the model: text and key are sent only where the user's settings say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lsp_client import INLINE, ROOT
from tabspec_lsp.options import USER_ONLY, Options, without_user_only

from tests.lsp.conftest import Start

PULLS = INLINE | {"workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}}
MODEL = {"target": "abc\ndef\nghi\njkl\n"}


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Another model: what a hostile folder would choose."""
    script = tmp_path / "other.json"
    script.write_text(json.dumps({"answers": {"a": "from the other"}}))
    return f"scripted:{script}"


async def texts(client: Any) -> list[str]:
    return [item["insertText"] for item in await client.inline(0, 1)]


@pytest.mark.parametrize("name", ["model", "Model", "MODEL"])
@pytest.mark.parametrize("section", [True, False])
async def test_a_model_in_the_workspaces_settings_is_ignored_and_reported_once(
    start: Start, other: str, name: str, section: bool
) -> None:
    """Pushed by a client that cannot be asked; what stands beside it counts."""
    client = await start(model=MODEL)
    client.open("a")
    assert await texts(client) == ["bc"]
    settings: dict[str, Any] = {name: other, "maxLines": 2}
    for _ in range(2):
        client.notify("workspace/didChangeConfiguration", {"settings": {"tabspec": settings} if section else settings})
        assert await texts(client) == ["bc\ndef"]
    (message,) = client.received("window/showMessage")
    assert "setting model is ignored" in message["message"] and "--model" in message["message"]


async def test_a_model_in_requested_configuration_is_ignored(start: Start, other: str) -> None:
    client = await start(model=MODEL, initialize=False)
    client.answers["workspace/configuration"] = lambda params: [{"model": other}]
    await client.initialize(PULLS)
    await client.notified("window/showMessage")
    client.open("a")
    assert await texts(client) == ["bc"]


async def test_the_initialization_options_choose_the_model(start: Start, other: str) -> None:
    """They are the user's own, and overrule the command line. The same model in the configuration is no fault."""
    client = await start(model=MODEL, initialize=False)
    client.answers["workspace/configuration"] = lambda params: [{"model": other}]
    await client.initialize(PULLS, options={"model": other})
    client.open("a")
    assert await texts(client) == ["from the other"]
    await client.status()
    assert client.received("window/showMessage") == []


@example({"tabspec": {"model": "http://evil", "tabspec": {"model": "http://evil"}}})
@example({"model": "http://evil", "tabspec": {"tabspec": {"model": "http://evil"}}})
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text() | st.just("model"), x)))
def test_no_settings_of_a_workspace_change_the_model(values: Any) -> None:
    rest, refused = without_user_only(values)
    assert Options().updated(rest)[0].server.model == ""
    assert refused.keys() <= USER_ONLY
    if isinstance(values, dict) and "tabspec" not in values and values.get("model") is not None:
        assert refused["model"] == values["model"]


def test_vs_code_takes_program_and_model_from_the_user_only() -> None:
    package = json.loads((ROOT / "editor-configs" / "vscode" / "package.json").read_text("utf-8"))
    declared = {k: v for part in package["contributes"]["configuration"] for k, v in part["properties"].items()}
    chosen = [name for name in declared if name.startswith("tabspec.server.") or name == "tabspec.model"]
    assert len(chosen) == 5
    assert {declared[name]["scope"] for name in chosen} == {"machine"}
