"""Next edits in real Neovims: what is on the screen, and what Tab and Esc do.

The first scene is played in 0.12 and 0.11, the others in one of them. Each scene does several things in one Neovim,
because starting one takes seconds.
"""

from __future__ import annotations

import json

import pytest
from edit_model import edit_model
from neovim_edit_scene import (
    HINT,
    LOOKS,
    RENAMED,
    ROWS,
    TEXT,
    edit_answers,
    rename,
    shown,
    until_edit,
    until_no_edit,
)
from neovim_scene import BOTH_VERSIONS, Kind, Open, silent_server, until_status
from nvim_driver import Nvim

pytestmark = pytest.mark.editors

ONLY_012 = pytest.mark.parametrize("open_nvim", [Kind("0.12")], indirect=True, ids=str)
ONLY_011 = pytest.mark.parametrize("open_nvim", [Kind("0.11")], indirect=True, ids=str)


def cursor_of(nvim: Nvim) -> tuple[int, int]:
    row, column = nvim.lua("return vim.api.nvim_win_get_cursor(0)")
    return row - 1, column


def put(nvim: Nvim, row: int, column: int) -> None:
    nvim.lua(f"vim.api.nvim_win_set_cursor(0, {{{row + 1}, {column}}})")


def until_cursor(nvim: Nvim, row: int, column: int) -> None:
    nvim.until(lambda: cursor_of(nvim) == (row, column), f"the cursor at {row}, {column}")


def until_hint(nvim: Nvim, text: str) -> None:
    nvim.until(lambda: text in nvim.screen().coloured_text(HINT), f"the hint {text!r}")


@BOTH_VERSIONS
def test_rename_once_then_tab_tab_tab(open_nvim: Open) -> None:
    """Tab never inserts a tab instead (vscode#240922); what was undone is not offered again (vscode#255141)."""
    nvim = open_nvim("", TEXT, before=LOOKS)
    rename(nvim)
    nvim.keys("Escape")
    for row in ROWS:
        screen = until_edit(nvim, row)
        assert screen.cursor[0] < row  # nothing has moved by itself
        nvim.keys("Tab")
        until_cursor(nvim, row, 25)
        until_edit(nvim, row)
        nvim.keys("Tab")
    nvim.until_text(RENAMED.rstrip("\n"))
    until_no_edit(nvim)
    status = until_status(nvim, "accepted", 4)
    assert status["rejected"] == 0
    # One undo step each, and what was undone is not offered again.
    for left in (1, 2):
        nvim.keys("u")
        nvim.until(lambda left=left: nvim.text.count("limit") == left, f"{left} edits undone")
    until_status(nvim, "rejected", 2)
    until_no_edit(nvim)
    # The jump list leads back to where the rename was.
    nvim.keys(*["C-o"] * len(ROWS))
    nvim.until(lambda: cursor_of(nvim)[0] == 0, "the first line")


@ONLY_011
def test_in_insert_mode_tab_stays_what_it_is_where_an_edit_is_not_meant(open_nvim: Open) -> None:
    """It indents (vscode#252432, #253216), and the edit is not lost by it (#326537)."""
    nvim = open_nvim("", TEXT, before=LOOKS)
    rename(nvim)
    until_edit(nvim, ROWS[0])
    nvim.type("\t\t")  # as one burst: there, and accepted
    until_edit(nvim, ROWS[1])
    assert nvim.lines[ROWS[0]] == "        result += item * bound"
    assert nvim.lua("return vim.api.nvim_get_mode().mode") == "i"

    put(nvim, ROWS[1] + 1, 2)  # in leading white space
    nvim.keys("Tab")
    nvim.until(lambda: nvim.lines[ROWS[1] + 1] == "      print(1)", "the indent")
    put(nvim, ROWS[1] + 1, 14)
    until_edit(nvim, ROWS[1])  # indenting has not lost it

    def until_selected(word: str) -> None:  # Neovim selects by keys, which come after those that were typed meanwhile
        line = "      print(1) f(a, b)"
        nvim.until(lambda: nvim.lua("return vim.api.nvim_get_mode().mode") == "s", f"{word} is selected")
        nvim.until(
            lambda: cursor_of(nvim)[1] == line.index(word + ("," if word == "a" else ")")), f"{word} is selected"
        )

    nvim.lua("vim.snippet.expand(' f(${1:a}, ${2:b})')")
    until_selected("a")
    nvim.keys("Tab")
    until_selected("b")
    nvim.type("x")
    nvim.until(lambda: nvim.lines[ROWS[1] + 1].endswith("f(a, x)"), "the snippet's second place")
    nvim.lua("vim.snippet.stop()")

    nvim.keys("Escape", "o")
    nvim.type("pri")
    nvim.lua("vim.o.completeopt = 'menuone'")
    nvim.keys("C-n")
    nvim.until(lambda: nvim.lua("return vim.fn.pumvisible()") == 1, "the menu")
    before = cursor_of(nvim)[0]
    nvim.keys("Tab")
    nvim.until(lambda: nvim.lua("return vim.fn.pumvisible()") == 0, "the menu's end")
    assert cursor_of(nvim)[0] == before

    nvim.keys("Escape", "v")  # a selection
    until_no_edit(nvim)
    text = nvim.text
    nvim.keys("Tab", "Escape")
    nvim.until(lambda: nvim.lua("return vim.api.nvim_get_mode().mode") == "n", "Normal mode")
    assert (nvim.text, cursor_of(nvim)[0]) == (text, before)


@ONLY_012
def test_the_alt_chord_works_where_tab_is_not_for_edits(open_nvim: Open) -> None:
    nvim = open_nvim("", TEXT, before=LOOKS + "vim.o.completeopt = 'menuone,noselect,noinsert'")

    def until_mode(mode: str) -> None:
        nvim.until(lambda: nvim.lua("return vim.api.nvim_get_mode().mode") == mode, f"mode {mode}")

    rename(nvim)
    nvim.keys("Escape")
    until_edit(nvim, ROWS[0])
    nvim.keys("v", "j")
    until_no_edit(nvim)
    nvim.keys("M-e")
    until_cursor(nvim, ROWS[0], 25)
    until_mode("n")
    until_edit(nvim, ROWS[0])
    nvim.keys("M-e")
    until_edit(nvim, ROWS[1])

    put(nvim, ROWS[0] + 1, 2)  # in leading white space
    nvim.keys("i", "M-e")
    until_cursor(nvim, ROWS[1], 25)
    until_mode("i")
    nvim.keys("M-e")
    until_edit(nvim, ROWS[2])

    put(nvim, ROWS[1] - 1, len("    for item"))
    until_edit(nvim, ROWS[2])
    nvim.keys("C-n")
    nvim.until(lambda: nvim.lua("return vim.fn.pumvisible()") == 1, "the menu")
    until_no_edit(nvim)
    nvim.keys("M-e")  # closes the menu
    until_edit(nvim, ROWS[2])
    nvim.keys("M-e")
    until_cursor(nvim, ROWS[2], 25)
    nvim.keys("M-e")
    until_edit(nvim, ROWS[3])

    put(nvim, ROWS[2] + 1, len("    print(2)"))
    nvim.lua("vim.snippet.expand(' f(${1:a}, ${2:b})')")
    until_mode("s")
    nvim.type("x")
    until_edit(nvim, ROWS[3])
    nvim.keys("Tab")
    until_mode("s")
    until_no_edit(nvim)
    nvim.keys("M-e")
    until_cursor(nvim, ROWS[3], 25)
    until_mode("i")
    nvim.keys("M-e")
    nvim.until_text(RENAMED.rstrip("\n").replace("print(2)", "print(2) f(x, b)"))


@ONLY_012
def test_what_was_put_away_stays_away(open_nvim: Open) -> None:
    """vscode#255613; and no edit for a text that has changed since (copilot.lua#628)."""
    nvim = open_nvim("", TEXT, before=LOOKS)
    rename(nvim)
    nvim.keys("Escape")
    until_edit(nvim, ROWS[0])
    nvim.keys("Escape")
    until_status(nvim, "rejected", 1)
    until_no_edit(nvim)
    put(nvim, ROWS[0], 3)
    nvim.keys("j", "k")
    until_no_edit(nvim)
    # Another change: other edits may come, this one does not.
    put(nvim, 1, 0)
    nvim.keys("A")
    nvim.type("0")
    nvim.keys("Escape")
    until_edit(nvim, ROWS[1])
    assert "limit" in nvim.lines[ROWS[0]]

    # A change that nothing has heard of: the edit that is shown is not made in the wrong place.
    with silent_server(nvim):
        nvim.lua('vim.cmd(\'noautocmd call setline(1, ["# ", "# "])\')')
        text = nvim.text
        nvim.keys("Tab", "Tab")
        nvim.until_text(text)


@ONLY_012
def test_what_was_just_deleted_is_not_proposed_again(open_nvim: Open) -> None:
    """Although the model writes it (vscode-copilot-release#8763)."""
    text = "def total(items):\n    result = 0\n    print(result)\n    return result\n"
    with edit_model(text) as model:
        nvim = open_nvim("", text, before=LOOKS, options=f"settings = {{ edit_model = '{model.url}' }}", tee=True)
        put(nvim, 2, 0)
        nvim.keys("A", "C-u")
        nvim.until(lambda: nvim.lines[2] == "    ", "the deletion")
        nvim.until(lambda: model.requests > 0, "a request to the model")
        nvim.until(lambda: edit_answers(nvim)[-1:] == [None], "an answer without an edit")
        until_no_edit(nvim)

        model.text = "def total(items):\n    result = 0\n    #\n    return found\n"
        nvim.type("#")
        until_edit(nvim, 3, "result", "found")  # what it writes elsewhere is shown
        assert [answer["chain"][0]["source"] for answer in edit_answers(nvim) if answer] == ["model"]

        asked = model.requests
        nvim.keys("Escape")  # in Normal mode the model is asked, too
        nvim.until(lambda: model.requests > asked, "a request to the model")
        nvim.until(lambda: edit_answers(nvim)[-1] is not None, "its edit")
        until_edit(nvim, 3, "result", "found")
        nvim.keys("Tab", "Tab")
        nvim.until(lambda: nvim.lines[3] == "    return found", "the accepted edit")


@ONLY_012
def test_a_hint_for_what_is_out_of_sight_and_a_mode_with_hints_only(open_nvim: Open) -> None:
    text = TEXT.replace("    # part 0", "    # part 0\n" * 40)
    row = ROWS[0] + 40
    nvim = open_nvim("", text, before=LOOKS)
    rename(nvim)
    nvim.keys("Escape")
    until_hint(nvim, f"Tab ↓ {row + 1} bound")
    nvim.keys("Tab")
    until_cursor(nvim, row, 25)
    nvim.until(lambda: shown(nvim.screen())[1].startswith("bound"), "the edit")
    nvim.keys("Tab")
    nvim.until(lambda: nvim.lines[row].endswith("bound"), "the accepted edit")
    nvim.keys("g", "g")
    until_hint(nvim, "Tab ↓")

    nvim.lua("require('tabspec.config').options.next_edits = 'hint'; require('tabspec.edit').forget()")
    put(nvim, row + 3, 0)
    until_hint(nvim, "M-e ↓")
    nvim.keys("Tab")  # is not for the edit until that was asked for
    assert cursor_of(nvim)[0] == row + 3
    assert shown(nvim.screen()) == ("", "")
    nvim.keys("M-e")
    nvim.until(lambda: shown(nvim.screen())[1].startswith("bound"), "the edit")
    nvim.keys("M-e", "M-e")
    nvim.until(lambda: nvim.text.count("limit") == 2, "the accepted edit")


@pytest.mark.nightly
@ONLY_011
def test_keys_that_the_user_has_mapped_are_not_taken(open_nvim: Open) -> None:
    mine = "for _, mode in ipairs({'i', 'n'}) do vim.keymap.set(mode, '<Tab>', '<Cmd>let g:mine = mode(1)<CR>') end"
    nvim = open_nvim("", TEXT, before=LOOKS + mine)
    rename(nvim)
    until_edit(nvim, ROWS[0])
    for mode in ("i", "n"):
        nvim.keys("Tab")
        nvim.until(lambda mode=mode: nvim.lua("return vim.g.mine") == mode, "the user's own mapping")
        assert cursor_of(nvim)[0] == 0
        if mode == "i":
            nvim.keys("Escape")
    nvim.keys("M-e", "M-e")
    nvim.until(lambda: nvim.text.count("limit") == 3, "the accepted edit")


@pytest.mark.nightly
@ONLY_012
def test_lines_that_come_and_go(open_nvim: Open) -> None:
    """Edits of whole lines, drawn for an answer of the server's that is given by the test."""
    nvim = open_nvim(None, "one\ntwo\nthree\nfour\n", before=LOOKS, options="filetypes = {}")
    nvim.lua("vim.o.eventignore = 'all'")  # the plugin would take away what no server has sent

    def draw(start: int, end: int, text: str, cursor: int) -> None:
        place = {"line": start, "character": 0}
        uri = nvim.lua("return vim.uri_from_bufnr(0)")
        item = {
            "textDocument": {"uri": uri},
            "range": {"start": place, "end": {"line": end, "character": 0}},
            "text": text,
            "jump": place,
        }
        put(nvim, cursor, 0)
        nvim.lua(f"""
            local link = require('tabspec.edit.link').of(vim.json.decode({json.dumps(json.dumps(item))}), 'utf-16')
            require('tabspec.edit.view').show(link, 'Tab', true)""")

    def until_rows(*rows: str) -> None:
        nvim.until(lambda: nvim.screen().text.split("\n")[: len(rows)] == list(rows), f"the rows {rows}")

    draw(1, 1, "new\nlines\n", 0)
    until_rows("one", "new", "lines", "two", "three", "four")
    draw(1, 3, "2\n", 1)
    until_rows("one", "two", "three", "2", "four")
    assert shown(nvim.screen()) == ("two\nthree", "2")
    draw(3, 4, "", 0)
    until_rows("one", "two", "three", "four")
    assert shown(nvim.screen()) == ("four", "")
    # Above the cursor nothing moves what is being read.
    draw(1, 1, "new\nlines\n", 3)
    until_rows("one +2 lines", "two", "three", "four")
    assert nvim.screen().cursor == (3, 0)


@pytest.mark.nightly
@ONLY_012
def test_an_edit_in_another_file(open_nvim: Open) -> None:
    nvim = open_nvim("", "def fetch(a):\n    return a\n\n\n\n\nx = fetch(1)\n", before=LOOKS)
    (nvim.folder / "other.py").write_text("from example import fetch\n")
    nvim.lua(f"vim.cmd('edit {nvim.folder}/other.py'); vim.cmd('buffer 1')")
    put(nvim, 0, 4)
    nvim.type("cwload")
    nvim.keys("Escape")
    nvim.until(lambda: shown(nvim.screen())[1].startswith("load"), "the edit")
    nvim.keys("Tab", "Tab")
    until_hint(nvim, "Tab → other.py:1 load")
    assert "fetch" not in nvim.text
    nvim.keys("Tab")
    nvim.until(lambda: nvim.lua("return vim.fn.expand('%:t')") == "other.py", "the other file")
    nvim.until(lambda: shown(nvim.screen())[1].startswith("load"), "the edit")
    nvim.keys("Tab")
    nvim.until(lambda: nvim.text == "from example import load", "the accepted edit")
    nvim.keys("C-o")
    nvim.until(lambda: nvim.lua("return vim.fn.expand('%:t')") == "example.py", "the first file")
