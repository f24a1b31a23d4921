"""The screen, frame by frame (`watch` in vscode_driver.js): notes of keys and of pictures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Note = dict[str, Any]
"""``{"at": ms, "key": …}``; or, for a picture unlike the last one, ``{"at": ms, "lines": [...], "ghost": …}``."""


@dataclass(frozen=True)
class Press:
    """A key, the picture in which it was pressed and those that followed it until the next key."""

    at: float
    before: Note
    pictures: list[Note]

    @property
    def latency(self) -> float:
        """Milliseconds from the key to the last of the pictures."""
        return float(self.pictures[-1]["at"]) - self.at


def presses(notes: list[Note]) -> list[Press]:
    """The keys of ``notes``, which begin with a picture."""
    keys = [i for i, note in enumerate(notes) if "key" in note]
    ends = [*keys[1:], len(notes)]
    return [Press(notes[i]["at"], notes[i - 1], notes[i + 1 : end]) for i, end in zip(keys, ends, strict=True)]
