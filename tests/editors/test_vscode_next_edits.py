"""Next edits in a real VS Code: shown, jumped to, accepted, refused. The server is a script (fake_next_edits.py).

What people have complained of in other extensions is named at the test that covers it. Whose Tab it is: see
test_vscode_edit_tab.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vscode_driver import RUNNING, until
from vscode_edit_scene import BOX, FAR, FILES, PRICE, RENAME, Scene, opener, rename, told, until_commands, window

pytestmark = [pytest.mark.editors, pytest.mark.slow, pytest.mark.timeout(1500)]

COMPLETION = "textDocument/inlineCompletion"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with window(tmp_path_factory.mktemp("code-server")) as editor:
        yield opener(editor, iter(FILES))


def test_rename_once_then_tab(scene: Scene) -> None:
    """Tab goes there, Tab accepts, and the next edit is there; Tab never inserts a tab instead (vscode#240922)."""
    editor = scene(RENAME, FAR)
    tops = editor.look("tops")
    rename(editor)
    editor.until("box", BOX)
    assert editor.look("struck") == ["total"]
    assert editor.look("tops") == tops  # nothing has moved (vscode-copilot-release#8495)
    editor.screenshot("next-edit")
    for row, box in ((2, BOX), (3, "print(amount)"), (4, "return amount + tax")):
        editor.until("box", box)
        editor.until("position", f"Ln {row - 1}, Col {CURSORS[row - 1]}")  # nothing moves by itself
        editor.press("Tab")
        editor.until("position", f"Ln {row}, Col {STARTS[row]}")
        assert editor.look("box") == box
        editor.press("Tab")
    editor.until("box", "↓ next edit at line 85 (Tab)")
    editor.screenshot("next-edit-out-of-sight")
    editor.press("Tab")
    editor.until("box", "y = price(amount=3)")
    editor.press("Tab")
    editor.until("box", "")
    assert editor.document() == FAR.replace("total", "amount")
    until_commands(editor, *["tabspec.accepted"] * 4)
    assert len(told(editor, "tabspec/didJump")) == 4
    shown = [params["item"]["range"]["start"]["line"] for params in told(editor, "textDocument/didShowInlineEdit")]
    assert sorted(set(shown)) == [1, 2, 3, 84]
    editor.press("Control+z")  # one edit is one step
    editor.press("Control+z")
    assert editor.document() == FAR.replace("total", "amount", 3)


# Columns, as the status bar has them: after what was written or accepted on a line, and where its edit begins.
CURSORS = {1: 17, 2: 17, 3: 17}
STARTS = {2: 11, 3: 11, 4: 12}


def test_tabs_faster_than_the_editor(scene: Scene) -> None:
    """None is lost, and none inserts anything: each finds what the one before has left."""
    editor = scene(RENAME, FAR)
    rename(editor)
    editor.until("box", BOX)
    editor.press(*["Tab"] * 8)
    editor.until("position", "Ln 85, Col 17")
    editor.until("box", "")
    assert editor.document() == FAR.replace("total", "amount")


def test_a_refused_edit_stays_away(scene: Scene) -> None:
    """It does not come back from a cache or with the rest of its chain (vscode#255613)."""
    editor = scene(RENAME, PRICE)
    rename(editor)
    editor.until("box", BOX)
    editor.press("Escape")
    editor.until("box", "")
    until_commands(editor, "tabspec.rejected")
    asked = len(told(editor, "tabspec/nextEdit"))
    editor.press("ArrowDown")
    editor.until_rested(editor.file.name, 1, 16)
    assert editor.look("box") == ""
    assert len(told(editor, "tabspec/nextEdit")) == asked
    editor.press("Control+End")
    editor.type("#")
    editor.until("box", "print(amount)")


def test_a_hint_until_it_is_asked_for(scene: Scene) -> None:
    editor = scene(RENAME, PRICE, **{"tabspec.nextEdits": "hint"})
    rename(editor)
    editor.until("box", "← next edit (Alt+J)")
    assert editor.look("struck") == []
    editor.press("Tab")
    editor.until("lines", ["def price(amount    ):", *PRICE.split("\n")[1:]])
    editor.press("Control+z")
    editor.until("lines", PRICE.replace("total", "amount", 1).split("\n"))
    editor.until_rested(editor.file.name, 0, 16)
    editor.until("box", "← next edit (Alt+J)")
    editor.press("Alt+j")
    editor.until("box", BOX)
    editor.press("Tab")
    editor.until("box", "print(amount)")


def test_off(scene: Scene) -> None:
    editor = scene(RENAME, PRICE, **{"tabspec.nextEdits": "off", "tabspec.statusBar": False})
    editor.until("has", False, RUNNING)  # VS Code has read its settings
    rename(editor)
    editor.until_rested(editor.file.name, 0, 16)
    # without a change, one may have been sent before that
    assert [params for params in told(editor, "tabspec/nextEdit") if params["textDocument"]["version"] > 1] == []
    assert editor.look("box") == ""
    actions = len(told(editor, "textDocument/codeAction"))
    editor.press("Control+.")
    editor.until("has", True, ".monaco-editor-overlaymessage")  # there are none
    assert len(told(editor, "textDocument/codeAction")) == actions


def test_alt_keys_work_in_indentation_and_from_afar(scene: Scene) -> None:
    editor = scene(RENAME, FAR)
    rename(editor)
    editor.until("box", BOX)
    editor.press("Control+End")
    editor.until("box", "↑ next edit at line 2 (Alt+J)")  # the cursor is where Tab indents
    editor.press("Alt+Enter")
    editor.until("box", "print(amount)")
    editor.press("Alt+k")
    editor.until("box", "")
    until_commands(editor, "tabspec.accepted", "tabspec.rejected")
    assert editor.document() == FAR.replace("total", "amount", 2)


def test_never_a_completion_and_an_edit(scene: Scene) -> None:
    """Seen frame by frame: no flicker between them (vscode#261039)."""
    edits = [{"when": "price(amount", "find": r"\btotal\b", "replace": "amount"}]
    editor = scene({"edits": edits, "completions": {"amount": "_due", "amount_": "due"}}, PRICE)
    editor.look("watch", True)
    rename(editor)
    editor.ghost("_due")
    editor.type("_")
    editor.ghost("due")
    editor.press("ArrowDown")  # VS Code takes its ghost text away
    editor.until("painted", BOX, "box")
    pictures = [note for note in editor.look("watched") if "lines" in note]
    assert any(picture["ghost"] for picture in pictures)
    assert not [picture for picture in pictures if picture["ghost"] and picture["box"]]
    ghosts = [picture["ghost"] != "" for picture in pictures if picture["ghost"] or picture["box"]]
    since = ghosts[ghosts.index(True) :]  # before, the name was typed, and the edit may have been shown
    assert since == sorted(since, reverse=True)  # ghost text, then the edit, and not back


def test_a_completion_for_where_the_cursor_was(scene: Scene) -> None:
    """Its answer comes after the cursor has moved on: no edit makes way, and it does not come back with the cursor."""
    edits = [{"when": "price(amount", "find": r"\btotal\b", "replace": "amount"}]
    editor = scene({"edits": edits, "completions": {"amount": "_due"}, "slow": True}, PRICE)
    rename(editor)
    where = {"line": 0, "character": len("def price(amount")}
    until(lambda: where in [params["position"] for params in told(editor, COMPLETION)], "no completion was asked for")
    editor.press("ArrowDown")
    editor.until("box", BOX)
    assert told(editor, "textDocument/didShowCompletion") == []
    editor.press("ArrowUp")
    editor.until_rested(editor.file.name, 0, 16)
    assert editor.look("ghost") == ""
    assert editor.look("box") == BOX


def test_a_move_after_a_change_that_moved_nothing(scene: Scene) -> None:
    """The key Delete leaves the cursor where it is: the next key that moves it is not taken for what was typed."""
    edits = [{"when": "price(otal", "find": r"\btotal\b", "replace": "amount"}]
    editor = scene({"edits": edits, "completions": {"def price(": "t"}}, PRICE)
    editor.press("Control+Home", *["ArrowRight"] * len("def price("))
    editor.until_rested(editor.file.name, 0, len("def price("))
    editor.press("Delete")
    editor.ghost("t")
    editor.press("ArrowDown")
    editor.until("box", BOX)


def test_an_edit_for_another_version_is_not_shown(scene: Scene) -> None:
    """A server that has missed a change proposes nonsense (copilot.lua#628)."""
    editor = scene(RENAME | {"late": 1}, PRICE)
    rename(editor)
    editor.until_rested(editor.file.name, 0, 16)
    assert told(editor, "tabspec/nextEdit")
    assert told(editor, "textDocument/didShowInlineEdit") == []
    assert editor.look("box") == ""


def test_at_the_cursor_an_edit_is_ghost_text(scene: Scene) -> None:
    """VS Code shows it, and its Tab accepts it; the next edit of the chain, elsewhere, is drawn."""
    here = {"when": "#go", "find": r"(?<=#go)(?=\n)", "replace": " now"}
    elsewhere = {"when": "#go", "find": "^a", "replace": "c"}
    editor = scene({"edits": [here, elsewhere]}, "a = 1\nb = 2 #g\n")
    editor.press("ArrowDown", "End")
    editor.type("o")
    editor.ghost(" now")
    editor.type(" ")
    editor.ghost("now")
    assert editor.look("box") == ""
    editor.press("Tab")
    editor.until("box", "c = 1")
    editor.until("ghost", "")
    until_commands(editor, "tabspec.accepted")
    editor.press("Tab")
    editor.until("position", "Ln 1, Col 1")
    editor.press("Tab")
    editor.until("box", "")
    assert editor.document() == "c = 1\nb = 2 #go now\n"
    editor.press("Control+z", "Control+z")
    assert editor.document() == "a = 1\nb = 2 #go \n"


def test_an_edit_of_another_file(scene: Scene) -> None:
    editor = scene(RENAME | {"others": ["caller.py"]}, "def price(total):\n    return 1\n")
    (editor.folder / "caller.py").write_text("\n\n\nx = price(total=1)\n")
    editor.open("caller.py")
    editor.until_rested("caller.py", 0, 0)
    editor.press("Delete")  # a file that was changed keeps its tab
    editor.open(editor.file.name)
    editor.until_rested(editor.file.name, 0, 0)
    rename(editor)
    editor.until("box", "→ next edit in caller.py:3 (Tab)")
    editor.press("Tab")
    editor.until("box", "x = price(amount=1)")
    editor.until("position", "Ln 3, Col 11")
    editor.until_said(lambda message: message.get("method") == "tabspec/didJump", "the jump is not told")
    editor.press("Tab")
    editor.until("lines", ["", "", "x = price(amount=1)", ""])
    editor.press("Control+s")
