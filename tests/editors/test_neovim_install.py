"""The plugin installed as its README describes, in a home folder with the repository at ~/src/tabspec."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nvim_driver import PLUGIN, Nvim, installed

pytestmark = pytest.mark.editors

TARGET = "def area(width, height):\n    return width * height\n"
OWN_GREY = "#858b98"  # lua/tabspec/ghost.lua
BARE, PACK = "with nothing but Neovim", "with vim.pack"
# vim.pack asks before it installs something; a user says yes.
YES = "vim.fn.confirm = function() return 1 end"


def from_readme(name: str) -> str:
    """The Lua that the README has under this name."""
    blocks: list[str] = re.findall(r"```lua\n(.*?)```", (PLUGIN / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(f"-- {name}")]
    return block


def repository(folder: Path) -> None:
    """A Git repository with the plugin in its place, as this checkout has it."""
    shutil.copytree(PLUGIN, folder / "editor-configs" / "neovim", ignore=shutil.ignore_patterns("tags"))
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "plugin"]):
        subprocess.run([*git, *command], check=True)


@pytest.mark.parametrize(("version", "name"), [("0.12", BARE), ("0.11", BARE), ("0.12", PACK)])
def test_the_instructions_of_the_readme_install_the_plugin(tmp_path: Path, version: str, name: str) -> None:
    repository(tmp_path / "home" / "src" / "tabspec")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"target": TARGET}))
    server = f"{sys.executable} -m tabspec_lsp.main --stdio --model scripted:{script}"
    nvim = Nvim(
        installed(version),
        tmp_path,
        None,
        init=lambda *_: f"vim.o.termguicolors = true\n{YES}\n{from_readme(name)}",
        environment={"TABSPEC_LSP": server},
    )
    try:
        nvim.start(tmp_path / "example.py")
        nvim.keys("i")
        nvim.type("def ar")
        nvim.until(lambda: nvim.screen().coloured_text(OWN_GREY) == "ea(width, height):", "a suggestion")
        nvim.keys("Tab")
        nvim.until(lambda: nvim.screen().coloured_text(OWN_GREY) == "    return width * height", "the next one")
        nvim.keys("Escape", ":helptags ALL", "Enter", ":help tabspec-options", "Enter")
        nvim.until(lambda: "A table given to setup()" in nvim.screen().text, "the help")
        nvim.keys(":q", "Enter", ":Tabspec status", "Enter")
        nvim.until(lambda: "scripted" in nvim.screen().text, "the command")
    finally:
        nvim.close()
