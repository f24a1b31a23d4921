"""The language server as editors start it, in a folder full of planted modules: none is run."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from lsp_client import Client

from tabspec.system import processes
from tests.planted import CODE, plant, ran

ROOT = Path(__file__).parents[2]
SCRIPT = [str(Path(sys.executable).with_name("tabspec-lsp"))]
MODULE = processes.python("tabspec_lsp.main")
PLUGINS = ROOT / "editor-configs"
# What the Neovim plugin puts over the environment; the VS Code extension leaves these variables out.
CLEARED = dict.fromkeys(processes.NAMES_CODE, "") | {"PYTHONSAFEPATH": "1"}


def test_editors_clear_the_same_variables() -> None:
    lua = (PLUGINS / "neovim" / "lua" / "tabspec" / "server.lua").read_text("utf-8")
    names = re.search(r"ipairs\(\{([^}]*)\}\) do\n  ENVIRONMENT", lua)
    assert names and {f"PYTHON{name}" for name in re.findall(r"'(\w+)'", names[1])} == processes.NAMES_CODE
    script = (PLUGINS / "vscode" / "src" / "python-environment.ts").read_text("utf-8")
    assert set(re.findall(r'"(PYTHON\w+)"', script.replace("PYTHONSAFEPATH", ""))) == processes.NAMES_CODE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "python_path"),
    [(SCRIPT, None), (SCRIPT, "workspace"), (MODULE, ""), (MODULE, ".")],
    ids=["script", "script, the workspace", "module, empty", "module, a dot"],
)
async def test_no_planted_code_runs_and_suggestions_are_offered(
    command: list[str], python_path: str | None, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    marker = plant(workspace)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["XDG_RUNTIME_DIR"] = str(tmp_path)
    if python_path is not None:
        environment["PYTHONPATH"] = str(workspace) if python_path == "workspace" else python_path
    if python_path:
        environment |= CLEARED
    pipe = asyncio.subprocess.PIPE
    client = Client(
        await asyncio.create_subprocess_exec(
            *command, "--stdio", stdin=pipe, stdout=pipe, cwd=workspace, env=environment, limit=1 << 16
        )
    )
    client.listen()
    try:
        await client.initialize(options={"patience": 60, "related_chars": 500}, rootUri=workspace.as_uri())
        uri = (workspace / "area.py").as_uri()
        client.open(CODE, uri)
        lines = CODE.split("\n")
        items = await client.inline(len(lines) - 1, len(lines[-1]), uri)
        assert [item["insertText"].strip() for item in items] == ["height"]
    finally:
        await client.kill()
    assert ran(marker) == []
