"""The language server beside Neovim: off and on, where the cursor rests, loading, deaths, health."""

from __future__ import annotations

import os
import signal

import pytest
from neovim_scene import EITHER_BACKEND, Open, server_pid, tab_through, until_a_rest_is_over, until_rested, with_ghost

pytestmark = pytest.mark.editors


def test_toggling_suggestions(open_nvim: Open) -> None:
    nvim = with_ghost(open_nvim)
    nvim.keys("Escape", ":Tabspec toggle", "Enter", "a")
    nvim.until(lambda: "tabspec: off" in nvim.screen().text, "the status line")
    assert nvim.ghost == ""
    nvim.lua("require('tabspec').toggle()")
    nvim.until_ghost("ea(width, height):")


def test_a_resting_cursor_is_reported_to_the_server(open_nvim: Open) -> None:
    """In Normal mode nothing is requested, but the first request of Insert mode is prepared."""
    nvim = open_nvim(text="def area(width, height):\n\n", options="settings = { policy = 'tree', economy = 0 }")
    status = "require('tabspec.session').get().client:request_sync('tabspec/status', vim.empty_dict(), 5000).result"
    asked = f"return {status}.tokens.decoded_speculative"
    nvim.until(lambda: nvim.lua(asked) > 0, "work ahead where the file was opened")
    before = nvim.lua(asked)
    nvim.keys("j")
    nvim.until(lambda: nvim.lua(asked) > before, "work ahead where the cursor was put")


@EITHER_BACKEND
def test_only_a_cursor_resting_in_normal_mode_is_reported(open_nvim: Open) -> None:
    nvim = open_nvim(text="def area(width, height):\n\n", tee=True)
    until_rested(nvim, 0, 0)  # where the file was opened
    nvim.keys("j")
    until_rested(nvim, 1, 0)
    # moved, and in Insert mode before that was a rest
    nvim.lua("vim.api.nvim_exec_autocmds('CursorMoved', { buffer = 0 }); vim.cmd.startinsert()")
    nvim.type("    ")
    nvim.until_ghost("return width * height")
    until_a_rest_is_over(nvim)
    nvim.keys("Escape")
    until_rested(nvim, 1, 3)
    nvim.lua("require('tabspec').toggle()")
    nvim.keys("k")
    nvim.until(lambda: nvim.screen().cursor == (0, 3), "the cursor in the first line")
    until_a_rest_is_over(nvim)
    nvim.lua("require('tabspec').toggle()")
    nvim.keys("$")
    told = until_rested(nvim, 0, 23)
    assert [rest.place[1:] for rest in told] == [(0, 0), (1, 0), (1, 3), (0, 23)]


def test_a_suggestion_is_shown_as_soon_as_the_model_is_loaded(open_nvim: Open) -> None:
    """The request that was made while it was loading has been answered with nothing by then."""
    nvim = open_nvim(options="settings = { patience = 0 }", load_s=10.0)
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until(lambda: "tabspec: loading" in nvim.screen().text, "the status line")
    nvim.until_ghost("ea(width, height):")


def test_restarting_the_server(open_nvim: Open) -> None:
    nvim = open_nvim()
    before = server_pid(nvim)
    nvim.keys(":Tabspec restart", "Enter")
    nvim.until(lambda: server_pid(nvim) not in (None, before), "another server")
    tab_through(nvim)


def test_a_server_that_dies_is_reported_and_keys_work_as_before(open_nvim: Open) -> None:
    nvim = open_nvim()
    os.kill(server_pid(nvim), signal.SIGKILL)
    nvim.until(lambda: "quit with exit code" in nvim.screen().text, "Neovim's own message")
    nvim.keys("Enter")
    nvim.until(lambda: "tabspec: no server" in nvim.screen().text, "the status line")
    assert ":Tabspec restart" in nvim.lua("return require('tabspec.server').describe()")
    nvim.keys("i")
    nvim.type("x")
    nvim.keys("Tab")
    nvim.until_text("x   ")


def test_without_a_server_a_message_is_shown(open_nvim: Open) -> None:
    # Neither on PATH nor in a virtual environment beside the plugin, where a checkout that is tested has one.
    hidden = (
        "local real = vim.fn.executable; vim.fn.executable = function(p) return p:find('venv') and 0 or real(p) end"
    )
    nvim = open_nvim(None, before=f"vim.env.PATH = '/usr/bin:/bin'; {hidden}")
    nvim.until(lambda: "tabspec: no server" in nvim.screen().text, "the status line")
    nvim.keys("i")
    nvim.type("x")
    nvim.keys("Tab")
    nvim.until_text("x   ")
    nvim.keys("Escape", ":checkhealth tabspec", "Enter")
    nvim.until(lambda: "tabspec-lsp was not found" in nvim.text, "what to do about it")


def test_the_health_check_reports_the_server(open_nvim: Open) -> None:
    nvim = open_nvim(options="wrong = 1")
    nvim.keys(":checkhealth tabspec", "Enter")
    nvim.until(lambda: "unknown option" in nvim.text, "the report")
    report = nvim.text
    assert "option cmd" in report
    assert "running" in report
    assert "<Tab>" in report
    assert "ERROR" not in report
