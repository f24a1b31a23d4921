"""What the Neovim tests share: the text that the server knows, the kinds of Neovim, and what to wait for."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cursor_rests import Rest, rests
from nvim_driver import GHOST, VERSIONS, Nvim

TARGET = """\
def area(width, height):
    return width * height


def perimeter(width, height):
    return 2 * (width + height)
"""

Open = Callable[..., Nvim]


@dataclass(frozen=True)
class Kind:
    """A version of Neovim, and who asks and draws in it."""

    version: str
    backend: str = "own"

    def __str__(self) -> str:
        return self.version if self.backend == "own" else f"{self.version} {self.backend}"


# The plugin asks Neovim for nothing that differs between the two versions, except what `BOTH_VERSIONS` tests. So most
# scenes are played in 0.11 each night only.
NEWEST, *OLDER = VERSIONS
OWN = [Kind(NEWEST), *(pytest.param(Kind(version), marks=pytest.mark.nightly) for version in OLDER)]
BUILTIN = Kind("0.12", "builtin")
# In place of the fixture's own kinds.
BOTH_VERSIONS = pytest.mark.parametrize("open_nvim", [Kind(version) for version in VERSIONS], indirect=True, ids=str)
EITHER_BACKEND = pytest.mark.parametrize("open_nvim", [*OWN, BUILTIN], indirect=True, ids=str)
ONLY_BUILTIN = pytest.mark.parametrize("open_nvim", [BUILTIN], indirect=True, ids=str)


def server_command(target: str, folder: Path, **more: Any) -> list[str]:
    """The language server with a model that knows the text that the user is going to write."""
    script = folder / "script.json"
    script.write_text(json.dumps({"target": target, **more}), encoding="utf-8")
    return [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]


def with_ghost(open_nvim: Open, *target: Any, **options: Any) -> Nvim:
    """Neovim after ``def ar`` was typed into an empty file, with the suggestion for it on the screen."""
    nvim = open_nvim(*target, **options)
    nvim.keys("i")
    nvim.type("def ar")
    nvim.until_ghost("ea(width, height):")
    return nvim


def tab_through(nvim: Nvim) -> None:
    """Type a little, then Tab, Tab, Tab, Tab: the way that the whole project is about."""
    nvim.keys("i")
    nvim.type("def ar")
    screen = nvim.until_ghost("ea(width, height):")
    assert screen.coloured(GHOST)[0][:2] == (0, 6)
    assert screen.cursor == (0, 6)
    assert nvim.text == "def ar"

    nvim.keys("Tab")
    screen = nvim.until_ghost("    return width * height")
    assert screen.coloured(GHOST)[0][:2] == (1, 0)
    assert screen.cursor == (0, 24)
    assert nvim.text == "def area(width, height):"

    nvim.keys("Tab")
    screen = nvim.until_ghost("def perimeter(width, height):")
    assert screen.coloured(GHOST)[0][:2] == (4, 0)
    assert screen.cursor == (1, 25)
    assert nvim.text == "def area(width, height):\n    return width * height"

    nvim.keys("Tab")
    nvim.until_ghost("    return 2 * (width + height)")
    nvim.keys("Tab")
    nvim.until_text(TARGET.rstrip())
    assert nvim.until_no_ghost().cursor == (5, 31)


def server_pid(nvim: Nvim) -> int:
    return nvim.lua("""
        local client = require('tabspec.server').client()
        if not client or not client.initialized then return nil end
        local children = vim.api.nvim_get_proc_children(vim.fn.getpid())
        table.sort(children)
        return children[#children]""")


class silent_server:
    """Within this block the language server is stopped as by Ctrl-Z: it neither reads nor answers."""

    def __init__(self, nvim: Nvim) -> None:
        self.pid = server_pid(nvim)

    def __enter__(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *error: object) -> None:
        os.kill(self.pid, signal.SIGCONT)


def until_status(nvim: Nvim, field: str, value: int) -> dict[str, Any]:
    """Wait until the server's status has these values, and return the whole status."""

    def look() -> dict[str, Any] | None:
        nvim.lua("require('tabspec.server').ask_status()")
        status = nvim.lua("return require('tabspec.server').status") or {}
        return status if status.get(field) == value else None

    found = nvim.until(look, f"{field} = {value}")
    assert found is not None
    return found


def until_rested(nvim: Nvim, line: int, character: int) -> list[Rest]:
    """Wait until the last reported cursor is at this place, and return all that were reported."""

    def look() -> list[Rest] | None:
        told = rests(nvim.folder / "messages.jsonl")
        return told if told and told[-1].place == ("example.py", line, character) else None

    found = nvim.until(look, f"the cursor's rest at {line}, {character}")
    assert found is not None
    return found


def until_a_rest_is_over(nvim: Nvim) -> None:
    """Wait until the plugin's timer for the last move has run: one that was started later and takes longer has."""
    nvim.lua("Over = false; vim.defer_fn(function() Over = true end, 400)")  # session.lua: 300
    nvim.until(lambda: nvim.lua("return Over"), "a timer")


def until_answered(nvim: Nvim) -> None:
    """Wait until the request for the cursor's place has been made and answered."""
    nvim.until(
        lambda: nvim.lua("""
            local session = require('tabspec.session').get()
            local here = require('tabspec.place').here(0)
            return vim.api.nvim_get_mode().mode == 'i' and session.request == nil
                and require('tabspec.place').same(session.asked, here)"""),
        "an answer",
    )
