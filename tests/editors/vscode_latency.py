"""Tab to the next ghost text on the screen, with speculation and without, side by side in one run.

    PYTHONPATH=.:lsp python tests/editors/vscode_latency.py [ROUNDS]

The model is scripted: 50 ms to the first token and 10 ms for each, as a small one on a CPU. The user reads each
suggestion for 600 ms. Writes build/artifacts/vscode/latency.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from vscode_driver import ARTIFACTS, Editor, code_server
from vscode_pictures import presses

POLICIES = ("adaptive", "none")
READING_S = 0.6
FUNCTIONS = 5
TARGET = "".join(f"def f{i}(a, b):\n    return a + {i}\n\n\n" for i in range(FUNCTIONS))
CHAIN = [part for i in range(1, FUNCTIONS) for part in (f"\n    return a + {i - 1}", f"\n\n\ndef f{i}(a, b):")]


def one_window(editor: Editor) -> list[float]:
    """Milliseconds for each Tab."""
    editor.ready().type("def")
    editor.ghost(" f0(a, b):")
    editor.look("watch")
    editor.until("painted", " f0(a, b):")
    for suggestion in CHAIN:
        time.sleep(READING_S)
        editor.press("Tab")
        editor.until("painted", suggestion)
    return [press.latency for press in presses(editor.look("watched"))]


def main(rounds: int) -> None:
    latencies: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    with tempfile.TemporaryDirectory() as name, code_server(Path(name)) as server:
        for turn in range(rounds):
            for policy in POLICIES:
                folder = Path(name) / f"{policy}-{turn}"
                folder.mkdir()
                script = {"target": TARGET, "prefill_s": 0.05, "token_s": 0.01}
                latencies[policy] += one_window(Editor(server, folder, script, **{"tabspec.policy": policy}))
    medians = {policy: round(statistics.median(found), 1) for policy, found in latencies.items()}
    figures = {"what": "Tab to the next ghost text on the screen", "unit": "ms", "median": medians, "all": latencies}
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / "latency.json").write_text(json.dumps(figures, indent=1))
    tabs = len(next(iter(latencies.values())))
    print(
        f"Tab to the next ghost text, median of {tabs}: {medians} ms; ratio {medians['none'] / medians['adaptive']:.1f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
