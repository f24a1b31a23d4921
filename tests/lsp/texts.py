"""Random edits as an editor makes them, computed here a second time, from the text in UTF-16 alone."""

from __future__ import annotations

import random
import re
from typing import Any

PIECES = ["a", "word", " ", "\n", "\r\n", "\r", "😀", "é", "\u2028", "中文", "👩‍👩‍👧", "\t", "()", ""]

_LINE_END = re.compile(r"\r\n|\n|\r")


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def position(text: str, offset: int) -> dict[str, int]:
    """The place of a code-point offset, counted from the beginning."""
    line, start = 0, 0
    for end in _LINE_END.finditer(text):
        if end.end() > offset:
            break
        line, start = line + 1, end.end()
    return {"line": line, "character": utf16(text[start:offset])}


def random_change(text: str, rng: random.Random) -> tuple[dict[str, Any], str]:
    """A content change, and the text after it."""
    if rng.random() < 0.02:
        new = "".join(rng.choices(PIECES, k=rng.randrange(40)))
        return {"text": new}, new
    # No editor puts a cursor between \r and \n.
    places = [i for i in range(len(text) + 1) if text[i - 1 : i + 1] != "\r\n"] if len(text) < 2000 else None
    if places:
        start, end = sorted(rng.choices(places, k=2))
    else:
        start, end = len(text), len(text)
    if rng.random() < 0.7:
        end = start
    if len(text) > 1000 and rng.random() < 0.1:
        start, end = 0, max(place for place in (places or [0]) if place <= len(text) - 100)
    new = "".join(rng.choices(PIECES, k=rng.randrange(4)))
    change = {"range": {"start": position(text, start), "end": position(text, end)}, "text": new}
    return change, text[:start] + new + text[end:]
