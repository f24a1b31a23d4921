"""Next edits in a real VS Code with the real server: a rename to its end, undo, the code action, what was deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from edit_model import EditModel, edit_model
from neovim_edit_scene import RENAMED, ROWS, TEXT
from vscode_driver import Editor, code_server, until
from vscode_edit_scene import told

pytestmark = [pytest.mark.editors, pytest.mark.slow, pytest.mark.timeout(1500)]

BOX = "result += item * bound"
ACTION = ".action-widget .monaco-list-row"
METHOD = "textDocument/didShowInlineEdit"


SUM = "def total(items):\n    result = 0\n    print(result)\n    return result\n"


@pytest.fixture(scope="module")
def model() -> Iterator[EditModel]:
    with edit_model() as model:
        yield model


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory, model: EditModel) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("code-server")
    workspace = folder / "workspace"
    workspace.mkdir()
    (workspace / "sum.py").write_text(SUM)
    with code_server(folder) as server:
        yield Editor(server, workspace, {"target": ""}, TEXT, **{"tabspec.editModel": model.url}).ready()


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

    before = len(editor.said())
    editor.press("Control+z")
    lines = TEXT.split("\n")
    editor.until("lines", [line.replace("limit", "bound") if row < ROWS[3] else line for row, line in enumerate(lines)])
    undone = editor.until_said(lambda message: message.get("method") == "textDocument/didChange", "no undo", before)
    version = undone["params"]["textDocument"]["version"]
    assert editor.until_result("tabspec/nextEdit", before, version) is None
    status = editor.status()
    assert (status["accepted"], status["rejected"]) == (4, 1)
    assert editor.look("box") == ""


def test_what_was_just_deleted_is_not_proposed_again(editor: Editor, model: EditModel) -> None:
    """Although the model writes it (vscode-copilot-release#8763)."""
    editor.file = editor.folder / "sum.py"
    editor.open("sum.py")
    editor.until("lines", SUM.split("\n"))
    editor.press("Control+Home", "ArrowDown", "ArrowDown")
    editor.until("position", "Ln 3, Col 1")
    model.text, before = SUM, model.requests
    editor.press("Shift+ArrowDown", "Delete")
    until(lambda: model.requests > before, "no request to the model")
    editor.until_idle()

    model.text = "def total(items): #\n    result = 0\n    return found\n"
    editor.press("Control+Home", "End")
    editor.type(" #")
    editor.until("box", "return found")  # what it writes elsewhere is shown
    texts = [shown["item"]["text"] for shown in told(editor, METHOD)]
    assert "found" in texts
    assert not [text for text in texts if "print(result)" in text]
