"""The plugin in real Neovims in a real terminal: what a user does and sees. In 0.12, and each night in 0.11.

Scenes in which it matters who draws are played with 0.12's own inline completion, too (``backend = 'builtin'``). A
suggestion is told from text by its colour, and the proof of an accept is the buffer and the cursor: the characters
on the screen are the same before and after Tab. Two negative controls stand at the end.
"""

from __future__ import annotations

import pytest
from neovim_scene import BOTH_VERSIONS, EITHER_BACKEND, Open, silent_server, tab_through, until_answered, with_ghost
from nvim_driver import NotSeen

pytestmark = pytest.mark.editors


@BOTH_VERSIONS
def test_tab_tab_tab(open_nvim: Open) -> None:
    tab_through(open_nvim())


@EITHER_BACKEND
def test_typing_through_never_takes_the_suggestion_away(open_nvim: Open) -> None:
    nvim = with_ghost(open_nvim)
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
def test_a_typed_contradiction_hides_the_suggestion_and_tab_inserts_a_tab(open_nvim: Open) -> None:
    nvim = with_ghost(open_nvim)
    with silent_server(nvim):
        nvim.type("x")
        nvim.until_no_ghost()
        nvim.keys("Tab")
        nvim.until_text("def arx ")


def test_deleting_before_the_suggestion_hides_it(open_nvim: Open) -> None:
    nvim = with_ghost(open_nvim)
    with silent_server(nvim):
        nvim.keys("BSpace")
        nvim.until_no_ghost()
    nvim.until_ghost("rea(width, height):")


@EITHER_BACKEND
def test_tab_and_typing_in_one_batch_of_keys(open_nvim: Open) -> None:
    """Keys that come faster than the screen keeps up: Tab takes what the suggestion is by then."""
    nvim = with_ghost(open_nvim)
    nvim.type("ea\t")
    nvim.until_ghost("    return width * height")
    assert nvim.text == "def area(width, height):"


@EITHER_BACKEND
def test_a_dismissed_suggestion_does_not_come_back(open_nvim: Open) -> None:
    nvim = with_ghost(open_nvim)
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
    nvim = with_ghost(open_nvim)
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
    nvim = with_ghost(open_nvim)
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
    nvim = with_ghost(open_nvim)
    with silent_server(nvim):
        nvim.keys("M-Right")
        nvim.until_ghost("(width, height):")


@BOTH_VERSIONS
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


def test_control_without_suggestions_the_chain_fails(open_nvim: Open) -> None:
    nvim = open_nvim("")
    nvim.seconds = 3
    with pytest.raises(NotSeen, match=r"the suggestion 'ea\(width"):
        tab_through(nvim)


def test_control_text_of_the_buffer_is_not_taken_for_a_suggestion(open_nvim: Open) -> None:
    """The very same characters on the screen, but typed by the user: not taken for a suggestion."""
    nvim = open_nvim("")
    nvim.keys("i")
    nvim.type("def area(width, height):")
    nvim.until_text("def area(width, height):")
    nvim.seconds = 1
    with pytest.raises(NotSeen):
        nvim.until_ghost("ea(width, height):")


def test_all_languages_of_the_bundled_model_get_suggestions(open_nvim: Open) -> None:
    nvim = open_nvim()
    wants = "vim.bo.filetype = %r; return require('tabspec.config').wants(0)"
    for filetype in ("python", "javascript", "typescriptreact", "svelte", "vue", "rust", "go"):
        assert nvim.lua(wants % filetype)
    assert not nvim.lua(wants % "gitcommit")
