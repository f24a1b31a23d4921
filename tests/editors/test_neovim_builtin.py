"""The option backend = "builtin": Neovim 0.12's vim.lsp.inline_completion asks and draws, in a real Neovim 0.12."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nvim_driver import GHOST, Nvim, installed
from test_neovim import TARGET, Open, server_command, silent_server, tab_through, until_status

pytestmark = pytest.mark.editors

LOOKS = f"vim.api.nvim_set_hl(0, 'ComplHint', {{ fg = '{GHOST}' }})"


@pytest.fixture
def open_nvim(tmp_path: Path) -> Iterator[Open]:
    running = []

    def open_one(version: str = "0.12", options: str = "", text: str = "", **more: Any) -> Nvim:
        file = tmp_path / "example.py"
        file.write_text(text)
        command = server_command(TARGET, tmp_path, **more)
        nvim = Nvim(installed(version), tmp_path, command, f"backend = 'builtin', {options}", LOOKS)
        running.append(nvim)
        return nvim.start(file)

    yield open_one
    for nvim in running:
        nvim.close()


def test_the_module_draws_and_tab_goes_through_the_chain(open_nvim: Open) -> None:
    nvim = open_nvim()
    tab_through(nvim)
    assert nvim.lua("return vim.lsp.inline_completion.is_enabled({ bufnr = 0 })")
    own = "vim.api.nvim_buf_get_extmarks(0, require('tabspec.ghost').namespace, 0, -1, {})"
    assert nvim.lua(f"return #{own}") == 0
    status = until_status(nvim, "accepted", 4)
    assert status["tabs"] >= 3


def test_the_next_one_is_asked_for_without_the_modules_wait(open_nvim: Open) -> None:
    """The module's timer is never due: what is asked for is asked for at once."""
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.lua("Deferred = vim.defer_fn; vim.defer_fn = function(run, ms) return Deferred(function() end, ms) end")
    for suggestion in ("    return width * height", "def perimeter(width, height):", "    return 2 * (width + height)"):
        nvim.keys("Tab")
        nvim.until_ghost(suggestion)


def test_what_disagrees_is_gone_and_cannot_be_taken(open_nvim: Open) -> None:
    """Where the module by itself would keep it, and insert it in front of what was typed."""
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    with silent_server(nvim):
        nvim.type("x")
        nvim.until_no_ghost()
        nvim.keys("Tab")
        nvim.until_text("def arx ")


def test_typing_through_and_then_tab(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    with silent_server(nvim):
        nvim.type("ea(")
        nvim.until_ghost("width, height):")
        nvim.keys("Tab")
        nvim.until_text("def area(width, height):")
    nvim.until_ghost("    return width * height")


def test_words_refusals_and_undo(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.keys("M-Right")
    nvim.until_ghost("(width, height):")
    assert nvim.text == "def area"
    nvim.keys("Tab")
    nvim.until_ghost("    return width * height")
    nvim.keys("C-]")
    nvim.until_no_ghost()
    assert until_status(nvim, "rejected", 1)["accepted"] == 2
    nvim.keys("Escape", "u")
    nvim.until_text("def area")


def test_on_neovim_0_11_the_plugin_draws(open_nvim: Open) -> None:
    nvim = open_nvim("0.11", options=f"highlight = {{ fg = '{GHOST}' }},")
    tab_through(nvim)
