"""The VS Code extension as users install it: the .vsix in a real VS Code, driven by keys, with the real tabspec-lsp.

Each test opens a window, which takes seconds. What is seldom touched, or also tested without an editor, runs at night.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from vscode_driver import ARTIFACTS, PYTHONPATH, RUNNING, CodeServer, Editor, Failed, code_server
from vscode_pictures import presses

# Installing takes minutes the first time.
pytestmark = [pytest.mark.editors, pytest.mark.slow, pytest.mark.timeout(1500)]

TARGET = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n"
# What is suggested after "def ", Tab by Tab.
CHAIN = ["add(a, b):", "\n    return a + b", "\n\n\ndef sub(a, b):", "\n    return a - b"]
# 50 ms before the first token and 10 for each: a model on a CPU. Asked again, the next suggestion would take 0.1 s.
SCRIPT = {"target": TARGET, "prefill_s": 0.05, "token_s": 0.01}
NOTHING = {"target": ""}

# With these the server asks ahead wherever a cursor rests, whatever it costs.
AHEAD = {"tabspec.policy": "tree", "tabspec.economy": 0}
# Seconds that the cursor stays before the server is told (cursor-rest.ts), less what a timer may be early.
REST_S = 0.29

OFF = '.statusbar-item[id^="tabspec.tabspec"] .codicon-circle-slash'

Open = Callable[..., Editor]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    with code_server(tmp_path_factory.mktemp("code-server")) as running:
        yield running


@pytest.fixture
def window(server: CodeServer, tmp_path: Path) -> Open:
    def open_window(script: dict[str, Any] = SCRIPT, text: str = "", **settings: Any) -> Editor:
        return Editor(server, tmp_path, script, text, **settings)

    return open_window


def test_the_extensions_own_tests_pass(server: CodeServer) -> None:
    """Where the server is searched for, and the texts of status bar and report: the extension's own tests."""
    server.make("test")


def three_tabs(editor: Editor, **deadline: float) -> None:
    """Type, see the ghost text, and take three suggestions, each of which is there by itself."""
    editor.type("def ")
    editor.ghost(CHAIN[0], **deadline)
    for taken, suggestion in enumerate(CHAIN[1:], 1):
        editor.until_cached(taken + 1)  # the user reads what is shown
        editor.press("Tab")
        editor.ghost(suggestion, **deadline)


def test_tab_tab_tab(window: Open) -> None:
    editor = window().ready()
    three_tabs(editor)
    editor.screenshot("three-tabs")
    until_hit_rate_shown(editor, at_least=3 / 4)  # the first of four may have been waited for
    assert editor.document() == "def " + "".join(CHAIN[:3])
    told = [m["message"] for m in editor.said() if m["message"].get("method") == "workspace/executeCommand"]
    assert [m["params"]["command"] for m in told] == ["tabspec.accepted"] * 3


def until_hit_rate_shown(editor: Editor, at_least: float) -> None:
    rate = editor.status()["hit_rate"]
    assert rate >= at_least
    editor.until("status", f"tabspec {int(100 * rate + 0.5)} %")


def test_the_next_suggestion_is_shown_without_flicker(window: Open) -> None:
    """Frame by frame: what was accepted never goes away again, and the next suggestion comes and stays."""
    functions = 5
    target = "".join(f"def f{i}(a, b):\n    return a + {i}\n\n\n" for i in range(functions))
    chain = [part for i in range(1, functions) for part in (f"\n    return a + {i - 1}", f"\n\n\ndef f{i}(a, b):")]
    editor = window({**SCRIPT, "target": target}).ready()
    editor.type("def")
    editor.ghost(" f0(a, b):")
    editor.look("watch")
    editor.until("painted", " f0(a, b):")
    for taken, suggestion in enumerate(chain, 1):
        editor.until_cached(taken + 1)
        editor.press("Tab")
        editor.until("painted", suggestion)
    pressed = presses(editor.look("watched"))
    assert len(pressed) == len(chain)
    for press in pressed:
        accepted = "\n".join(press.before["lines"]) + press.before["ghost"]
        assert ["\n".join(picture["lines"]) for picture in press.pictures] == [accepted] * len(press.pictures)
        assert [picture["ghost"] for picture in press.pictures[:-1]] in ([], [""])


def test_typing_through_asks_no_model(window: Open) -> None:
    editor = window().ready()
    editor.type("def ")
    editor.ghost(CHAIN[0])
    for typed in range(1, 5):
        editor.type(CHAIN[0][typed - 1])
        editor.ghost(CHAIN[0][typed:])
    editor.screenshot("type-through")
    sources = editor.status()["sources"]
    assert sources["type_through"] >= 1
    # (None, where VS Code had asked twice at the first place and the first answer came to the completion cache.)
    assert sources["model"] + sources["joined"] <= 1
    editor.press("Tab")
    editor.ghost(CHAIN[1])
    assert editor.document() == "def add(a, b):"


def test_escape_rejects(window: Open) -> None:
    editor = window().ready()
    editor.type("def ")
    editor.ghost(CHAIN[0])
    editor.press("Escape")
    editor.ghost("")
    told = editor.until_said(lambda m: m.get("method") == "workspace/executeCommand", "the rejection was not told")
    offer = editor.offered()[0]["command"]["arguments"]  # the editor may have asked again while it drew the first one
    assert told["params"] == {"command": "tabspec.rejected", "arguments": offer}
    so_far = len(editor.said())
    editor.type("x")
    editor.press("Backspace")
    assert editor.until_answered(after=so_far) == []
    editor.ghost("")
    editor.screenshot("rejected")
    # only there: what comes when the user goes on is suggested again
    editor.type("add(a, b):")
    editor.ghost(CHAIN[1])


def test_undo_rejects(window: Open) -> None:
    editor = window().ready()
    editor.type("def ")
    editor.ghost(CHAIN[0])
    editor.press("Tab")
    editor.ghost(CHAIN[1])
    so_far = len(editor.said())
    editor.press("Control+z")
    assert editor.until_answered(after=so_far) == []
    editor.ghost("")
    assert editor.document() == "def "


def test_accepting_word_by_word(window: Open) -> None:
    editor = window().ready()
    editor.type("def add(a, b):")
    editor.ghost(CHAIN[1])
    editor.press("Control+ArrowRight", "Control+ArrowRight")
    editor.ghost(" a + b")
    editor.screenshot("after-two-words")
    parts = [
        m["message"]["params"]
        for m in editor.said()
        if m["message"].get("method") == "textDocument/didPartiallyAcceptCompletion"
    ]
    lengths = [part["acceptedLength"] for part in parts]
    assert lengths and lengths[-1] <= len(CHAIN[1]), lengths
    for rest in ("a + b", " + b", "+ b", "b"):  # VS Code's words
        editor.press("Control+ArrowRight")
        editor.ghost(rest)
    editor.press("Control+ArrowRight")  # that was the last one: the next suggestion is there
    editor.ghost(CHAIN[2])
    assert editor.document() == "def add(a, b):\n    return a + b"


def test_accepting_a_line(window: Open) -> None:
    """The rest is kept alive: it stays on the screen, also when the server has answered anew."""
    # One block: behind its first line, what ends a block would be cut off.
    target = "def add(a, b):\n    total = a + b\n    print(total)\n    return total"
    first, rest = "add(a, b):", target.removeprefix("def add(a, b):\n")
    editor = window({**SCRIPT, "target": target}, **{"tabspec.maxLines": 8}).ready()
    editor.type("def ")
    editor.ghost(f"{first}\n{rest}")
    editor.look("watch")
    editor.until("painted", f"{first}\n{rest}")
    so_far = len(editor.said())
    editor.press("Control+Shift+ArrowRight")
    partly = editor.until_said(
        lambda m: m.get("method") == "textDocument/didPartiallyAcceptCompletion", "the accepted line was not told"
    )
    assert partly["params"]["acceptedLength"] == len(f"{first}\n")
    assert editor.until_answered(after=so_far) == [rest]
    editor.until_said(lambda m: m.get("method") == "textDocument/didShowCompletion", "it was not shown", after=so_far)
    editor.until("painted", rest)
    editor.screenshot("after-a-line")
    pictures = presses(editor.look("watched"))[-1].pictures  # of the last of the three keys
    # A frame may have been painted between the key and what it did.
    after = [picture for picture in pictures if picture["lines"] != ["def "]]
    assert [(picture["lines"], picture["ghost"]) for picture in after] == [(["def add(a, b):", ""], rest)]
    assert editor.document() == "def add(a, b):\n"
    assert editor.look("ghost") == rest


def test_choosing_an_alternative(window: Open) -> None:
    """VS Code's own keys for it make an explicit request; an accept is reported with the item's own id."""
    editor = window({**SCRIPT, "others": {"def ": ["array(size):", "zero():"]}}).ready()
    editor.type("def ")
    editor.ghost(CHAIN[0])
    editor.press("Alt+BracketRight")
    editor.ghost("array(size):")
    texts = [item["insertText"] for item in editor.offered()]
    assert texts == [CHAIN[0], "array(size):", "zero():"]
    chosen = editor.offered()[2]["command"]["arguments"]
    editor.press("Alt+BracketRight")
    editor.ghost("zero():")
    editor.screenshot("choosing")
    so_far = len(editor.said())
    editor.press("Tab")
    told = editor.until_said(
        lambda m: m.get("method") == "workspace/executeCommand", "the accept was not told", after=so_far
    )
    assert told["params"] == {"command": "tabspec.accepted", "arguments": chosen}
    assert editor.document() == "def zero():"
    assert editor.status()["accepted"] == 1


def test_a_resting_cursor_has_the_first_suggestion_computed(window: Open) -> None:
    """It is computed before the user types, so that what is typed there does not wait for the model."""
    editor = window(text="def add(a, b):\n", **AHEAD).ready()
    editor.press("Control+Home", "ArrowDown")
    editor.until_rested("example.py", 1, 0)
    editor.until_idle()
    assert not requested(editor)
    editor.type("    ")
    editor.ghost("return a + b")
    sources = editor.status()["sources"]
    assert sources["speculated"] >= 1
    assert sources["model"] == sources["joined"] == 0


def test_an_opened_document_is_reported_to_the_server(window: Open, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("x = 1\n")
    editor = window().ready()
    editor.until_rested("example.py", 0, 0)  # that one was there before the server
    editor.open("other.py")
    editor.until_rested("other.py", 0, 0)
    told = ("textDocument/didOpen", "tabspec/cursorRested")
    methods = [
        message["method"]
        for message in (entry["message"] for entry in editor.said() if entry["from"] == "client")
        if "other.py" in str(message.get("params")) and message["method"] in told
    ]
    assert methods[:2] == list(told)


@pytest.mark.nightly
def test_the_cursor_is_not_reported_while_typing(window: Open) -> None:
    """A rest takes its time, on a slow machine too: of the places on the way, only as many can be told as there was
    time for."""
    editor = window(NOTHING).ready()
    before = len(editor.until_rested("example.py", 0, 0))
    began = time.monotonic()
    text = "import ast, bisect, codecs, dataclasses, enum, fractions"
    editor.type(text)
    told = editor.until_rested("example.py", 0, len(text))[before:]
    assert len(told) * REST_S <= told[-1].t - began


@pytest.mark.nightly
def test_a_selection_is_not_reported_as_a_resting_cursor(window: Open) -> None:
    editor = window(NOTHING, "x = 1\ny = 2\n").ready()
    editor.press("Control+Home")
    editor.until_rested("example.py", 0, 0)
    editor.press("Shift+End")
    editor.until("blinked", True)  # later than a rest
    editor.press("Control+End")
    told = editor.until_rested("example.py", 2, 0)
    assert ("example.py", 0, 5) not in [rest.place for rest in told]


@pytest.mark.nightly
def test_no_cursor_is_reported_where_suggestions_are_off(window: Open) -> None:
    editor = window(NOTHING, "x = 1\ny = 2\n", **{"tabspec.enabled": True}).ready()
    editor.press("Control+Home")
    editor.until_rested("example.py", 0, 0)
    editor.command("tabspec: Turn Suggestions On or Off")
    editor.until("has", True, OFF)
    editor.press("End")
    editor.until("blinked", True)  # later than a rest
    editor.press("ArrowDown")
    editor.command("tabspec: Turn Suggestions On or Off")
    editor.until("has", True, RUNNING)
    editor.press("Control+End")
    told = editor.until_rested("example.py", 2, 0)
    assert ("example.py", 0, 5) not in [rest.place for rest in told]


def test_windows_line_ends_and_wide_characters(window: Open) -> None:
    before = "s = '🐍 é'\n"
    editor = window({**SCRIPT, "target": before + TARGET}, before.replace("\n", "\r\n")).ready()
    editor.press("Control+End")
    three_tabs(editor)
    assert editor.document() == (before + "def " + "".join(CHAIN[:3])).replace("\n", "\r\n")
    assert editor.status()["accepted"] == 3


def test_tab_is_unchanged_where_no_suggestion_is_shown(window: Open) -> None:
    editor = window(NOTHING, "x = 1\n").ready()
    editor.press("Control+Home", "Tab")
    editor.until("lines", ["    x = 1", ""])
    editor.press("End", "Tab")
    assert editor.document() == "    x = 1   \n"  # to the next tab stop
    assert editor.look("ghost") == ""


@pytest.mark.nightly
def test_control_a_server_that_offers_nothing(window: Open) -> None:
    """The assertions above can fail."""
    editor = window(NOTHING).ready()
    with pytest.raises(Failed, match="ghost is not"):
        three_tabs(editor, seconds=3)
    (ARTIFACTS / f"failed-{editor.folder.name}.png").rename(ARTIFACTS / "control-nothing-offered.png")
    assert editor.until_answered(after=0) == []


def test_a_missing_server_is_reported(window: Open, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    editor = window(**{"tabspec.server.command": [], "tabspec.server.environment": {"PATH": str(empty)}})
    editor.until("notified", True, "no language server found")
    editor.screenshot("no-server")
    assert editor.look("notified", "pip install .")
    assert editor.look("has", ".statusbar-item.warning-kind .codicon-warning")


@pytest.mark.nightly
def test_the_server_of_a_configured_python_is_started(window: Open, tmp_path: Path) -> None:
    model = f"scripted:{tmp_path / 'script.json'}"
    settings = {"tabspec.server.command": [], "tabspec.server.python": sys.executable, "tabspec.model": model}
    editor = window(**settings, **{"tabspec.server.environment": {"PYTHONPATH": PYTHONPATH}})
    editor.until("has", True, RUNNING)
    editor.type("def ")
    editor.ghost(CHAIN[0])


def test_a_server_that_dies_is_started_again(window: Open) -> None:
    editor = window().ready()
    editor.type("de")
    editor.ghost("f add(a, b):")
    so_far = len(editor.said())
    os.kill(editor.server_process(), signal.SIGKILL)
    editor.until_said(lambda m: m.get("method") == "initialize", "it was not started again", after=so_far)
    editor.until_said(_says_ready, "it did not load its model", after=so_far)
    editor.type("f ")
    editor.ghost(CHAIN[0])
    editor.until_cached(2)
    editor.press("Tab")
    editor.ghost(CHAIN[1])


def test_commands(window: Open) -> None:
    editor = window().ready()
    three_tabs(editor)

    editor.command("tabspec: Turn Suggestions On or Off")
    editor.until("has", True, OFF)
    editor.ghost("")
    so_far = len(editor.said())
    editor.type("\n ")
    editor.until_said(lambda m: _typed(m) == " ", "the change was not told", after=so_far)
    editor.command("tabspec: Turn Suggestions On or Off")
    editor.until("has", True, RUNNING)
    assert [m for m in editor.said()[so_far:] if m["message"].get("method") == "textDocument/inlineCompletion"] == []
    editor.type("   ")
    editor.ghost(CHAIN[3].removeprefix("\n    "))

    editor.command("tabspec: Open Report")
    editor.until("tab", True, "tabspec: report")
    editor.until_frame_says("h2", lambda texts: any("requests were answered" in text for text in texts))
    editor.screenshot("report")

    so_far = len(editor.said())
    editor.command("tabspec: Restart the Language Server")
    editor.until_said(lambda m: m.get("method") == "initialize", "it was not restarted", after=so_far)
    editor.until("status", "tabspec")  # and no figures yet


def requested(editor: Editor) -> bool:
    """Whether VS Code has asked for suggestions."""
    return any(entry["message"].get("method") == "textDocument/inlineCompletion" for entry in editor.said())


def _says_ready(message: dict[str, Any]) -> bool:
    return message.get("method") == "tabspec/statusChanged" and message["params"]["model"]["state"] == "ready"


def _typed(message: dict[str, Any]) -> str | None:
    """What a change put into the document."""
    changes = message["params"]["contentChanges"] if message.get("method") == "textDocument/didChange" else []
    return changes[0]["text"] if changes else None
