"""Whose Tab it is in a real VS Code while a next edit is on the screen. The server is a script (fake_next_edits.py).

What people have complained of in other extensions is named at the test that covers it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from vscode_driver import HERE, Editor
from vscode_edit_scene import (
    BOX,
    FAR,
    FILES,
    PRICE,
    RENAME,
    Scene,
    commands,
    opener,
    packaged,
    rename,
    until_commands,
    window,
)

pytestmark = [pytest.mark.editors, pytest.mark.slow, pytest.mark.timeout(1500)]

KEYS: list[dict[str, Any]] = [
    {"key": "ctrl+alt+s", "command": "editor.action.insertSnippet", "args": {"snippet": "f(${1:a}, $2)"}},
    {"key": "tab", "command": "type", "args": {"text": "mine"}, "when": "resourceExtname == .txt"},
]
REST = PRICE.split("\n")[2:]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("code-server")
    with window(folder, [packaged(folder, HERE / "vim_like")], KEYS) as editor:
        yield opener(editor, iter(FILES))


def test_tab_indents(scene: Scene) -> None:
    """In indentation, also of the edit's own line (vscode#252432, #253216); the edit is not lost by it (#326537)."""
    editor = scene(RENAME, PRICE)
    rename(editor)
    editor.until("box", BOX)
    editor.press("ArrowDown", "Home", "Home")
    editor.until("position", "Ln 2, Col 1")
    editor.press("Tab")
    editor.until("lines", ["def price(amount):", "        tax = total * 0.2", *REST])
    editor.until("box", BOX)
    editor.press("Alt+Enter")
    editor.until("box", "print(amount)")
    assert editor.document() == PRICE.replace("total", "amount", 2).replace("    tax =", "        tax =")


def test_tab_belongs_to_a_selection(scene: Scene) -> None:
    editor = scene(RENAME, PRICE)
    rename(editor)
    editor.until("box", BOX)
    editor.press("ArrowDown", "Home", "Home", "Shift+ArrowDown", "Tab")
    editor.until("lines", ["def price(amount):", "        tax = total * 0.2", *REST])
    assert commands(editor) == []
    editor.until("box", "print(amount)")  # the next one from the end of the selection on
    editor.press("Alt+j")  # the Alt chords work
    editor.until("position", "Ln 3, Col 11")


def test_tab_belongs_to_an_open_menu(scene: Scene) -> None:
    words: dict[str, Any] = {"editor.wordBasedSuggestions": "currentDocument"}
    editor = scene(RENAME, PRICE + "price_of_all = 1\n", **words)
    rename(editor)
    editor.press("Control+End")
    editor.type("price_")
    editor.until("box", BOX)
    editor.press("Control+Space")
    editor.until("has", True, ".suggest-widget.visible .monaco-list-row.focused")
    editor.press("Tab")
    editor.until("has", False, ".suggest-widget.visible")
    assert editor.document().endswith("price_of_all = 1\nprice_of_all")
    assert commands(editor) == []
    editor.press("Backspace", "Control+Space")
    editor.until("box", BOX)
    editor.until("has", True, ".suggest-widget.visible .monaco-list-row.focused")
    editor.press("Alt+Enter")  # the Alt chords work
    editor.until("box", "print(amount)")
    until_commands(editor, "tabspec.accepted")


@pytest.mark.nightly
def test_tab_belongs_to_several_cursors(scene: Scene) -> None:
    editor = scene({"edits": [RENAME["edits"][0] | {"when": "price(amount"}]}, PRICE)
    rename(editor)
    editor.until("box", BOX)
    editor.press("Shift+Alt+ArrowDown", "Tab")
    editor.until("lines", ["def price(amount    ):", "    tax = total     * 0.2", *REST])
    assert commands(editor) == []
    editor.press("Escape")  # back to one cursor; the edit is not refused
    editor.press("Alt+Enter")
    editor.until("box", "print(amount)")
    until_commands(editor, "tabspec.accepted")


@pytest.mark.nightly
def test_tab_belongs_to_a_snippet(scene: Scene) -> None:
    editor = scene(RENAME, PRICE)
    rename(editor)
    editor.until("box", BOX)
    editor.press("Control+End", "Control+Alt+s")
    editor.until("position", "Ln 5, Col 4 (1 selected)")
    editor.press("Tab")
    editor.until("position", "Ln 5, Col 6")
    editor.until("box", BOX)
    editor.press("Tab")
    editor.until("position", "Ln 5, Col 7")
    assert commands(editor) == []
    editor.press("Tab")  # the snippet is over
    editor.until("position", "Ln 2, Col 11")


@pytest.mark.nightly
def test_tab_belongs_to_the_users_own_binding(scene: Scene) -> None:
    editor = scene(RENAME, PRICE, "notes.txt")
    rename(editor)
    editor.until("box", BOX)
    editor.press("ArrowRight", "ArrowRight", "Tab")
    editor.until("lines", ["def price(amount):mine", *PRICE.split("\n")[1:]])
    editor.press("Alt+j")
    editor.until("position", "Ln 2, Col 11")
    assert commands(editor) == []


@pytest.mark.nightly
def test_tab_and_escape_belong_to_vim_outside_of_its_insert_mode(scene: Scene) -> None:
    """With an extension that has the contexts and the key bindings of VSCodeVim, and its name: hints have a key that
    works in all modes."""
    editor = scene(RENAME, FAR)
    rename(editor)
    editor.until("box", BOX)
    enter(editor, "n", "Normal")
    editor.press("Tab")
    editor.until("position", "Ln 2, Col 17")  # what its Tab does
    editor.press("Escape", "Alt+Enter")
    editor.until("box", "print(amount)")
    until_commands(editor, "tabspec.accepted")
    enter(editor, "i", "Insert")
    editor.press("Tab")
    editor.until("position", "Ln 3, Col 11")
    editor.press("Tab", "Alt+Enter")
    editor.until("box", "↓ next edit at line 85 (Alt+J)")
    enter(editor, "o", "off")


def enter(editor: Editor, key: str, mode: str) -> None:
    """A mode of the extension `vim_like`, which VS Code learns of a moment after the key."""
    editor.press(f"Control+Alt+{key}")
    editor.until("has", True, f'.statusbar-item[aria-label="vim {mode}"]')
