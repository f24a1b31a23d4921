"""Neovim in a folder full of planted modules: the plugin starts the server without running them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from nvim_driver import VERSIONS, Nvim, installed

from tests.planted import plant, ran

pytestmark = pytest.mark.editors

SERVERS = {
    "script": [str(Path(sys.executable).with_name("tabspec-lsp"))],
    "module": [sys.executable, "-m", "tabspec_lsp.main"],  # as a user may write it: without -P
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("version", [VERSIONS[0], pytest.param(VERSIONS[1], marks=pytest.mark.nightly)])
def test_no_planted_code_runs_and_suggestions_are_shown(version: str, server: str, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    marker = plant(workspace)
    folder = json.dumps(str(workspace))
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"target": "def area(width, height):\n"}))
    nvim = Nvim(
        installed(version),
        tmp_path,
        [*SERVERS[server], "--stdio", "--model", f"scripted:{script}"],
        # set in Neovim itself, which a wheel starts by a program in Python
        before=f"vim.cmd.cd({folder})\nvim.env.PYTHONPATH = {folder}",
    )
    try:
        nvim.start(workspace / "example.py")
        nvim.keys("i")
        nvim.type("def ar")
        nvim.until_ghost("ea(width, height):")
    finally:
        nvim.close()
    assert ran(marker) == []
