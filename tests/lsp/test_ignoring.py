"""Files that are left alone: no suggestions, no prompts, no recordings; and rules that change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsp_client import INLINE

from tests.lsp.conftest import Start

WATCHING = {**INLINE, "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}, "workspaceFolders": True}}


def folder(path: Path) -> dict[str, Any]:
    return {"uri": path.as_uri(), "name": path.name}


async def test_secrets_get_no_suggestions_and_reach_no_model(start: Start) -> None:
    client = await start(model={"any": True})
    for name in ("project/.env", "project/id_rsa", ".aws/credentials"):
        uri = f"file:///home/me/{name}"
        client.open("password=", uri)
        assert await client.inline(0, 9, uri) == []
        client.change(2, {"text": "password=x"}, uri=uri)
        assert await client.inline(0, 10, uri) == []
    status = await client.status()
    assert status["reasons"] == {"excluded": 6}
    assert status["tokens"]["prefill"] == 0
    client.open("password=", "file:///home/me/project/main.py")
    assert await client.inline(0, 9, "file:///home/me/project/main.py")


async def test_rules_of_workspace_folders_are_read_and_read_again(start: Start, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / ".tabspecignore").write_text("*.sql\n")
    params = {"capabilities": WATCHING, "workspaceFolders": [folder(one)]}
    client = await start(model={"target": "select 1"}, initialize=params)
    registered = await client.until(lambda message: message.get("method") == "client/registerCapability")
    (registration,) = registered["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    assert registration["registerOptions"]["watchers"] == [{"globPattern": "**/.tabspecignore"}]

    a, b = f"{one.as_uri()}/a.sql", f"{two.as_uri()}/b.sql"
    client.open("sel", a)
    client.open("sel", b)
    assert await client.inline(0, 3, a) == []
    assert len(await client.inline(0, 3, b)) == 1

    (one / ".tabspecignore").write_text("")
    (two / ".tabspecignore").write_text("*.sql\n")
    changes = [{"uri": f"{one.as_uri()}/.tabspecignore", "type": 2}]
    client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    assert len(await client.inline(0, 3, a)) == 1
    assert len(await client.inline(0, 3, b)) == 1  # its folder is none of the workspace's yet
    event = {"added": [folder(two)], "removed": [folder(one)]}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    assert await client.inline(0, 3, b) == []


async def test_a_client_without_file_watching_is_not_asked_to_watch(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".tabspecignore").write_text("*.sql\n")
    client = await start(model={"target": "select 1"}, initialize={"rootUri": tmp_path.as_uri()})
    uri = f"{tmp_path.as_uri()}/a.sql"
    client.open("sel", uri)
    assert await client.inline(0, 3, uri) == []
    assert client.received("client/registerCapability") == []
