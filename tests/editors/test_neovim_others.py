"""More than one suggestion in Neovim, and who draws them: the plugin, or 0.12's own inline completion."""

from __future__ import annotations

from pathlib import Path

import pytest
from neovim_scene import ONLY_BUILTIN, TARGET, Kind, Open, server_command, tab_through, until_status, with_ghost
from nvim_driver import Nvim, built_in_init, installed

pytestmark = pytest.mark.editors


@ONLY_BUILTIN
def test_the_module_draws_and_tab_goes_through_the_chain(open_nvim: Open) -> None:
    nvim = open_nvim()
    tab_through(nvim)
    assert nvim.lua("return vim.lsp.inline_completion.is_enabled({ bufnr = 0 })")
    own = "vim.api.nvim_buf_get_extmarks(0, require('tabspec.ghost').namespace, 0, -1, {})"
    assert nvim.lua(f"return #{own}") == 0
    status = until_status(nvim, "accepted", 4)
    assert status["tabs"] >= 3


@ONLY_BUILTIN
def test_the_next_suggestion_is_requested_without_the_modules_delay(open_nvim: Open) -> None:
    """The module's timer is never due: what is asked for is asked for at once."""
    nvim = with_ghost(open_nvim)
    nvim.lua("Deferred = vim.defer_fn; vim.defer_fn = function(run, ms) return Deferred(function() end, ms) end")
    for suggestion in ("    return width * height", "def perimeter(width, height):", "    return 2 * (width + height)"):
        nvim.keys("Tab")
        nvim.until_ghost(suggestion)


@pytest.mark.parametrize("open_nvim", [Kind("0.11", "builtin")], indirect=True, ids=str)
def test_without_the_module_the_plugin_draws(open_nvim: Open) -> None:
    nvim = open_nvim()
    tab_through(nvim)
    assert nvim.lua("return vim.lsp.inline_completion == nil")


OTHERS = {"def ar": ["ctic(pole):", "ray(size):"]}


def test_choosing_an_alternative(open_nvim: Open) -> None:
    """With the real server: the others come when they are asked for, and what follows the chosen one is there."""
    target = TARGET + "\ndef array(size):\n    return [0] * size\n"
    nvim = with_ghost(open_nvim, target, others=OTHERS, token_s=0.001)
    nvim.keys("M-n")
    nvim.until_ghost("ctic(pole): (2/3)")
    nvim.keys("M-n")
    nvim.until_ghost("ray(size): (3/3)")
    nvim.keys("M-p")
    nvim.until_ghost("ctic(pole): (2/3)")
    nvim.keys("M-n")
    nvim.until_ghost("ray(size): (3/3)")
    nvim.keys("M-Right")
    nvim.until_ghost("(size):")
    assert nvim.text == "def array"
    nvim.keys("Tab")
    nvim.until_ghost("    return [0] * size")
    assert nvim.text == "def array(size):"
    status = until_status(nvim, "tabs", 2)
    assert status["accepted"] == 2  # a word of it, and the rest


def test_after_a_refusal_an_alternative_is_shown(open_nvim: Open) -> None:
    nvim = with_ghost(open_nvim, others=OTHERS)
    nvim.keys("C-]")
    nvim.until_no_ghost()
    nvim.lua("require('tabspec').next()")
    nvim.until_ghost("ctic(pole): (1/2)")


def test_the_server_serves_neovims_own_inline_completion(tmp_path: Path) -> None:
    """README.md, "Without the plugin": 0.12's `vim.lsp.inline_completion` on the same server."""
    nvim = Nvim(installed("0.12"), tmp_path, server_command(TARGET, tmp_path), init=built_in_init)
    file = tmp_path / "example.py"
    file.write_text("")
    try:
        nvim.start(file)
        nvim.until(lambda: nvim.lua("return (vim.lsp.get_clients()[1] or {}).initialized == true"), "the server")
        tab_through(nvim)
    finally:
        nvim.close()
