"""Next edits in a real VS Code with the real server: a rename to its end, undo, and the code action."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from neovim_edit_scene import RENAMED, ROWS, TEXT
from vscode_driver import Editor, code_server

pytestmark = [pytest.mark.editors, pytest.mark.slow, pytest.mark.timeout(1500)]

BOX = "result += item * bound"
ACTION = ".action-widget .monaco-list-row"


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    (tmp_path / "workspace").mkdir()
    with code_server(tmp_path) as server:
        yield Editor(server, tmp_path / "workspace", {"target": ""}, TEXT).ready()


def test_a_rename_to_its_end_and_what_is_undone_stays_away(editor: Editor) -> None:
    """An edit that was undone is not offered again (vscode#255141)."""
    editor.press("Control+Home", *["ArrowRight"] * len("def total(items, "), *["Delete"] * len("limit"))
    editor.type("bound")
    editor.until("box", BOX)
    for row in ROWS[:3]:
        editor.press("Tab")
        editor.until("position", f"Ln {row + 1}, Col 26")
        editor.press("Tab")
        editor.until("position", f"Ln {row + 1}, Col 31")

    editor.until("box", BOX)
    editor.until_rested(editor.file.name, ROWS[2], 30)
    editor.press("Control+.")
    editor.until("has", True, ACTION)
    editor.until_frame_says(ACTION, lambda rows: f"tabspec: next edit (line {ROWS[3] + 1})" in " ".join(rows))
    editor.press("Enter")
    editor.until("box", "")
    assert editor.document() == RENAMED
    editor.until_said(lambda message: message.get("method") == "tabspec/statusChanged", "no status")

    editor.press("Control+z")
    lines = TEXT.split("\n")
    editor.until("lines", [line.replace("limit", "bound") if row < ROWS[3] else line for row, line in enumerate(lines)])
    editor.until_rested(editor.file.name, ROWS[3] - 5, 30)
    status = editor.status()
    assert (status["accepted"], status["rejected"]) == (4, 1)
    assert editor.look("box") == ""
