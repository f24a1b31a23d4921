"""Tab to the next edit on the screen, for a chain of four, with speculation and without, side by side in one run.

    PYTHONPATH=.:lsp python tests/editors/vscode_edit_latency.py [ROUNDS]

A parameter is renamed once. Each Tab that accepts an edit counts: from the key to the picture with the next edit, or
with its hint. The model is scripted and takes 150 ms. Writes build/artifacts/vscode/edit-latency.json.
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
GOAL_MS = 80
SCRIPT = {"target": "", "prefill_s": 0.15}


def filler(name: str, lines: int) -> str:
    """Lines between the uses: changes at most two lines apart would be one edit."""
    return "".join(f"    {name}{i} = {i}\n" for i in range(lines))


USES = ("tax = {} * 0.2", "print({})", "log({})", "return {}")
TEXT = "def price(total):\n" + "".join(
    filler("abcd"[i], 4) + f"    {use.format('total')}\n" for i, use in enumerate(USES)
)
CHAIN = [use.format("amount") for use in USES]


def one_window(editor: Editor) -> list[float]:
    """Milliseconds for each Tab that accepts an edit and has another one follow."""
    editor.ready().press("Control+Home", *["ArrowRight"] * len("def price("), *["Delete"] * len("total"))
    editor.type("amount")
    editor.until("box", CHAIN[0])
    editor.look("watch", True)
    editor.until("painted", CHAIN[0], "box")
    for shown in CHAIN[1:]:
        editor.press("Tab")  # goes there
        time.sleep(READING_S)
        editor.press("Tab")
        editor.until("painted", shown, "box")
        time.sleep(READING_S)
    return [press.latency for press in presses(editor.look("watched")) if press.pictures]


def main(rounds: int) -> None:
    latencies: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    with tempfile.TemporaryDirectory() as name, code_server(Path(name)) as server:
        for turn in range(rounds):
            for policy in POLICIES:
                folder = Path(name) / f"{policy}-{turn}"
                folder.mkdir()
                latencies[policy] += one_window(Editor(server, folder, SCRIPT, TEXT, **{"tabspec.policy": policy}))
    figures = {
        policy: {"median": round(statistics.median(found), 1), "worst": round(max(found), 1), "all": found}
        for policy, found in latencies.items()
    }
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / "edit-latency.json").write_text(json.dumps({"unit": "ms", "goal": GOAL_MS, **figures}, indent=1))
    for policy, figure in figures.items():
        print(
            f"Tab to the next edit, {policy}: median {figure['median']} ms, worst {figure['worst']} ms (goal {GOAL_MS})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
