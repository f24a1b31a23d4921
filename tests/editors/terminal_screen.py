"""What a terminal shows: its characters and their looks, read from `tmux capture-pane -e`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Look:
    """How one cell looks. Colours are "#rrggbb", or "" for the terminal's own; only 24-bit colours are told apart."""

    foreground: str = ""
    background: str = ""
    bold: bool = False
    italic: bool = False
    reverse: bool = False
    struck: bool = False


@dataclass(frozen=True)
class Screen:
    """One capture. ``rows`` are as long as something is in them; columns count characters, not cells."""

    rows: tuple[str, ...]
    looks: tuple[tuple[Look, ...], ...]
    cursor: tuple[int, int]  # row, column from 0, in cells

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows)

    def runs(self) -> list[tuple[int, int, str, Look]]:
        """Pieces of one look, in reading order: (row, column, text, look)."""
        found = []
        for number, (row, looks) in enumerate(zip(self.rows, self.looks, strict=True)):
            start = 0
            for column in range(1, len(row) + 1):
                if column == len(row) or looks[column] != looks[start]:
                    found.append((number, start, row[start:column], looks[start]))
                    start = column
        return found

    def coloured(self, colour: str) -> list[tuple[int, int, str]]:
        """Pieces in this foreground colour: (row, column, text)."""
        return [(row, column, text) for row, column, text, look in self.runs() if look.foreground == colour]

    def coloured_text(self, colour: str) -> str:
        """The text in this colour, a line for each piece."""
        return "\n".join(text for _, _, text in self.coloured(colour)).rstrip()


_ESCAPE = re.compile(r"\x1b\[([\d;]*)m|\x1b\[[\d;?]*[A-Za-z]|\x1b[()].|[\x0e\x0f]")


def parse_screen(captured: str, cursor: tuple[int, int]) -> Screen:
    """Read what `tmux capture-pane -e` prints. Looks go on over line ends."""
    rows, looks, look = [], [], Look()
    for line in captured.split("\n"):
        row, row_looks, at = "", [], 0
        for match in [*_ESCAPE.finditer(line), None]:
            plain = line[at : match.start() if match else None]
            row += plain
            row_looks += [look] * len(plain)
            if match:
                at = match.end()
                look = _changed(look, match[1]) if match[1] is not None else look
        rows.append(row)
        looks.append(tuple(row_looks))
    return Screen(tuple(rows), tuple(looks), cursor)


_SIMPLE = {
    0: Look().__dict__,
    1: {"bold": True},
    3: {"italic": True},
    7: {"reverse": True},
    9: {"struck": True},
    22: {"bold": False},
    23: {"italic": False},
    27: {"reverse": False},
    29: {"struck": False},
    39: {"foreground": ""},
    49: {"background": ""},
}


def _changed(look: Look, codes: str) -> Look:
    """``look`` after one SGR sequence."""
    numbers = [int(code or 0) for code in codes.split(";")]
    at = 0
    while at < len(numbers):
        code = numbers[at]
        if code in (38, 48):
            direct = numbers[at + 1 : at + 2] == [2]
            if direct:
                colour = "#" + "".join(f"{part:02x}" for part in numbers[at + 2 : at + 5])
                look = replace(look, **{"foreground" if code == 38 else "background": colour})
            at += 5 if direct else 3
            continue
        look = replace(look, **_SIMPLE.get(code, {}))
        at += 1
    return look
