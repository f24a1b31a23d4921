"""Suggestions in Neovim in texts with wide characters, brackets, CRLF and tabs."""

from __future__ import annotations

import pytest
from neovim_scene import EITHER_BACKEND, Open

pytestmark = pytest.mark.editors


def test_suggestions_after_characters_outside_the_basic_plane(open_nvim: Open) -> None:
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
