"""A program in a real terminal (tmux): keys in, the screen out. Nothing waits for a fixed time."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nvim_driver import NotSeen
from terminal_screen import Screen, parse_screen

from tests.patience import PATIENCE
from tests.tools import REPOSITORY

SECONDS = PATIENCE


def scripted_server(folder: Path, target: str) -> list[str]:
    """The language server with a model that knows the text that the user is going to write."""
    script = folder / "script.json"
    script.write_text(json.dumps({"target": target}))
    return [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]


class Terminal:
    """A separate tmux server with one program in it, whose home is ``folder``."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self._name = f"tabspec-{uuid.uuid4().hex[:8]}"
        path = os.environ.get("PYTHONPATH", f"{REPOSITORY}:{REPOSITORY / 'lsp'}")
        variables: Mapping[str, str] = {
            "HOME": str(folder),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PYTHONPATH": path,
        } | environment
        whole = ["env", *(f"{name}={value}" for name, value in variables.items()), *command]
        self.tmux("-f", os.devnull, "new-session", "-d", "-x", "100", "-y", "24", shlex.join(whole))

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], capture_output=True, text=True, check=False)
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names for them."""
        self.tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Type text, as one burst."""
        self.tmux("send-keys", "-l", text)

    def screen(self) -> Screen:
        return parse_screen(self.tmux("capture-pane", "-ep"), (0, 0))

    def until(self, true: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise NotSeen(f"not seen within {seconds} s: {what}\n--- screen ---\n{self.screen().text}")
            time.sleep(0.02)

    def until_row(self, number: int, text: str, seconds: float = SECONDS) -> None:
        """Wait until a row of the screen shows this."""
        self.until(lambda: self.screen().text.split("\n")[number] == text, f"row {number}: {text!r}", seconds)

    def until_shown(self, text: str, seconds: float = SECONDS) -> None:
        """Wait until this stands on the screen."""
        self.until(lambda: text in self.screen().text, f"{text!r}", seconds)

    def close(self) -> None:
        self.tmux("kill-server")
