"""What the tests of next edits in VS Code share: a window for all of them, and a file of its own for each."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vscode_driver import HERE, Editor, code_server, until

RENAME = {"edits": [{"when": "amount):", "find": r"\btotal\b", "replace": "amount"}]}
PRICE = "def price(total):\n    tax = total * 0.2\n    print(total)\n    return total + tax\n"
FAR = PRICE + "".join(f"x{i} = {i}\n" for i in range(80)) + "y = price(total=3)\n"
BOX = "tax = amount * 0.2"

# There when the window is opened: VS Code's search for files does not find those that come later.
FILES = [f"scene{number}.py" for number in range(20)]
OTHERS = ("caller.py", "notes.txt")

Scene = Callable[..., Editor]


@contextmanager
def window(folder: Path, also: Sequence[Path] = (), keys: Sequence[dict[str, Any]] = ()) -> Iterator[Editor]:
    """A window with a server that answers from a script. Opening one takes longer than most tests."""
    workspace = folder / "workspace"
    workspace.mkdir()
    with code_server(folder, also, keys) as server:
        for name in (*FILES, *OTHERS):
            (workspace / name).touch()
        fake = [sys.executable, str(HERE / "fake_next_edits.py"), str(workspace / "script.json")]
        tee = [sys.executable, str(HERE / "server_tee.py"), str(workspace)]
        settings: dict[str, Any] = {"tabspec.server.command": [*tee, *fake]}
        editor = Editor(server, workspace, {}, **settings)
        yield editor.ready()


def opener(window: Editor, names: Iterator[str]) -> Scene:
    """Opens the next of the files, with a script and with settings of the workspace."""

    def open_scene(script: dict[str, Any], text: str, name: str = "", **settings: Any) -> Editor:
        window.file = window.folder / (name or next(names))
        window.file.write_text(text)
        (window.folder / "script.json").write_text(json.dumps(script))
        (window.folder / ".vscode" / "settings.json").write_text(json.dumps(settings))
        window.open(window.file.name)
        window.until_rested(window.file.name, 0, 0)
        return window

    return open_scene


def rename(editor: Editor) -> None:
    """Write `amount` for the parameter `total` of the first line."""
    editor.press("Control+Home", *["ArrowRight"] * len("def price("), *["Delete"] * len("total"))
    editor.type("amount")


def told(editor: Editor, method: str) -> list[dict[str, Any]]:
    """The parameters of the messages about this test's file that the editor has sent."""
    messages = [entry["message"] for entry in editor.said() if entry["from"] == "client"]
    about = [message["params"] for message in messages if message.get("method") == method]
    return [params for params in about if editor.file.name in json.dumps(params)]


def commands(editor: Editor) -> list[str]:
    return [params["command"] for params in told(editor, "workspace/executeCommand")]


def until_commands(editor: Editor, *expected: str) -> None:
    """Wait until these were sent, and no others: what is drawn is on the screen before that."""
    until(lambda: commands(editor) == list(expected), f"not sent: {expected}")


def packaged(folder: Path, extension: Path) -> Path:
    """An extension without dependencies as a .vsix."""
    package = folder / f"{extension.name}.vsix"
    with zipfile.ZipFile(package, "w") as archive:
        for file in sorted(extension.iterdir()):
            archive.write(file, f"extension/{file.name}")
    return package
