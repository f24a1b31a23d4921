"""From Tab to the next edit on the screen, in real Neovims: `python tests/benchmarks/neovim_edits.py [--json OUT]`.

As `neovim_tab.py`, for next edits: a parameter with five uses is renamed, and Tab is pressed until all are renamed,
too. One Tab goes to an edit, the next one accepts it. The clock starts when the byte of an accepting Tab is written,
and stops when the next edit has been drawn. The model is a script that takes 150 ms for the prompt.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from neovim_tab import READY, Terminal, installed, plugin_init

PROMPT_S, READING_S, USES, ROUNDS = 0.15, 0.15, 5, 5
NAME = "limit"


def measure(version: str, folder: Path) -> list[float]:
    """Milliseconds from each accepting Tab to the next edit."""
    script = folder / "script.json"
    script.write_text(json.dumps({"any": True, "prefill_s": PROMPT_S}))
    server = [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]
    init = folder / "init.lua"
    look = "vim.api.nvim_set_hl(0, 'TabspecInserted', { fg = '#123456' })\n"
    init.write_text(plugin_init(server, "", look + READY))
    # Each use has a name of its own before it, so that the place of an edit is seen in what the terminal is sent.
    uses = "".join(
        f"\n    # part\n    for item in items:\n        item *= {NAME}\n    print({n})\n" for n in range(USES)
    )
    file = folder / "example.py"
    file.write_text(f"def total(items, {NAME}):\n    result = 0\n{uses}")
    command = [str(installed(version)), "--clean", "-n", "-u", str(init), str(file)]
    home = {f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    terminal = Terminal(command, {**os.environ, **home, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
    drawn = "38;2;18;52;86"  # the colour of what comes
    try:
        terminal.until("SERVER READY", 20)
        terminal.write(b":call cursor(1, 18)\rcwbound\x1b")
        terminal.until(drawn)
        waits = []
        for _ in range(USES - 1):
            terminal.drain(READING_S)
            terminal.write(b"\t")  # goes there
            terminal.drain(READING_S)
            terminal.out = b""
            start = time.perf_counter()
            terminal.write(b"\t")  # accepts
            waits.append(1000 * (terminal.until(drawn) - start))
        return waits
    finally:
        terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file, too")
    arguments = parser.parse_args()
    rows = []
    for version in ("0.12", "0.11"):
        waits: list[float] = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                waits += measure(version, Path(folder))
        waits.sort()
        row = {
            "case": f"plugin, {version}",
            "tabs": len(waits),
            "p50_ms": round(statistics.median(waits), 1),
            "max_ms": round(waits[-1], 1),
            "within_30_ms": sum(wait <= 30 for wait in waits),
        }
        rows.append(row)
        print(*(f"{name} {value}" for name, value in row.items()), sep="  ")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
