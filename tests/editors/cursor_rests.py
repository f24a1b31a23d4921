"""The resting cursor's positions that a server was sent (`tabspec/cursorRested`), from the record of server_tee.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rest:
    """``t`` as `time.monotonic` has it; ``place`` is the file's name, the line and the character."""

    t: float
    place: tuple[str, int, int]


def rests(messages: Path) -> list[Rest]:
    """All so far, the last one last."""
    entries: list[dict[str, Any]] = [json.loads(line) for line in messages.read_text().split("\n")[:-1]]
    told = [(entry["t"], entry["message"]) for entry in entries if entry["from"] == "client"]
    return [
        Rest(t, (Path(uri).name, position["line"], position["character"]))
        for t, message in told
        if message.get("method") == "tabspec/cursorRested"
        for uri, position in [(message["params"]["uri"], message["params"]["position"])]
    ]
