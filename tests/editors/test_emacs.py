"""The settings of editor-configs/emacs/README.md in a real Emacs, in a terminal: eglot, and company for the preview."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from nvim_driver import REPOSITORY, NotSeen
from terminal_screen import Screen, parse_screen

pytestmark = pytest.mark.editors

TARGET = "def area(width, height):\n    return width * height\n\n\nprint(area(2, 3))\n"
SECONDS = 60.0  # starting takes some; a busy machine is given more before a test fails


@cache
def installed() -> None:
    """Emacs with eglot and company, installed by the project's own script if they are not there yet."""
    script = REPOSITORY / "scripts" / "install-emacs.sh"
    done = subprocess.run([str(script)], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, f"{script.name} failed:\n{done.stdout}{done.stderr}"


def settings_of_the_readme(*titles: str) -> str:
    """The Emacs Lisp under these headings."""
    page = (REPOSITORY / "editor-configs" / "emacs" / "README.md").read_text(encoding="utf-8")
    blocks = [re.search(rf"^## {title}\n.*?```elisp\n(.*?)```", page, re.DOTALL | re.MULTILINE) for title in titles]
    return "\n".join(block[1] for block in blocks if block)


class Emacs:
    """An Emacs in a tmux server of its own, asked through emacsclient."""

    def __init__(self, folder: Path, init: str, target: str) -> None:
        self.folder, self._name = folder, f"tabspec-{uuid.uuid4().hex[:8]}"
        folder.chmod(0o700)  # Emacs wants its socket to be nobody else's
        script = folder / "script.json"
        script.write_text(json.dumps({"target": target}))
        server = [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]
        init = init.replace('"tabspec-lsp" "--stdio"', " ".join(map(json.dumps, server)))
        own = f'(setq server-socket-dir "{folder}" server-name "socket" inhibit-startup-screen t) (server-start)\n'
        (folder / "init.el").write_text(own + init)
        (folder / "example.py").write_text("")
        environment = {"HOME": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", f"{REPOSITORY}:{REPOSITORY / 'lsp'}")
        command = ["env", *(f"{name}={value}" for name, value in environment.items())]
        command += ["emacs", "-nw", "-q", "-l", str(folder / "init.el"), str(folder / "example.py")]
        self.tmux("-f", os.devnull, "new-session", "-d", "-x", "100", "-y", "24", shlex.join(command))
        self.until(lambda: self.lisp("(and (eglot-current-server) t)") == "t", "eglot, connected")

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], capture_output=True, text=True, check=False)
        return done.stdout

    def keys(self, *names: str) -> None:
        self.tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def screen(self) -> Screen:
        return parse_screen(self.tmux("capture-pane", "-ep"), (0, 0))

    def lisp(self, code: str) -> str:
        """What code evaluates to in the file's buffer, printed; "" if Emacs cannot say."""
        form = f'(with-current-buffer "example.py" {code})'
        command = ["emacsclient", "-s", str(self.folder / "socket"), "--eval", form]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        return done.stdout.strip() if done.returncode == 0 else ""

    @property
    def text(self) -> str:
        said = self.lisp("(buffer-substring-no-properties (point-min) (point-max))")
        return str(json.loads(said, strict=False)) if said else ""

    def until(self, true: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise NotSeen(f"not seen within {seconds} s: {what}\n--- screen ---\n{self.screen().text}")
            time.sleep(0.02)

    def until_row(self, number: int, text: str, seconds: float = SECONDS) -> None:
        """Wait until a row of the screen (0 is the menu bar) says this."""
        self.until(lambda: self.screen().rows[number].rstrip() == text, f"row {number}: {text!r}", seconds)

    def until_text(self, text: str) -> None:
        self.until(lambda: self.text == text, f"the buffer {text!r}")

    def close(self) -> None:
        self.lisp("(kill-emacs)")
        self.tmux("kill-server")


@pytest.fixture
def open_emacs(tmp_path: Path) -> Iterator[Callable[..., Emacs]]:
    installed()
    running: list[Emacs] = []

    def open_one(*titles: str, target: str = TARGET) -> Emacs:
        running.append(Emacs(tmp_path, settings_of_the_readme(*titles), target))
        return running[-1]

    yield open_one
    for emacs in running:
        emacs.close()


def preview_and_accept(emacs: Emacs, seconds: float = SECONDS) -> None:
    emacs.type("def ar")
    emacs.until_row(1, "def area(width, height):", seconds)
    assert emacs.text == "def ar", "it is company's preview, and not text yet"
    emacs.keys("Enter")
    emacs.until_text("def area(width, height):")


def test_company_shows_a_preview_and_tab_goes_on(open_emacs: Callable[..., Emacs]) -> None:
    emacs = open_emacs("Eglot", "Company")
    preview_and_accept(emacs)
    emacs.keys("Enter")  # a new line, which Emacs indents
    emacs.until_text("def area(width, height):\n    ")
    emacs.keys("Tab")
    emacs.until_text("def area(width, height):\n    return width * height")
    accepted = "(plist-get (jsonrpc-request (eglot-current-server) :tabspec/status '(:of t)) :accepted)"
    emacs.until(lambda: emacs.lisp(accepted) == "2", "two accepts that were read off the document")


def test_eglot_alone_completes_a_begun_word(open_emacs: Callable[..., Emacs]) -> None:
    emacs = open_emacs("Eglot")
    emacs.type("def ar")
    emacs.until_text("def ar")
    emacs.keys("M-Tab")
    emacs.until_text("def area(width, height):")


def test_control_a_server_that_offers_nothing(open_emacs: Callable[..., Emacs]) -> None:
    with pytest.raises(NotSeen, match="row 1"):
        preview_and_accept(open_emacs("Eglot", "Company", target=""), seconds=4)
