"""Tab to the next edit on VS Code's screen, for a chain of four edits (tests/benchmarks/next_edits.py measures it).

A parameter is renamed once. Each Tab that accepts an edit counts: from the key to the picture with the next edit, or
with its hint. The model is scripted and takes 150 ms.
"""

from __future__ import annotations

import time

from vscode_driver import Editor
from vscode_pictures import presses

READING_S = 0.6
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
