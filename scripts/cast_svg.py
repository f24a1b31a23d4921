"""An asciinema recording as an animated SVG that needs nothing else: `python scripts/cast_svg.py IN.cast OUT.svg`.

Reads casts of `scripts/record-demo.py`: each output event is a whole screen, each input event a key's name. The frames
lie side by side on a strip that CSS moves in steps (the way that termtosvg and svg-term have shown to work where
images run no scripts). A row that looks the same in many frames is drawn once and referred to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "editors"))

from terminal_screen import Look, Screen, parse_screen

CLEAR = "\x1b[H\x1b[2J"
SHOWN_KEYS = {"Tab": "Tab ⇥"}
KEY_S = 0.45  # how long a key's cap is shown: long enough to be read, short enough to tell two Tabs apart
END_S = 3.0  # how long the last screen stays before it starts again

CELL_W, CELL_H = 8.4, 19.0  # of a monospaced font of 14 px
PAD, BAR = 14.0, 34.0
FOREGROUND, BACKGROUND = "#e0e2ea", "#14161b"  # Neovim's own dark scheme


@dataclass(frozen=True)
class Frame:
    """What is seen from ``time`` (seconds) on: a screen, and the key that was pressed last, if it is still shown."""

    time: float
    screen: Screen
    key: str


def screen_event(screen_text: str, cursor: tuple[int, int]) -> str:
    """The output event for a whole screen, as `tmux capture-pane -e` gives it."""
    rows = screen_text.replace("\n", "\r\n")
    return f"{CLEAR}{rows}\x1b[0m\x1b[{cursor[0] + 1};{cursor[1] + 1}H"


def frames(events: list[tuple[float, str, str]]) -> list[Frame]:
    """The frames of a recording, none like the one before it."""
    changes: list[tuple[float, str, Any]] = []
    for time, kind, data in events:
        if kind == "o":
            changes.append((time, "screen", _read(data)))
        elif kind == "i" and data in SHOWN_KEYS:
            changes += [(time, "key", data), (time + KEY_S, "over", time)]
    screen, key, since = None, "", 0.0
    found: list[Frame] = []
    for time, kind, value in sorted(changes, key=lambda change: change[0]):
        if kind == "screen":
            screen = value
        elif kind == "key":
            key, since = value, time
        elif since == value:
            key = ""
        if screen and (not found or (found[-1].screen, found[-1].key) != (screen, key)):
            found.append(Frame(time, screen, key))
    return found


def _read(data: str) -> Screen:
    body, _, position = data.removeprefix(CLEAR).rpartition("\x1b[")
    row, column = (int(number) - 1 for number in position.rstrip("H").split(";"))
    return parse_screen(body.replace("\r\n", "\n"), (row, column))


class Strip:
    """Collects the rows, looks and frames of one picture."""

    def __init__(self, columns: int, lines: int, title: str) -> None:
        self.columns, self.lines, self.title = columns, lines, title
        self.width = columns * CELL_W + 2 * PAD
        self.height = lines * CELL_H + BAR + PAD
        self._rows: dict[str, str] = {}  # what a row draws -> its id
        self._looks: dict[str, str] = {}  # CSS -> class

    def svg(self, shown: list[Frame]) -> str:
        """The whole picture."""
        end = shown[-1].time + END_S
        start = shown[0].time
        steps = "".join(
            f"{100 * (frame.time - start) / (end - start):.3f}%{{transform:translateX({-i * self.width:.1f}px)}}"
            for i, frame in enumerate(shown)
        )
        strip = "".join(
            f'<g transform="translate({i * self.width:.1f})">{self._frame(f)}</g>' for i, f in enumerate(shown)
        )
        rows = "".join(f'<g id="{name}">{drawn}</g>' for drawn, name in self._rows.items())
        looks = "".join(f".{name}{{{css}}}" for css, name in self._looks.items())
        dots = "".join(
            f'<circle cx="{PAD + 6 + 20 * i}" cy="{BAR / 2}" r="6" fill="{colour}"/>'
            for i, colour in enumerate(("#e06c75", "#e5c07b", "#98c379"))
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.1f} {self.height:.1f}"'
            f' width="{self.width:.0f}" height="{self.height:.0f}" role="img">'
            f"<title>{escape(self.title)}</title>"
            f"<style>text{{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre;"
            f"fill:{FOREGROUND}}}{looks}@keyframes play{{{steps}}}"
            f".strip{{animation:play {end - start:.2f}s steps(1,end) infinite}}</style><defs>{rows}</defs>"
            f'<rect width="100%" height="100%" rx="9" fill="{BACKGROUND}"/>{dots}'
            f'<text x="{self.width / 2:.1f}" y="{BAR / 2 + 5}" text-anchor="middle" opacity=".6">'
            f"{escape(self.title)}</text>"
            f'<g class="strip">{strip}</g></svg>\n'
        )

    def _frame(self, frame: Frame) -> str:
        drawn = "".join(
            f'<use href="#{self._row(tuple(pieces))}" y="{BAR + number * CELL_H:.0f}"/>'
            for number, pieces in _by_row(frame.screen)
        )
        row, column = frame.screen.cursor
        drawn += (
            f'<rect x="{PAD + column * CELL_W:.1f}" y="{BAR + row * CELL_H:.1f}" width="2" height="{CELL_H - 2}"'
            f' fill="{FOREGROUND}"/>'
        )
        return drawn + (self._key(frame.key) if frame.key else "")

    def _row(self, pieces: tuple[tuple[int, str, Look], ...]) -> str:
        drawn = ""
        for column, text, look in pieces:
            x, width = PAD + column * CELL_W, len(text) * CELL_W
            colour, ground = look.foreground, look.background
            if look.reverse:
                colour, ground = ground or BACKGROUND, colour or FOREGROUND
            if ground and ground != BACKGROUND:
                drawn += f'<rect x="{x:.1f}" width="{width:.1f}" height="{CELL_H}" fill="{ground}"/>'
            if text.strip():
                place = f'x="{x:.1f}" y="14" textLength="{width:.1f}"'
                drawn += f"<text {place}{self._class(look, colour)}>{escape(text)}</text>"
        return self._rows.setdefault(drawn, f"r{len(self._rows)}")

    def _class(self, look: Look, colour: str) -> str:
        css = f"fill:{colour};" if colour and colour != FOREGROUND else ""
        css += "font-weight:bold;" if look.bold else ""
        css += "font-style:italic;" if look.italic else ""
        css += "text-decoration:line-through;" if look.struck else ""
        return f' class="{self._looks.setdefault(css, f"c{len(self._looks)}")}"' if css else ""

    def _key(self, key: str) -> str:
        """A key's cap, in the upper right corner, where lines of code rarely reach."""
        width, height = 84, 34
        x, y = self.width - PAD - width, BAR + 4
        return (
            f'<g transform="translate({x:.1f} {y:.1f})"><rect width="{width}" height="{height}" rx="6" fill="#2d313b"'
            f' stroke="#98c379"/><text x="{width / 2}" y="22" text-anchor="middle">{SHOWN_KEYS[key]}</text></g>'
        )


def _by_row(screen: Screen) -> Iterator[tuple[int, list[tuple[int, str, Look]]]]:
    """The pieces of each row that has something to draw."""
    rows: dict[int, list[tuple[int, str, Look]]] = {}
    for row, column, text, look in screen.runs():
        if text.strip() or look.reverse or look.background not in ("", BACKGROUND):
            rows.setdefault(row, []).append((column, text, look))
    yield from rows.items()


def cast_to_svg(cast: str) -> str:
    """The animated SVG of a recording."""
    header, *lines = cast.splitlines()
    head = json.loads(header)
    events = [tuple(json.loads(line)) for line in lines if line]
    return Strip(head["width"], head["height"], head.get("title", "")).svg(frames(events))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} IN.cast OUT.svg")
    Path(sys.argv[2]).write_text(cast_to_svg(Path(sys.argv[1]).read_text(encoding="utf-8")), encoding="utf-8")
