"""Next edits in real Neovims, 0.12 and 0.11: what is on the screen, and what Tab and Esc do."""

from __future__ import annotations

import pytest
from edit_scenes import LOOKS, RENAMED, ROWS, TEXT, rename, until_edit, until_no_edit
from neovim_scene import Open

pytestmark = pytest.mark.editors


def test_rename_once_then_tab_tab_tab(open_nvim: Open) -> None:
    nvim = open_nvim("", TEXT, before=LOOKS)
    rename(nvim)
    nvim.keys("Escape")
    for row in ROWS:
        screen = until_edit(nvim, row)
        assert screen.cursor[0] < row  # nothing has moved by itself
        nvim.keys("Tab")
        nvim.until(lambda row=row: nvim.screen().cursor == (row, 25), "the jump")
        until_edit(nvim, row)
        nvim.keys("Tab")
    nvim.until_text(RENAMED.rstrip("\n"))
    until_no_edit(nvim)
    # One undo step each, and what was undone is not offered again.
    nvim.keys("u")
    nvim.until(lambda: nvim.text.count("limit") == 1, "one edit undone")
    nvim.keys("u")
    nvim.until(lambda: nvim.text.count("limit") == 2, "two edits undone")
    until_no_edit(nvim)
    # The jump list leads back to where the rename was.
    for _ in ROWS:
        nvim.keys("C-o")
    nvim.until(lambda: nvim.lua("return vim.fn.line('.')") == 1, "the first line")
