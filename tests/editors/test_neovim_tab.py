"""What Tab does in Neovim with user mappings, the completion menu, and a server that ends."""

from __future__ import annotations

import pytest
from neovim_scene import Open

pytestmark = pytest.mark.editors


OWN_TABS = {
    "string": ("vim.keymap.set('i', '<Tab>', 'own')", "own"),
    "expr": ("vim.cmd([[inoremap <expr> <Tab> 'own' .. line('.')]])", "own1"),
    "lua": ("vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({'own'}, 'c', false, true) end)", "own"),
    "lua expr": ("vim.keymap.set('i', '<Tab>', function() return 'own<Space>' end, {expr = true})", "own "),
    "recursive": ("vim.cmd('imap <Tab> <Plug>Own') vim.cmd('inoremap <Plug>Own own')", "own"),
    "of the buffer": (
        "vim.api.nvim_create_autocmd('FileType', {callback = function()"
        " vim.keymap.set('i', '<Tab>', 'own', {buffer = true}) end})",
        "own",
    ),
}


@pytest.mark.parametrize("mapping", OWN_TABS)
def test_without_a_suggestion_tab_does_what_the_user_mapped(open_nvim: Open, mapping: str) -> None:
    lua, inserted = OWN_TABS[mapping]
    nvim = open_nvim(before=lua)
    nvim.keys("i")
    nvim.type("x")  # nothing can be offered behind this
    nvim.keys("Tab")
    nvim.until_text("x" + inserted)
    nvim.keys("Escape", "c", "c")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.keys("Tab")
    nvim.until_text("def area(width, height):")


def test_a_tab_mapped_later_is_found(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.lua("vim.keymap.set('i', '<Tab>', 'late')")
    nvim.keys("i")
    nvim.type("x")
    nvim.keys("Tab")
    nvim.until_text("xlate")


def test_keys_are_restored_when_the_server_ends(open_nvim: Open) -> None:
    nvim = open_nvim(before=OWN_TABS["of the buffer"][0])
    nvim.lua("require('tabspec.server').stop(function() end)")
    nvim.until(lambda: nvim.lua("return require('tabspec.session').get() == nil"), "tabspec detached")
    assert nvim.lua("return vim.fn.maparg('<Tab>', 'i')") == "own"
    assert nvim.lua("return vim.fn.maparg('<M-Right>', 'i')") == ""


def test_tab_belongs_to_the_completion_menu_while_it_is_up(open_nvim: Open) -> None:
    nvim = open_nvim(before="vim.keymap.set('i', '<Tab>', 'own')", text="arctic\narea\n")
    nvim.keys("O")
    nvim.type("ar")
    nvim.keys("C-n")
    nvim.until(lambda: nvim.lua("return vim.fn.pumvisible() == 1"), "the menu")
    nvim.until_no_ghost()
    nvim.keys("Tab")
    nvim.until(lambda: "own" in nvim.text, "the user's Tab")
