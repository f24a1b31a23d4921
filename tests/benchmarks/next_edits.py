"""From Tab to the next edit on the screen, in real editors: `python tests/benchmarks/next_edits.py --json OUT`.

A parameter is renamed once, and Tab is pressed until all its uses are renamed, too: one Tab goes to an edit, the next
one accepts it. The clock starts with an accepting Tab, and stops when the edit after it is on the screen: in Neovim
when its colour has come out of the terminal, in VS Code when the picture with it was painted. The model is a script
that takes 150 ms for the prompt. Neovim and VS Code, with speculation and without (policy `none`), take turns in one
run. The memory of the language server is measured after a chain, with the bundled model.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from neovim_tab import READY, Terminal, installed, plugin_init
from vscode_driver import HERE, CodeServer, Editor, code_server
from vscode_edit_latency import SCRIPT, TEXT, one_window

from tabspec.machine import git_commit, machine

PROMPT_S, READING_S, USES, ROUNDS = 0.15, 0.15, 4, 5
NAME = "limit"
DRAWN = "38;2;18;52;86"  # the colour of what comes, #123456
MIB = 1024  # kB


@dataclass
class Case:
    """One row of the table. ``goal``: milliseconds, for all Tabs."""

    name: str
    policy: str
    goal: int
    measure: Callable[[str, Path], list[float]]
    waits: list[float] = field(default_factory=list)

    def row(self) -> list[str]:
        waits = sorted(self.waits)
        within = sum(wait <= self.goal for wait in waits)
        median = statistics.median(waits)
        return [self.name, f"{median:.0f}", f"{waits[-1]:.0f}", f"{within} of {len(waits)} within {self.goal} ms"]


def in_neovim(version: str) -> Callable[[str, Path], list[float]]:
    """Milliseconds from each accepting Tab to the next edit, in a Neovim of this version."""

    def measure(policy: str, folder: Path) -> list[float]:
        script = folder / "script.json"
        script.write_text(json.dumps({"any": True, "prefill_s": PROMPT_S}))
        server = [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]
        init = folder / "init.lua"
        look = "vim.api.nvim_set_hl(0, 'TabspecInserted', { fg = '#123456' })\n"
        init.write_text(plugin_init(server, f"settings = {{ policy = '{policy}' }}", look + READY))
        # Each use has a name of its own before it, so that the place of an edit is seen in what the terminal is sent.
        uses = "".join(
            f"\n    # part\n    for item in items:\n        item *= {NAME}\n    print({n})\n" for n in range(USES)
        )
        file = folder / "example.py"
        file.write_text(f"def total(items, {NAME}):\n    result = 0\n{uses}")
        command = [str(installed(version)), "--clean", "-n", "-u", str(init), str(file)]
        home = {f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
        terminal = Terminal(command, {**os.environ, **home, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
        try:
            terminal.until("SERVER READY", 60)
            terminal.write(b":call cursor(1, 18)\rcwbound\x1b")
            terminal.until(DRAWN)
            waits = []
            for _ in range(USES - 1):
                terminal.drain(READING_S)
                terminal.write(b"\t")  # goes there
                terminal.drain(READING_S)
                terminal.out = b""
                start = time.perf_counter()
                terminal.write(b"\t")  # accepts
                waits.append(1000 * (terminal.until(DRAWN) - start))
            return waits
        finally:
            terminal.close()

    return measure


def in_vscode(server: CodeServer) -> Callable[[str, Path], list[float]]:
    return lambda policy, folder: one_window(Editor(server, folder, SCRIPT, TEXT, **{"tabspec.policy": policy}))


def memory(server: CodeServer, folder: Path) -> int:
    """MiB that the language server has in memory after a chain of edits. The bundled model has a process of its own."""
    command = [sys.executable, str(HERE / "server_tee.py"), str(folder)]
    command += [sys.executable, "-m", "tabspec_lsp.main", "--stdio"]
    editor = Editor(server, folder, {}, TEXT, **{"tabspec.server.command": command})
    one_window(editor)
    lines = Path(f"/proc/{editor.server_process()}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / MIB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file, too")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"chains of four edits for each case ({ROUNDS})")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, code_server(Path(name)) as server:
        cases = [
            Case("Neovim 0.12", "adaptive", 30, in_neovim("0.12")),
            Case("Neovim 0.11", "adaptive", 30, in_neovim("0.11")),
            Case("VS Code 1.139 in headless Chromium", "adaptive", 80, in_vscode(server)),
            Case("Neovim 0.12, without speculation", "none", 300, in_neovim("0.12")),
            Case("VS Code, without speculation", "none", 300, in_vscode(server)),
        ]
        for turn in range(arguments.rounds):
            for number, case in enumerate(cases):
                folder = Path(name) / f"{turn}-{number}"
                folder.mkdir()
                case.waits += case.measure(case.policy, folder)
        folder = Path(name) / "memory"
        folder.mkdir()
        mebibytes = memory(server, folder)
    for case in cases:
        print(*case.row(), sep="  ")
    print(f"the language server: {mebibytes} MiB (goal: 60)")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures(cases, mebibytes), indent=1) + "\n", encoding="utf-8")


def figures(cases: list[Case], mebibytes: int) -> dict[str, object]:
    """In the format of docs/benchmarks/data (scripts/make_results.py)."""
    load = os.getloadavg()[0]
    title = "From a Tab that accepts an edit to the next edit on the screen, ms. A chain of four, a model of 150 ms"
    return {
        "format": "tabspec-figures",
        "version": 1,
        "machine": f"{machine()}; load average {load:.0f}",
        "commit": git_commit(),
        "date": time.strftime("%Y-%m-%d"),
        "command": "python tests/benchmarks/next_edits.py --json OUT",
        "tables": [{"title": title, "columns": ["", "p50", "most", "goal"], "rows": [case.row() for case in cases]}],
        "notes": [f"The language server has {mebibytes} MiB in memory after a chain, the bundled model not counted."],
        "waits": {case.name: [round(wait, 1) for wait in case.waits] for case in cases},
    }


if __name__ == "__main__":
    main()
