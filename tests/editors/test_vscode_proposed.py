"""Next edits in a real VS Code in which the proposed API is switched on: VS Code itself shows them and takes Tab.

code-server has the proposed API on for all extensions; the extension uses it only in the package that declares it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vscode_driver import EXTENSION
from vscode_edit_scene import FILES, PRICE, RENAME, Scene, opener, rename, told, until_commands, window

pytestmark = [pytest.mark.editors, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(1500)]

LINE_HEIGHT = 19  # pixels, with VS Code's own font size


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("code-server")
    with window(folder, [EXTENSION / "dist" / "tabspec-proposed.vsix"]) as editor:
        yield opener(editor, iter(FILES))


def test_vs_code_shows_the_chain_and_its_tab_walks_it(scene: Scene) -> None:
    editor = scene(RENAME, PRICE)
    rename(editor)
    for row, column in ((1, 17), (2, 17), (3, 18)):
        editor.until("edit", f"{row * LINE_HEIGHT}px")
        assert editor.look("box") == ""  # it is not drawn by the extension, too
        editor.press("Tab")
        editor.until("position", f"Ln {row + 1}, Col {column}")
    editor.until("edit", "")
    assert editor.document() == PRICE.replace("total", "amount")
    shown = [params["item"]["range"]["start"]["line"] for params in told(editor, "textDocument/didShowInlineEdit")]
    assert sorted(set(shown)) == [1, 2, 3]
    until_commands(editor, *["tabspec.accepted"] * 3)


def test_its_tab_goes_to_an_edit_out_of_sight(scene: Scene) -> None:
    text = "def price(total):\n    return 1\n" + "".join(f"x{i} = {i}\n" for i in range(80)) + "y = price(total=3)\n"
    editor = scene(RENAME, text)
    rename(editor)
    editor.until("has", True, ".inline-edits-view-gutter-indicator > div")
    editor.press("Tab")
    editor.until("position", "Ln 83, Col 11")
    editor.press("Tab")
    editor.until("position", "Ln 83, Col 17")
    assert editor.document() == text.replace("total", "amount")


def test_escape_refuses(scene: Scene) -> None:
    editor = scene(RENAME, PRICE)
    rename(editor)
    editor.until("edit", f"{LINE_HEIGHT}px")
    editor.press("Escape")
    editor.until("edit", "")
    until_commands(editor, "tabspec.rejected")
    assert editor.document() == PRICE.replace("total", "amount", 1)
