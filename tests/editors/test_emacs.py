"""The settings of editor-configs/emacs/README.md in a real Emacs, in a terminal: eglot, company for the preview, and
next edits as code actions."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from neovim_edit_scene import RENAMED, ROWS, TEXT
from nvim_driver import NotSeen
from tmux_terminal import SECONDS, Terminal, scripted_server

from tests import tools
from tests.tools import REPOSITORY

pytestmark = pytest.mark.editors

TARGET = "def area(width, height):\n    return width * height\n\n\nprint(area(2, 3))\n"
# Emacs does not answer at all if the response to a request of its own comes while the form waits for another one
# (jsonrpc.el leaves both waits by a throw to the outer one). So it is asked again.
ANSWER_S = 10
ACCEPTED = "(plist-get (jsonrpc-request (eglot-current-server) :tabspec/status '(:of t)) :accepted)"


def settings_of_the_readme(*titles: str) -> str:
    """The Emacs Lisp under these headings."""
    page = (REPOSITORY / "editor-configs" / "emacs" / "README.md").read_text(encoding="utf-8")
    blocks = [re.search(rf"^## {title}\n.*?```elisp\n(.*?)```", page, re.DOTALL | re.MULTILINE) for title in titles]
    return "\n".join(block[1] for block in blocks if block)


class Emacs(Terminal):
    """An Emacs with a file open, asked through emacsclient."""

    def __init__(self, folder: Path, init: str, target: str, text: str = "") -> None:
        self.folder = folder
        folder.chmod(0o700)  # Emacs refuses a socket in a folder that others can open
        server = " ".join(map(json.dumps, scripted_server(folder, target)))
        own = f'(setq server-socket-dir "{folder}" server-name "socket" inhibit-startup-screen t) (server-start)\n'
        (folder / "init.el").write_text(own + init.replace('"tabspec-lsp" "--stdio"', server))
        (folder / "example.py").write_text(text)
        super().__init__(folder, ["emacs", "-nw", "-q", "-l", str(folder / "init.el"), str(folder / "example.py")])
        self.until(lambda: self.lisp("(and (eglot-current-server) t)") == "t", "eglot, connected")

    def lisp(self, code: str) -> str:
        """What code evaluates to in the file's buffer, printed; "" if Emacs cannot say."""
        form = f'(with-current-buffer "example.py" {code})'
        command = ["emacsclient", "-s", str(self.folder / "socket"), "--eval", form]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_S)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    @property
    def text(self) -> str:
        said = self.lisp("(buffer-substring-no-properties (point-min) (point-max))")
        return str(json.loads(said, strict=False)) if said else ""

    def until_text(self, text: str) -> None:
        self.until(lambda: self.text == text, f"the buffer {text!r}")

    def close(self) -> None:
        self.lisp("(kill-emacs)")
        super().close()


@pytest.fixture
def open_emacs(tmp_path: Path) -> Iterator[Callable[..., Emacs]]:
    tools.make("emacs")
    running: list[Emacs] = []

    def open_one(*titles: str, target: str = TARGET, text: str = "") -> Emacs:
        running.append(Emacs(tmp_path, settings_of_the_readme(*titles), target, text))
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
    emacs.until(lambda: emacs.lisp(ACCEPTED) == "2", "two accepts that were read off the document")


def test_eglot_alone_completes_a_begun_word(open_emacs: Callable[..., Emacs]) -> None:
    emacs = open_emacs("Eglot")
    emacs.type("def ar")
    emacs.until_text("def ar")
    emacs.keys("M-Tab")
    emacs.until_text("def area(width, height):")


def test_control_a_server_that_offers_nothing(open_emacs: Callable[..., Emacs]) -> None:
    with pytest.raises(NotSeen, match="row 1"):
        preview_and_accept(open_emacs("Eglot", "Company", target=""), seconds=4)


def test_code_actions_walk_the_chain_of_next_edits(open_emacs: Callable[..., Emacs]) -> None:
    emacs = open_emacs("Eglot", target="", text=TEXT)
    emacs.keys("C-s")
    emacs.type("limit")
    emacs.keys("Enter", "M-BSpace")
    emacs.type("bound")
    now = TEXT.replace("limit", "bound", 1)
    emacs.until_text(now)
    for row in ROWS:
        emacs.keys("M-x")
        emacs.type("eglot-code-actions")
        emacs.keys("Enter")
        emacs.until_shown(f"tabspec: next edit (line {row + 1})")
        emacs.keys("Enter")
        now = now.replace("limit", "bound", 1)
        emacs.until_text(now)
    assert now == RENAMED
    emacs.until(lambda: emacs.lisp(ACCEPTED) == "4", "four accepts")
