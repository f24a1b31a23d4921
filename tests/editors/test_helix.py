"""The settings of editor-configs/helix/README.md in a real Helix, in a terminal: suggestions in its completion menu,
and next edits as code actions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from neovim_edit_scene import RENAMED, ROWS, TEXT
from nvim_driver import NotSeen
from tmux_terminal import Terminal, scripted_server

from tests.patience import PATIENCE
from tests.tools import REPOSITORY, installed

pytestmark = pytest.mark.editors

TARGET = "def area(width, height):\n    return width * height\n\n\nprint(area(2, 3))\n"


def settings_of_the_readme() -> dict[str, str]:
    """The configuration files on the page, by name."""
    page = (REPOSITORY / "editor-configs" / "helix" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"`~/\.config/helix/(\w+\.toml)`.*?```toml\n(.*?)```", page, re.DOTALL)
    return dict(blocks)


class Helix(Terminal):
    """A Helix with a file open, in Normal mode."""

    def __init__(self, folder: Path, target: str, text: str = "") -> None:
        command, *arguments = scripted_server(folder, target)
        given = settings_of_the_readme()
        languages = given["languages.toml"].replace('"tabspec-lsp"', json.dumps(command))
        languages = languages.replace('["--stdio"]', json.dumps(arguments)).replace('"pylsp", ', "")
        config = folder / ".config" / "helix"
        config.mkdir(parents=True)
        (config / "languages.toml").write_text(languages)
        (config / "config.toml").write_text(given["config.toml"])
        self.file, self.log = folder / "example.py", folder / "helix.log"
        self.file.write_text(text)
        super().__init__(folder, [str(installed("helix/bin/hx")), "-v", "--log", str(self.log), str(self.file)])
        self.until(lambda: self.log.exists() and "textDocument/didOpen" in self.log.read_text(), "an open document")

    def insert(self) -> None:
        self.keys("i")
        self.until_shown(" INS ")

    def saved(self) -> str:
        self.keys("Escape")
        self.until_shown(" NOR ")
        self.type(":w")
        self.keys("Enter")
        self.until_shown("written,")
        return self.file.read_text()


@pytest.fixture
def open_helix(tmp_path: Path) -> Iterator[Callable[..., Helix]]:
    running: list[Helix] = []

    def open_one(target: str = TARGET, text: str = "") -> Helix:
        running.append(Helix(tmp_path, target, text))
        return running[-1]

    yield open_one
    for helix in running:
        helix.close()


def take_from_the_menu(helix: Helix, seconds: float = PATIENCE) -> None:
    helix.insert()
    for at, char in enumerate("def a", start=1):
        helix.type(char)
        helix.until_shown("def a"[:at].rstrip())
    try:
        helix.until_shown("area(width, height):", min(seconds, 5))
    except NotSeen:  # asked before the server was ready: Helix asks by itself only where a word is begun
        helix.keys("C-x")
        helix.until_shown("area(width, height):", seconds)
    helix.keys("Tab", "Enter")
    helix.until_row(0, "    1  def area(width, height):")


def test_the_menu_takes_a_suggestion_and_the_next(open_helix: Callable[..., Helix]) -> None:
    helix = open_helix()
    take_from_the_menu(helix)
    helix.keys("Enter", "C-x")  # a new line, and the menu by hand: Helix asks by itself only where a word is begun
    helix.until_shown("return width * height")
    helix.keys("Tab", "Enter")
    helix.until_row(1, "    2      return width * height")
    assert helix.saved() == "def area(width, height):\n    return width * height\n"


def test_control_a_server_that_offers_nothing(open_helix: Callable[..., Helix]) -> None:
    with pytest.raises(NotSeen, match="area"):
        take_from_the_menu(open_helix(""), seconds=4)


def test_code_actions_walk_the_chain_of_next_edits(open_helix: Callable[..., Helix]) -> None:
    helix = open_helix("", TEXT)
    helix.type("/limit")
    helix.keys("Enter")
    helix.until_shown("1 sel")
    helix.type("c")
    helix.until_shown(" INS ")
    helix.type("bound")
    helix.keys("Escape")
    helix.until_row(0, "    1  def total(items, bound):")
    for row in ROWS:
        helix.type(" a")
        helix.until_shown(f"tabspec: next edit (line {row + 1})")
        helix.keys("Enter")
        helix.until_row(row, f"{row + 1:5}          result += item * bound")
    helix.type(" a")
    helix.until_shown("No code actions available")
    assert helix.saved() == RENAMED
