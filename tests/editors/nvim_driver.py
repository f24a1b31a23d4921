"""Drives a real Neovim in a real terminal (tmux): sends keys, reads the screen with its colours, asks over RPC.

Nothing here waits for a fixed time: `Nvim.until` looks again and again until a condition holds, or fails with the
screen as it is.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from terminal_screen import Screen, parse_screen

from tests import tools
from tests.patience import PATIENCE
from tests.tools import REPOSITORY

T = TypeVar("T")

VERSIONS = ("0.12", "0.11")
PLUGIN = REPOSITORY / "editor-configs" / "neovim"

# The colour that the tests give to the suggestion: one that no colour scheme uses.
GHOST = "#12ab34"


class NotSeen(AssertionError):
    """What was waited for did not come."""


def installed(version: str) -> Path:
    """Neovim of this version, installed if it is not there yet."""
    return tools.installed(f"nvim-{version}/bin/nvim")


Init = Callable[[list[str] | None, str, str], str]


def plugin_init(server: list[str] | None, options: str = "", before: str = "") -> str:
    """An init.lua with the plugin. ``options`` are Lua fields for setup(), ``before`` is Lua that runs before it."""
    return f"""
vim.o.termguicolors = true
vim.o.laststatus = 2
vim.o.statusline = "%f %{{v:lua.require'tabspec'.status()}}"
vim.o.shiftwidth, vim.o.expandtab = 4, true
vim.opt.runtimepath:prepend({json.dumps(str(PLUGIN))})
{before}
require('tabspec').setup({{ cmd = {_lua_list(server)}, highlight = {{ fg = '{GHOST}' }}, {options} }})
"""


def built_in_init(server: list[str] | None, options: str = "", before: str = "") -> str:
    """An init.lua that uses Neovim 0.12's own inline completion, as its manual shows; no plugin."""
    return f"""
vim.o.termguicolors = true
vim.o.shiftwidth, vim.o.expandtab = 4, true
vim.api.nvim_set_hl(0, 'ComplHint', {{ fg = '{GHOST}' }})
{before}
local options = {{ {options} }}
vim.lsp.config('tabspec', {{ cmd = {_lua_list(server)}, filetypes = {{ 'python' }}, init_options = options.settings }})
vim.lsp.enable('tabspec')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then
    return '<Tab>'
  end
end, {{ expr = true }})
"""


def _lua_list(words: list[str] | None) -> str:
    return "nil" if words is None else "{" + ", ".join(map(json.dumps, words)) + "}"


@dataclass
class Nvim:
    """A Neovim in a separate tmux server. ``seconds`` is how long what `until` waits for may take before it counts as
    not seen."""

    binary: Path
    folder: Path
    server: list[str] | None
    options: str = ""  # Lua fields added to the table given to setup()
    before: str = ""  # Lua run before setup()
    seconds: float = PATIENCE
    init: Init = plugin_init
    size: tuple[int, int] = (100, 24)  # columns, lines
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.socket = self.folder / "rpc.sock"
        self._tmux = ["tmux", "-L", f"tabspec-{uuid.uuid4().hex[:8]}", "-f", os.devnull]

    def start(self, file: Path) -> Nvim:
        """Open ``file``, and wait until the server is ready for it (if there is a server)."""
        init = self.folder / "init.lua"
        init.write_text(self.init(self.server, self.options, self.before), encoding="utf-8")
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        variables = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "LANG": "C.UTF-8",
            "TERM": "tmux-256color",
            "COLORTERM": "truecolor",
            **self.environment,
        }
        command = ["env", *(f"{name}={value}" for name, value in variables.items())]
        command += [str(self.binary), "--clean", "-n", "-u", str(init), "--listen", str(self.socket), str(file)]
        self.tmux("new-session", "-d", "-x", str(self.size[0]), "-y", str(self.size[1]), shlex.join(command))
        self.until(self._listens, "the RPC socket")
        self.until(self._entered, "the end of init.lua")
        if self.server is not None and self.init is plugin_init:
            self.until(lambda: self.lua("return require('tabspec.session').get() ~= nil"), "tabspec attached")
        return self

    def _listens(self) -> bool:
        """Whether the RPC socket takes connections: for a moment it is there and refuses them."""
        try:
            with socket.socket(socket.AF_UNIX) as attempt:
                attempt.connect(str(self.socket))
        except OSError:
            return False
        return True

    def _entered(self) -> bool:
        """Whether it has started. A question asked in the midst of that may stay without an answer: then it is asked
        again."""
        try:
            return bool(self.lua("return vim.v.vim_did_enter == 1", patience=10))
        except NotSeen:
            return False

    def close(self) -> None:
        """End Neovim, and with it the server; then the terminal."""
        subprocess.run(
            [*self._tmux, "send-keys", "Escape", "Escape", ":qa!", "Enter"], check=False, capture_output=True
        )
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and self._alive():
            time.sleep(0.02)
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def _alive(self) -> bool:
        return subprocess.run([*self._tmux, "has-session"], check=False, capture_output=True).returncode == 0

    def tmux(self, *arguments: str) -> str:
        """Run one tmux command; its output."""
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode:
            raise NotSeen(f"tmux {arguments[0]}: {done.stderr.strip()} (did Neovim end?)")
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names for them: Tab, Escape, Enter, M-Right, C-], BSpace, ..."""
        self.tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Type text, as one burst."""
        self.tmux("send-keys", "-l", text)

    def capture(self) -> tuple[str, tuple[int, int]]:
        """The terminal's rows with their escape sequences, and the cursor's row and column."""
        captured = self.tmux("display-message", "-p", "#{cursor_y},#{cursor_x}", ";", "capture-pane", "-ep")
        cursor, _, rows = captured.partition("\n")
        row, column = map(int, cursor.split(","))
        return rows.rstrip("\n"), (row, column)

    def screen(self) -> Screen:
        return parse_screen(*self.capture())

    def lua(self, code: str, patience: float = PATIENCE) -> Any:
        """Run Lua in Neovim and give its result back, by way of JSON. Raises `NotSeen` if none comes within
        ``patience`` seconds."""
        wrapped = f"(function() {code} end)()"
        literal = "vim.json.encode({" + wrapped + "})"
        expression = "luaeval(" + _vim_string(literal) + ")"
        command = [str(self.binary), "--server", str(self.socket), "--remote-expr", expression]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
        except subprocess.TimeoutExpired:  # it waits for a key
            raise NotSeen(f"lua {code!r}: no answer\n--- screen ---\n{self.screen().text}") from None
        if done.returncode:
            raise NotSeen(f"lua {code!r}: {done.stderr.strip()}")
        values = json.loads(done.stdout or done.stderr)
        return values[0] if values else None

    @property
    def lines(self) -> list[str]:
        """The buffer's lines."""
        lines = self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")
        return [str(line) for line in lines]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def ghost(self) -> str:
        """The suggestion on the screen now; "" if there is none."""
        return self.screen().coloured_text(GHOST)

    def until(self, condition: Callable[[], T], what: str) -> T:
        """The first true value of ``condition``. Raises `NotSeen` with the screen once the time is over."""
        deadline = time.monotonic() + self.seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise NotSeen(f"not seen within {self.seconds} s: {what}\n--- screen ---\n{self.screen().text}")
            time.sleep(0.01)

    def until_ghost(self, text: str) -> Screen:
        """Wait until exactly this suggestion is on the screen, in its colour."""
        return self._until_screen(lambda screen: screen.coloured_text(GHOST) == text, f"the suggestion {text!r}")

    def until_no_ghost(self) -> Screen:
        return self._until_screen(lambda screen: not screen.coloured(GHOST), "a screen without a suggestion")

    def until_text(self, text: str) -> None:
        """Wait until the buffer holds exactly ``text``."""
        self.until(lambda: self.text == text, f"the buffer {text!r}, which is {self.text!r}")

    def _until_screen(self, condition: Callable[[Screen], bool], what: str) -> Screen:
        def look() -> Screen | None:
            screen = self.screen()
            return screen if condition(screen) else None

        found = self.until(look, what)
        assert found is not None
        return found


def _vim_string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
