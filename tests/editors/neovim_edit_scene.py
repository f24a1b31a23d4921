"""Shared by the tests of next edits in Neovim: a file in which a parameter is renamed, and searches for edits."""

from __future__ import annotations

import json
from typing import Any

from nvim_driver import Nvim
from terminal_screen import Screen

NEW, OLD, HINT = "#22cc22", "#cc2222", "#2222cc"
"""The colours that the tests give to what comes, what goes, and hints."""

LOOKS = f"""
vim.api.nvim_set_hl(0, 'TabspecInserted', {{ fg = '{NEW}' }})
vim.api.nvim_set_hl(0, 'TabspecDeleted', {{ fg = '{OLD}', strikethrough = true }})
vim.api.nvim_set_hl(0, 'TabspecHint', {{ fg = '{HINT}' }})
"""

TEXT = "def total(items, limit):\n    result = 0\n" + "".join(
    f"\n    # part {number}\n    for item in items:\n        result += item * limit\n    print({number})\n"
    for number in range(4)
)
RENAMED = TEXT.replace("limit", "bound")
ROWS = [row for row, line in enumerate(TEXT.splitlines()) if "* limit" in line]


def rename(nvim: Nvim) -> None:
    """Rename the parameter, as one does it in Vim."""
    nvim.lua("vim.api.nvim_win_set_cursor(0, {1, 17})")
    nvim.type("cwbound")


def shown(screen: Screen) -> tuple[str, str]:
    """What goes and what comes, as the screen shows it."""
    return screen.coloured_text(OLD), screen.coloured_text(NEW)


def until_edit(nvim: Nvim, row: int, old: str = "limit", new: str = "bound") -> Screen:
    """Wait until the edit of this row of the screen is shown."""

    def look() -> Screen | None:
        screen = nvim.screen()
        pieces = [(found, text) for found, _, text in screen.coloured(NEW)]
        return screen if shown(screen) == (old, new) and pieces == [(row, new)] else None

    found = nvim.until(look, f"{old} -> {new} in row {row}")
    assert found is not None
    return found


def until_no_edit(nvim: Nvim) -> Screen:
    def look() -> Screen | None:
        screen = nvim.screen()
        return screen if shown(screen) == ("", "") and not screen.coloured(HINT) else None

    found = nvim.until(look, "a screen without an edit")
    assert found is not None
    return found


def edit_answers(nvim: Nvim) -> list[Any]:
    """The server's answers to requests for next edits so far. Neovim was opened with `tee`."""
    entries = [json.loads(line) for line in (nvim.folder / "messages.jsonl").read_text().splitlines()]
    messages = [(entry["from"], entry["message"]) for entry in entries]
    asked = {m["id"] for sender, m in messages if sender == "client" and m.get("method") == "tabspec/nextEdit"}
    return [m["result"] for sender, m in messages if sender == "server" and "result" in m and m["id"] in asked]
