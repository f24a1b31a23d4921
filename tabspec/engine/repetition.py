"""Repetition: small models go round in circles, and say again what stands below the cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence

# The same piece four times in a row.
_CIRCLE = re.compile(r"(.{2,40}?)\1{3,}", re.DOTALL)
# Shorter lines (`else:`, `})`, `pass`) stand one below the other in good code.
_SHORTEST = 10


def cut_repetition(before: str, text: str, below: Sequence[str]) -> str:
    """``text`` up to where it begins to repeat itself, or the next line below the cursor's.

    ``before`` is the cursor's line up to it, ``below`` the lines that follow that line.
    """
    for circle in _CIRCLE.finditer(text):
        if any(map(str.isalnum, circle.group(1))):  # a rule of signs, or indentation, is meant
            text = text[: circle.end(1)]
            break
    following = next((line.strip() for line in below if line.strip()), "")
    if len(following) < _SHORTEST:
        return text
    start = 0
    for number, line in enumerate(text.split("\n")):
        whole = before + line if number == 0 else line
        if whole.strip() == following:
            return text[: max(start - 1, 0)]
        start += len(line) + 1
    return text
