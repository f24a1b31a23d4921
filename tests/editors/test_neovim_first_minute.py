"""What a newcomer runs: `make nvim`; and how the recording in the README comes about."""

from __future__ import annotations

import json
import os
import shlex
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from nvim_driver import Nvim, installed
from terminal_screen import parse_screen

from tests.tools import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from cast_svg import END_S, KEY_S, cast_to_svg, frames, screen_event

INSERTED = "#005523"  # DiffAdd of Neovim's own dark scheme
OWN_GREY = "#858b98"  # lua/tabspec/ghost.lua


@pytest.mark.editors
def test_the_first_minute(tmp_path: Path) -> None:
    """scripts/nvim.sh with a virtual environment whose server knows what comes next: a suggestion, Tab, the next; then
    the class is renamed once, and Tab goes to each of its uses and renames it."""
    installed("0.12")
    example = (REPOSITORY / "editor-configs" / "neovim" / "first-minute.py").read_text()
    target = example.rstrip("\n") + "\n        x = self.x - other.x\n        return Point(x, 0)\n"
    (tmp_path / "script.json").write_text(json.dumps({"target": target}))
    server = tmp_path / "venv" / "bin" / "tabspec-lsp"
    server.parent.mkdir(parents=True)
    model = shlex.quote(f"scripted:{tmp_path / 'script.json'}")
    server.write_text(f'#!/bin/sh\nexec {sys.executable} -m tabspec_lsp.main --model {model} "$@"\n')
    server.chmod(0o755)
    nvim = Nvim(installed("0.12"), tmp_path, None)
    path = ":".join(folder for folder in os.environ["PATH"].split(":") if not (Path(folder) / "nvim").exists())
    command = ["env", f"HOME={tmp_path}", f"PATH={path}", "TERM=tmux-256color", "LANG=C.UTF-8"]
    command += [f"PYTHONPATH={os.pathsep.join(map(str, map(Path.absolute, map(Path, sys.path))))}"]
    command += [str(REPOSITORY / "scripts" / "nvim.sh"), str(tmp_path / "venv"), str(tmp_path / "out")]
    try:
        nvim.tmux("new-session", "-d", "-x", "100", "-y", "24", shlex.join(command))
        for text in ("        x = self.x - other.x", "        return Point(x, 0)"):
            nvim.until(lambda text=text: nvim.screen().coloured_text(OWN_GREY) == text, text)
            nvim.keys("Tab")
        nvim.until(
            lambda: "2/2 instant" in nvim.screen().text or "1/2 instant" in nvim.screen().text, "the status line"
        )
        nvim.keys("Escape", "/class P", "Enter", "w")
        nvim.type("cwVector")
        nvim.keys("Escape")
        rows = example.split("\n").index("        return Point(x, y)"), len(target.split("\n")) - 2
        for row in rows:
            nvim.until(lambda row=row: inserted(nvim) == [(row, "Vector")], f"the edit in row {row}")
            nvim.keys("Tab")
            nvim.until(lambda row=row: nvim.screen().cursor[0] == row, "the jump")
            nvim.keys("Tab")
        nvim.until(lambda: inserted(nvim) == [], "a screen without an edit")
        nvim.keys(":w", "Enter")
        renamed = target.replace("class Point", "class Vector").replace("return Point", "return Vector")
        nvim.until(lambda: (tmp_path / "out" / "point.py").read_text() == renamed, "the file")
    finally:
        nvim.close()


def inserted(nvim: Nvim) -> list[tuple[int, str]]:
    """What an edit on the screen inserts: rows and texts."""
    return [(row, text) for row, _, text, look in nvim.screen().runs() if look.background == INSERTED]


# --- the recording ----------------------------------------------------------------------------------------------------

GREY = "\x1b[38;2;133;139;152m"


def cast(*events: tuple[float, str, str]) -> str:
    head = {"version": 2, "width": 20, "height": 3, "title": "a < b"}
    return "\n".join(json.dumps(line) for line in (head, *events))


def test_a_screen_comes_back_from_its_event() -> None:
    text = f"def {GREY}f():\x1b[39m\n\nlast"
    (frame,) = frames([(0.5, "o", screen_event(text, (1, 7)))])
    assert frame.screen == parse_screen(text + "\x1b[0m", (1, 7))
    assert frame.screen.coloured_text("#858b98") == "f():"


def test_keys_are_shown_for_a_while() -> None:
    event = screen_event("a", (0, 1))
    later = screen_event("ab", (0, 2))
    found = frames([(0.0, "o", event), (1.0, "i", "Tab"), (1.1, "o", later), (1.3, "i", "Tab"), (9.0, "o", later)])
    assert [(frame.time, frame.key) for frame in found] == [(0.0, ""), (1.0, "Tab"), (1.1, "Tab"), (1.3 + KEY_S, "")]


def test_the_picture_is_one_well_formed_file_that_needs_nothing_else() -> None:
    events = [(0.0, "o", screen_event("x = <1>", (0, 0))), (1.0, "o", screen_event("x = <2>\nx = <1>", (0, 1)))]
    picture = cast_to_svg(cast(*events))
    root = ET.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == "a < b"
    strip = root.find(f"{space}g[@class='strip']")
    assert strip is not None
    assert len(strip) == 2
    rows = root.findall(f"{space}defs/{space}g")
    assert [row.findtext(f"{space}text") for row in rows] == ["x = <1>", "x = <2>"]  # drawn once, used twice
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert f"play {1.0 + END_S:.2f}s" in picture
