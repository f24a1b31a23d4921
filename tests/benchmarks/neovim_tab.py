"""From Tab to the next suggestion on the screen, in real Neovims: `python tests/benchmarks/neovim_tab.py [--json OUT]`.

Neovim runs in a pseudo-terminal. The clock starts when the byte of Tab is written to it, and stops when the text of
the next suggestion, which is nowhere else, has come out of it: that is what a terminal would draw. The model is a
script that takes 50 ms for the prompt and 4 ms for a token of four characters, about what the bundled model takes on
two cores; between two Tabs 150 ms are spent reading. Side by side in one run:

- the plugin on 0.12 and 0.11, with and without speculation (policies `chain` and `cache`);
- the plugin with `backend = "builtin"`, where `vim.lsp.inline_completion` draws;
- Neovim 0.12's own `vim.lsp.inline_completion`, with no plugin, on the same server.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "editors"))

from nvim_driver import built_in_init, installed, plugin_init

READY = "vim.api.nvim_create_autocmd('LspAttach', { callback = function() vim.o.tabline = 'SERVER READY' end })"
READY += " vim.o.showtabline = 2"
READING_S = 0.15
TABS = 40
PROMPT_S, TOKEN_S = 0.05, 0.004


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    version: str
    policy: str = "chain"
    plugin: bool = True
    backend: str = "own"


CASES = (
    Case("plugin, 0.12", "0.12"),
    Case("plugin, 0.11", "0.11"),
    Case('plugin, 0.12, backend "builtin"', "0.12", backend="builtin"),
    Case("built-in, 0.12", "0.12", plugin=False),
    Case("plugin, 0.12, no speculation", "0.12", "cache"),
    Case("built-in, 0.12, no speculation", "0.12", "cache", plugin=False),
)


class Terminal:
    """Neovim in a pseudo-terminal: bytes in, bytes out."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", TABS + 20, 100, 0, 0))
        self.out = b""

    def write(self, data: bytes) -> None:
        os.write(self.fd, data)

    def until(self, text: str, seconds: float = 10.0) -> float:
        """Read until ``text`` has come out since the last call; the time when it had."""
        deadline = time.perf_counter() + seconds
        wanted = text.encode()
        while wanted not in self.out:
            left = deadline - time.perf_counter()
            if left <= 0:
                raise TimeoutError(
                    f"{text!r} was not drawn within {seconds} s; the last output was {self.out[-300:]!r}"
                )
            if select.select([self.fd], [], [], left)[0]:
                self.out += os.read(self.fd, 1 << 16)
        now = time.perf_counter()
        self.out = b""
        return now

    def drain(self, seconds: float) -> None:
        """Read what comes within this time."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                self.out += os.read(self.fd, 1 << 16)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        try:
            while os.read(self.fd, 1 << 16):
                pass
        except OSError:  # the terminal is gone
            pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def measure(case: Case, folder: Path) -> list[float]:
    """Milliseconds from each Tab to the next suggestion."""
    lines = [f"value_{i} = compute({i}00)" for i in range(TABS + 2)]
    script = folder / "script.json"
    script.write_text(json.dumps({"target": "\n".join(lines) + "\n", "prefill_s": PROMPT_S, "token_s": TOKEN_S}))
    server = [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{script}"]
    init = folder / "init.lua"
    make = plugin_init if case.plugin else built_in_init
    options = f"settings = {{ policy = '{case.policy}' }}, backend = '{case.backend}'"
    init.write_text(make(server, options, READY))
    file = folder / "example.py"
    file.write_text("")
    command = [str(installed(case.version)), "--clean", "-n", "-u", str(init), str(file)]
    home = {f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    terminal = Terminal(command, {**os.environ, **home, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
    try:
        terminal.until("SERVER READY", 20)
        terminal.write(b"ivalue_0 =")
        terminal.until("compute(000)")
        waits = []
        for line in lines[1 : TABS + 1]:
            terminal.drain(READING_S)
            start = time.perf_counter()
            terminal.write(b"\t")
            waits.append(1000 * (terminal.until(line) - start))
        return waits
    finally:
        terminal.close()


def summary(case: Case, waits: list[float]) -> dict[str, object]:
    ordered = sorted(waits)
    return {
        "case": case.name,
        "policy": case.policy,
        "tabs": len(ordered),
        "p50_ms": round(statistics.median(ordered), 1),
        "p90_ms": round(ordered[int(0.9 * len(ordered))], 1),
        "max_ms": round(ordered[-1], 1),
        "within_30_ms": sum(wait <= 30 for wait in ordered),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file, too")
    arguments = parser.parse_args()
    rows = []
    print(f"{'':32}{'p50':>8}{'p90':>8}{'max':>8}   within 30 ms")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            row = summary(case, measure(case, Path(folder)))
        rows.append(row)
        figures = "".join(f"{row[name]:8}" for name in ("p50_ms", "p90_ms", "max_ms"))
        print(f"{case.name:32}{figures}   {row['within_30_ms']} of {row['tabs']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
