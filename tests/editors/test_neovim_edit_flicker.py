"""What changes on Neovim's screen while completions and next edits compete for it, seen at each redraw."""

from __future__ import annotations

import pytest
from neovim_edit_scene import LOOKS, RENAMED, ROWS, TEXT, rename, until_edit
from neovim_scene import Kind, Open

pytestmark = pytest.mark.editors

ONLY_012 = pytest.mark.parametrize("open_nvim", [Kind("0.12")], indirect=True, ids=str)

# Notes at each redraw what is drawn, and where the lines of the text are, if it differs from the redraw before.
WATCH = """
Seen, Tops = {}, {}
local ghost, edit = require('tabspec.ghost').namespace, require('tabspec.edit.view').namespace
local function drawn(buf, namespace)
  return #vim.api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { limit = 1 }) > 0
end
local function note(list, value)
  if list[#list] ~= value then
    table.insert(list, value)
  end
end
vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('watch'), {
  on_win = function(_, win, buf)
    note(Seen, (drawn(buf, ghost) and 'completion' or '') .. (drawn(buf, edit) and 'edit' or ''))
    local rows = {}
    for line = 1, vim.api.nvim_buf_line_count(buf) do
      table.insert(rows, vim.fn.screenpos(win, line, 1).row)
    end
    note(Tops, table.concat(rows, ' '))
  end,
})
"""


@ONLY_012
def test_a_completion_and_an_edit_never_flicker_and_no_line_moves(open_nvim: Open) -> None:
    """Not both, nor one after the other and back (vscode#261039); the layout stays (vscode-copilot-release#8495)."""
    nvim = open_nvim(RENAMED.replace("bound):", "bound, start):", 1), TEXT, before=LOOKS)
    nvim.lua(WATCH)
    rename(nvim)
    nvim.until_ghost(", start")
    nvim.keys("Escape")
    for row in ROWS:
        until_edit(nvim, row)
        nvim.keys("Tab", "Tab")
    nvim.until_text(RENAMED.rstrip("\n"))
    seen = [each for each in nvim.lua("return Seen") if each]
    assert seen == ["completion", "edit"]
    assert nvim.lua("return Tops") == [" ".join(str(row) for row in range(1, len(TEXT.splitlines()) + 1))]
