"""The plugin in real Neovims, 0.12 and 0.11, in a real terminal: what a user does and sees.

Scenes in which it matters who draws are played with 0.12's own inline completion, too (``backend = 'builtin'``). A
suggestion is told from text by its colour, and the proof of an accept is the buffer and the cursor: the characters
on the screen are the same before and after Tab. Two negative controls stand at the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cursor_rests import Rest, rests
from nvim_driver import GHOST, VERSIONS, NotSeen, Nvim, built_in_init, installed

pytestmark = pytest.mark.editors

TARGET = """\
def area(width, height):
    return width * height


def perimeter(width, height):
    return 2 * (width + height)
"""

Open = Callable[..., Nvim]


@dataclass(frozen=True)
class Kind:
    """A version of Neovim, and who asks and draws in it."""

    version: str
    backend: str = "own"

    def __str__(self) -> str:
        return self.version if self.backend == "own" else f"{self.version} {self.backend}"


OWN = [Kind(version) for version in VERSIONS]
BUILTIN = Kind("0.12", "builtin")
# In place of the fixture's own kinds.
EITHER_BACKEND = pytest.mark.parametrize("open_nvim", [*OWN, BUILTIN], indirect=True, ids=str)
ONLY_BUILTIN = pytest.mark.parametrize("open_nvim", [BUILTIN], indirect=True, ids=str)


def server_command(target: str, folder: Path, **more: Any) -> list[str]:
    """The language server with a model that knows the text that the user is going to write."""
    script = folder / "script.json"
    script.write_text(json.dumps({"target": target, **more}), encoding="utf-8")
    return [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]


@pytest.fixture(params=OWN, ids=str)
def open_nvim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens Neovim on a file, with a server that knows `target`."""
    running, kind = [], request.param

    def open_one(
        target: str | None = TARGET,
        text: str = "",
        *,
        options: str = "",
        before: str = "",
        tee: bool = False,
        **more: Any,
    ) -> Nvim:
        file = tmp_path / "example.py"
        file.write_bytes(text.encode())
        command = server_command(target, tmp_path, **more) if target is not None else None
        if command and tee:
            command = [sys.executable, str(Path(__file__).with_name("server_tee.py")), str(tmp_path), *command]
        looks = f"vim.api.nvim_set_hl(0, 'ComplHint', {{ fg = '{GHOST}' }})"  # what the built-in one draws with
        backend = f"backend = '{kind.backend}', {options}"
        nvim = Nvim(installed(kind.version), tmp_path, command, backend, f"{looks}\n{before}")
        running.append(nvim)
        return nvim.start(file)

    yield open_one
    for nvim in running:
        nvim.close()


def tab_through(nvim: Nvim) -> None:
    """Type a little, then Tab, Tab, Tab, Tab: the way that the whole project is about."""
    nvim.keys("i")
    nvim.type("def ar")
    screen = nvim.until_ghost("ea(width, height):")
    assert screen.coloured(GHOST)[0][:2] == (0, 6)
    assert screen.cursor == (0, 6)
    assert nvim.text == "def ar"

    nvim.keys("Tab")
    screen = nvim.until_ghost("    return width * height")
    assert screen.coloured(GHOST)[0][:2] == (1, 0)
    assert screen.cursor == (0, 24)
    assert nvim.text == "def area(width, height):"

    nvim.keys("Tab")
    screen = nvim.until_ghost("def perimeter(width, height):")
    assert screen.coloured(GHOST)[0][:2] == (4, 0)
    assert screen.cursor == (1, 25)
    assert nvim.text == "def area(width, height):\n    return width * height"

    nvim.keys("Tab")
    nvim.until_ghost("    return 2 * (width + height)")
    nvim.keys("Tab")
    nvim.until_text(TARGET.rstrip())
    assert nvim.until_no_ghost().cursor == (5, 31)


def test_tab_tab_tab(open_nvim: Open) -> None:
    tab_through(open_nvim())


@EITHER_BACKEND
def test_typing_through_never_takes_the_suggestion_away(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    with silent_server(nvim):  # it says nothing: what stays on the screen is the plugin's own doing
        for at, char in enumerate("ea(wi", start=1):
            nvim.type(char)
            nvim.until_ghost("ea(width, height):"[at:])
        nvim.keys("BSpace")
        nvim.until_ghost("idth, height):")
        nvim.keys("Tab")
        nvim.until_text("def area(width, height):")
    nvim.until_ghost("    return width * height")


@EITHER_BACKEND
def test_what_disagrees_is_gone_at_once_and_tab_is_tab(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    with silent_server(nvim):
        nvim.type("x")
        nvim.until_no_ghost()
        nvim.keys("Tab")
        nvim.until_text("def arx ")


def test_deleting_before_the_place_is_no_typing_through(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    with silent_server(nvim):
        nvim.keys("BSpace")
        nvim.until_no_ghost()
    nvim.until_ghost("rea(width, height):")


@EITHER_BACKEND
def test_tab_in_one_burst_with_typing(open_nvim: Open) -> None:
    """Keys that come faster than the screen keeps up: Tab takes what the suggestion is by then."""
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.type("ea\t")
    nvim.until_ghost("    return width * height")
    assert nvim.text == "def area(width, height):"


@EITHER_BACKEND
def test_a_dismissed_suggestion_does_not_come_back(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.keys("Escape")
    nvim.until_no_ghost()
    nvim.keys("a")
    nvim.until_ghost("ea(width, height):")  # leaving Insert mode is no refusal
    nvim.keys("C-]")
    nvim.until_no_ghost()
    nvim.keys("Escape", "a")
    until_answered(nvim)
    assert nvim.ghost == ""
    assert nvim.text == "def ar"
    nvim.keys("Tab")
    nvim.until_text("def ar  ")


def test_an_undone_suggestion_does_not_come_back(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.keys("Tab")
    nvim.until_ghost("    return width * height")
    nvim.keys("Escape", "u")
    nvim.until_text("def ar")  # one undo takes back the accept, not what was typed before it
    nvim.keys("A")
    until_answered(nvim)
    assert nvim.ghost == ""


@EITHER_BACKEND
def test_each_accept_is_one_undo(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    for expected in ("ea(width, height):", "    return width * height", "def perimeter(width, height):"):
        nvim.until_ghost(expected)
        nvim.keys("Tab")
    nvim.until_ghost("    return 2 * (width + height)")
    nvim.keys("Escape", "u")
    nvim.until_text("def area(width, height):\n    return width * height")
    nvim.keys("u")
    nvim.until_text("def area(width, height):")
    nvim.keys("u")
    nvim.until_text("def ar")


@EITHER_BACKEND
def test_accept_a_word_and_another(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    for taken, rest in (("ea", "(width, height):"), ("(", "width, height):"), ("width", ", height):")):
        before = nvim.text
        nvim.keys("M-Right")
        screen = nvim.until_ghost(rest)
        assert nvim.text == before + taken
        assert screen.cursor == (0, len(before + taken))
    nvim.keys("Tab")
    nvim.until_ghost("    return width * height")
    assert nvim.text == "def area(width, height):"


def test_a_partial_accept_keeps_the_rest_without_the_server(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    with silent_server(nvim):
        nvim.keys("M-Right")
        nvim.until_ghost("(width, height):")


def test_accept_line_by_line(open_nvim: Open) -> None:
    # One block: behind its first line, what ends a block would be cut off.
    target = "def area(width, height):\n    size = width * height\n    return size\n"
    nvim = open_nvim(target, options="settings = { max_lines = 3 }")
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):\n    size = width * height\n    return size")
    nvim.keys("M-Down")
    screen = nvim.until_ghost("    size = width * height\n    return size")
    assert nvim.text == "def area(width, height):\n"
    assert screen.cursor == (1, 0)
    nvim.keys("M-Down")
    nvim.until_text("def area(width, height):\n    size = width * height\n")


# --- backend = "builtin" ----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("open_nvim", [Kind("0.11", "builtin")], indirect=True, ids=str)
def test_where_there_is_no_module_the_plugin_draws(open_nvim: Open) -> None:
    nvim = open_nvim()
    tab_through(nvim)
    assert nvim.lua("return vim.lsp.inline_completion == nil")


# --- several suggestions ----------------------------------------------------------------------------------------------

OTHERS = {"def ar": ["ctic(pole):", "ray(size):"]}


def test_choosing_another_one(open_nvim: Open) -> None:
    """With the real server: the others come when they are asked for, and what follows the chosen one is there."""
    target = TARGET + "\ndef array(size):\n    return [0] * size\n"
    nvim = open_nvim(target, others=OTHERS, token_s=0.001)
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
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


def test_a_refused_suggestion_gives_its_place_to_another(open_nvim: Open) -> None:
    nvim = open_nvim(others=OTHERS)
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.keys("C-]")
    nvim.until_no_ghost()
    nvim.lua("require('tabspec').next()")
    nvim.until_ghost("ctic(pole): (1/2)")


# --- the user's own Tab -----------------------------------------------------------------------------------------------

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
def test_tab_stays_the_users_own(open_nvim: Open, mapping: str) -> None:
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


def test_keys_are_given_back_when_the_server_goes(open_nvim: Open) -> None:
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


# --- places -----------------------------------------------------------------------------------------------------------


def test_behind_characters_outside_the_basic_plane(open_nvim: Open) -> None:
    """Columns count UTF-16 units for the server, bytes in Neovim, cells on the screen."""
    target = 'say("🦊 é 漢字", end="")\nsay("🦊")\n'
    nvim = open_nvim(target)
    nvim.keys("i")
    nvim.type('say("🦊 é')
    screen = nvim.until_ghost(' 漢字", end="")')
    assert screen.cursor == (0, 9)
    nvim.keys("Tab")
    nvim.until_ghost('say("🦊")')
    assert nvim.text == target.splitlines()[0]


def test_no_second_closing_bracket(open_nvim: Open) -> None:
    nvim = open_nvim("print(value)\n", text="print()\n")
    nvim.keys("f", ")", "i")
    screen = nvim.until_ghost("value")
    assert screen.rows[0].rstrip() == "print(value)"
    nvim.keys("Tab")
    nvim.until_text("print(value)")
    nvim.until_no_ghost()


@EITHER_BACKEND
def test_a_file_with_crlf_keeps_its_line_ends(open_nvim: Open) -> None:
    nvim = open_nvim(text="def area(width, height):\r\n")
    nvim.keys("A")
    nvim.until_ghost("    return width * height")
    nvim.keys("Tab")
    nvim.until_text("def area(width, height):\n    return width * height")
    nvim.keys("Escape", ":w", "Enter")
    file = nvim.folder / "example.py"
    nvim.until(lambda: file.read_bytes() == b"def area(width, height):\r\n    return width * height\r\n", "the file")


def test_tabs_in_a_suggestion_look_like_tabs(open_nvim: Open) -> None:
    nvim = open_nvim("if x:\n\treturn\ty\n", before="vim.g.python_recommended_style = 0")
    nvim.lua("vim.bo.tabstop = 4")
    nvim.keys("i")
    nvim.type("if x:")
    nvim.until_ghost("    return  y")
    nvim.keys("Tab")
    nvim.until_text("if x:\n\treturn\ty")


# --- on, off, again ---------------------------------------------------------------------------------------------------


def test_toggle(open_nvim: Open) -> None:
    nvim = open_nvim()
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    nvim.keys("Escape", ":Tabspec toggle", "Enter", "a")
    nvim.until(lambda: "tabspec: off" in nvim.screen().text, "the status line")
    assert nvim.ghost == ""
    nvim.lua("require('tabspec').toggle()")
    nvim.until_ghost("ea(width, height):")


def test_where_the_cursor_rests_the_server_is_told(open_nvim: Open) -> None:
    """In Normal mode nobody asks; but what would be asked first in Insert mode is prepared."""
    nvim = open_nvim(text="def area(width, height):\n\n", options="settings = { policy = 'tree', economy = 0 }")
    status = "require('tabspec.session').get().client:request_sync('tabspec/status', vim.empty_dict(), 5000).result"
    asked = f"return {status}.tokens.decoded_speculative"
    nvim.until(lambda: nvim.lua(asked) > 0, "work ahead where the file was opened")
    before = nvim.lua(asked)
    nvim.keys("j")
    nvim.until(lambda: nvim.lua(asked) > before, "work ahead where the cursor was put")


@EITHER_BACKEND
def test_only_where_the_cursor_rests_in_normal_mode_the_server_is_told(open_nvim: Open) -> None:
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


def test_a_suggestion_comes_as_soon_as_the_model_is_loaded(open_nvim: Open) -> None:
    """The request that was made while it was loading has been answered with nothing by then."""
    nvim = open_nvim(options="settings = { patience = 0 }", load_s=5.0)
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until(lambda: "tabspec: loading" in nvim.screen().text, "the status line")
    nvim.until_ghost("ea(width, height):")


def test_restart(open_nvim: Open) -> None:
    nvim = open_nvim()
    before = server_pid(nvim)
    nvim.keys(":Tabspec restart", "Enter")
    nvim.until(lambda: server_pid(nvim) not in (None, before), "another server")
    tab_through(nvim)


def test_a_server_that_dies_says_so_and_leaves_the_keys_alone(open_nvim: Open) -> None:
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


def test_no_server_at_all(open_nvim: Open) -> None:
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


def test_health(open_nvim: Open) -> None:
    nvim = open_nvim(options="wrong = 1")
    nvim.keys(":checkhealth tabspec", "Enter")
    nvim.until(lambda: "unknown option" in nvim.text, "the report")
    report = nvim.text
    assert "option cmd" in report
    assert "running" in report
    assert "<Tab>" in report
    assert "ERROR" not in report


# --- without the plugin -----------------------------------------------------------------------------------------------


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


# --- controls: the assertions above must be able to fail --------------------------------------------------------------


def test_control_a_server_that_offers_nothing_fails_the_chain(open_nvim: Open) -> None:
    nvim = open_nvim("")
    nvim.seconds = 3
    with pytest.raises(NotSeen, match=r"the suggestion 'ea\(width"):
        tab_through(nvim)


def test_control_text_of_the_buffer_is_no_suggestion(open_nvim: Open) -> None:
    """The very same characters on the screen, but typed by the user: not taken for a suggestion."""
    nvim = open_nvim("")
    nvim.seconds = 1
    nvim.keys("i")
    nvim.type("def area(width, height):")
    nvim.until_text("def area(width, height):")
    with pytest.raises(NotSeen):
        nvim.until_ghost("ea(width, height):")


# --- common to them ---------------------------------------------------------------------------------------------------


def server_pid(nvim: Nvim) -> int:
    return nvim.lua("""
        local client = require('tabspec.server').client()
        if not client or not client.initialized then return nil end
        local children = vim.api.nvim_get_proc_children(vim.fn.getpid())
        table.sort(children)
        return children[#children]""")


class silent_server:
    """Within this block the language server is stopped as by Ctrl-Z: it neither reads nor answers."""

    def __init__(self, nvim: Nvim) -> None:
        self.pid = server_pid(nvim)

    def __enter__(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *error: object) -> None:
        os.kill(self.pid, signal.SIGCONT)


def until_status(nvim: Nvim, field: str, value: int) -> dict[str, Any]:
    """Wait until the server says this of itself; all that it says."""

    def look() -> dict[str, Any] | None:
        nvim.lua("require('tabspec.server').ask_status()")
        status = nvim.lua("return require('tabspec.server').status") or {}
        return status if status.get(field) == value else None

    found = nvim.until(look, f"{field} = {value}")
    assert found is not None
    return found


def until_rested(nvim: Nvim, line: int, character: int) -> list[Rest]:
    """Wait until the last place that the server was told of is this one; all that it was told."""

    def look() -> list[Rest] | None:
        told = rests(nvim.folder / "messages.jsonl")
        return told if told and told[-1].place == ("example.py", line, character) else None

    found = nvim.until(look, f"the cursor's rest at {line}, {character}")
    assert found is not None
    return found


def until_a_rest_is_over(nvim: Nvim) -> None:
    """Wait until the plugin's timer for the last move has run: one that was started later and takes longer has."""
    nvim.lua("Over = false; vim.defer_fn(function() Over = true end, 400)")  # session.lua: 300
    nvim.until(lambda: nvim.lua("return Over"), "a timer")


def until_answered(nvim: Nvim) -> None:
    """Wait until the request for the cursor's place has been made and answered."""
    nvim.until(
        lambda: nvim.lua("""
            local session = require('tabspec.session').get()
            local here = require('tabspec.place').here(0)
            return vim.api.nvim_get_mode().mode == 'i' and session.request == nil
                and require('tabspec.place').same(session.asked, here)"""),
        "an answer",
    )
