"""Record a real Neovim session with the plugin: `python scripts/record-demo.py [--cast OUT] [--svg OUT] [--model M]`.

Neovim runs in tmux, on the bundled model. A scripted user writes the text below: types it key by key, and presses Tab
where the suggestion on the screen is how the text continues. Then the user renames the class once, and presses Tab
until no next edit is left. Nothing is sped up or cut, except the start of the model. The cast plays with asciinema; the
SVG, made by `scripts/cast_svg.py`, heads the README.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "editors"))

from cast_svg import cast_to_svg, screen_event
from nvim_driver import PLUGIN, Nvim, installed

from tests.tools import REPOSITORY

COLUMNS, LINES = 92, 24
KEY_S = 0.085  # 140 words a minute would be 0.086
READ_S = 0.5  # a glance at a suggestion
WAIT_S = 0.3  # how long the user looks whether something comes, after Tab and between words

STATE = "return ((require('tabspec.server').status or {}).model or {}).state or ''"
DETAIL = "return require('tabspec.server').status.model.detail"

EDIT_SHOWN = "return require('tabspec.edit').visible()"
STATE_OF_EDITING = "return { vim.api.nvim_win_get_cursor(0), vim.b.changedtick }"

GIVEN = (PLUGIN / "first-minute.py").read_text(encoding="utf-8").partition("\n\n\n")[2]
WRITTEN = """
        x = self.x - other.x
        y = self.y - other.y
        return Point(x, y)

    def __mul__(self, other):
        x = self.x * other.x
        y = self.y * other.y
        return Point(x, y)"""
OLD_NAME, NEW_NAME = "Point", "Vector"


class Recorder:
    """Looks at the screen some 30 times a second in a thread of its own, and keeps what has changed."""

    def __init__(self, nvim: Nvim) -> None:
        self.nvim = nvim
        self.events: list[tuple[float, str, str]] = []
        self._start = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def key(self, name: str) -> None:
        """A key that is about to be pressed."""
        self.events.append((self._now(), "i", name))

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _now(self) -> float:
        return round(time.monotonic() - self._start, 3)

    def _watch(self) -> None:
        before = ""
        while not self._over.wait(0.03):
            text, cursor = self.nvim.capture()
            event = screen_event(text, cursor)
            if event != before:
                self.events.append((self._now(), "o", event))
                before = event


def demo_init(server: list[str] | None, options: str = "", before: str = "") -> str:
    """The init.lua of `make nvim`, with nothing that would type for the user: no automatic indentation."""
    return f"""
vim.env.TABSPEC_LSP = {json.dumps(" ".join(server or []))}
dofile({json.dumps(str(PLUGIN / "first-minute.lua"))})
vim.o.shortmess = vim.o.shortmess .. 'I'
vim.o.ruler, vim.o.showmode = false, false
vim.api.nvim_create_autocmd('FileType', {{ callback = function()
  vim.bo.indentexpr, vim.bo.autoindent = '', false
end }})
"""


def write(nvim: Nvim, recorder: Recorder, text: str) -> int:
    """Be the user: write ``text`` at the cursor. How often Tab was pressed."""
    tabs = 0
    waited = True
    while text:
        suggestion = offered(nvim, WAIT_S if waited else 0.0)
        if len(suggestion) > 1 and text.startswith(suggestion):
            time.sleep(READ_S)
            recorder.key("Tab")
            nvim.keys("Tab")
            tabs += 1
            text, waited = text[len(suggestion) :], True
            continue
        # what an editor's indentation would do counts as one key
        count = max(len(text) - len(text.lstrip(" ")), 1)
        key, text = text[:count], text[count:]
        waited = key in "\n (.,-*/"
        nvim.keys("Enter") if key == "\n" else nvim.type(key)
        time.sleep(KEY_S)
    return tabs


def rename(nvim: Nvim, recorder: Recorder) -> int:
    """Be the user: rename the class on the first line, then accept next edits. How often Tab was pressed."""
    nvim.keys("Escape")
    for key in ("g", "g", "0", "w", "c", "w", *NEW_NAME):
        time.sleep(KEY_S)
        nvim.type(key)
    nvim.keys("Escape")
    tabs = 0
    nvim.until(lambda: nvim.lua(EDIT_SHOWN), "the first next edit")
    while nvim.lua(EDIT_SHOWN):
        time.sleep(READ_S)
        before = nvim.lua(STATE_OF_EDITING)
        recorder.key("Tab")
        nvim.keys("Tab")
        tabs += 1
        nvim.until(lambda before=before: nvim.lua(STATE_OF_EDITING) != before, "what Tab does")
    return tabs


def offered(nvim: Nvim, seconds: float) -> str:
    """The suggestion on the screen, waiting a little for one."""
    end = time.monotonic() + seconds
    while True:
        text = nvim.lua("""
            local session = require('tabspec.session').get()
            return session and session:visible() and session:rest(require('tabspec.place').here(session.buf)) or ''""")
        if text or time.monotonic() >= end:
            return str(text)


def record(model: str, version: str) -> str:
    """The cast of one session."""
    server = [sys.executable, "-m", "tabspec_lsp.main", "--stdio", *(["--model", model] if model else [])]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "point.py"
        file.write_text(GIVEN, encoding="utf-8")
        nvim = Nvim(installed(version), Path(folder), server, init=demo_init, size=(COLUMNS, LINES), seconds=120)
        try:
            nvim.start(file)
            nvim.until(lambda: nvim.lua(STATE) in ("ready", "unusable"), "the model")
            if nvim.lua(STATE) != "ready":
                sys.exit("record-demo: the model is not usable: " + nvim.lua(DETAIL))
            nvim.until(lambda: offered(nvim, 0.0), "the first suggestion")
            recorder = Recorder(nvim)
            try:
                time.sleep(0.8)
                tabs = write(nvim, recorder, WRITTEN)
                time.sleep(0.8)
                edit_tabs = rename(nvim, recorder)
                time.sleep(0.8)
            finally:
                recorder.stop()
            if OLD_NAME in nvim.text:
                sys.exit(f"record-demo: {OLD_NAME} is left")
            print(
                f"{tabs} and {edit_tabs} Tabs; the status line says: {nvim.lua('return require([[tabspec]]).status()')}"
            )
        finally:
            nvim.close()
    head = {"version": 2, "width": COLUMNS, "height": LINES, "title": "tabspec in Neovim, in real time"}
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (head, *recorder.events))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(":")[0])
    parser.add_argument("--cast", type=Path, default=REPOSITORY / "build" / "demo.cast", help="(build/demo.cast)")
    parser.add_argument(
        "--svg", type=Path, default=REPOSITORY / "docs" / "images" / "demo.svg", help="(docs/images/demo.svg)"
    )
    parser.add_argument("--model", default="", help="as for tabspec-lsp; the bundled one by default")
    parser.add_argument("--neovim", default="0.12", choices=("0.12", "0.11"), help="(0.12)")
    options = parser.parse_args()
    cast = record(options.model, options.neovim)
    options.cast.parent.mkdir(parents=True, exist_ok=True)
    options.cast.write_text(cast, encoding="utf-8")
    options.svg.write_text(cast_to_svg(cast), encoding="utf-8")
    print(f"{options.cast}, {options.svg}: {options.svg.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
