"""Chooses middles of fill-in-the-middle examples, at places where users request completions.

Each kind of cut returns the offsets of a middle. Most middles end where a completion should end: at the end of a
line or block, or at a closing bracket. So the model learns to emit the end-of-middle token there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from random import Random

Span = tuple[int, int]

LONGEST_BLOCK = 900  # characters: about 250 tokens, a quarter of the context
LONGEST_SPAN = 500
LONGEST_BRACKET = 300
MOST_LINES = 6

_OPENER = re.compile(r"[(\[{]")
_CLOSER = {"(": ")", "[": "]", "{": "}"}


def rest_of_line(text: str, at: int, rng: Random) -> Span:
    """From ``at`` to the end of the line."""
    return at, _line_end(text, at)


def whole_line(text: str, at: int, rng: Random) -> Span:
    """A line, from its first word, from its start, or from the end of the previous line."""
    return _open_line(text, _line_start(text, at), rng), _line_end(text, at)


def lines(text: str, at: int, rng: Random) -> Span:
    """Several lines."""
    end = _line_end(text, at)
    for _ in range(rng.randint(1, MOST_LINES - 1)):
        end = _line_end(text, min(end + 1, len(text)))
    return _open_line(text, _line_start(text, at), rng), end


def characters(text: str, at: int, rng: Random) -> Span:
    """From ``at`` to any later character. The logarithm of the length is uniform, so that short ones are frequent."""
    return at, min(at + round(math.exp(rng.uniform(0, math.log(LONGEST_SPAN)))), len(text))


def nothing(text: str, at: int, rng: Random) -> Span:
    """An empty middle at the end of a line, where the right suggestion is none."""
    end = _line_end(text, at)
    return end, end


def brackets(text: str, at: int, rng: Random) -> Span:
    """The text between two brackets, or its last part. Editors insert the closing bracket with the opening one."""
    opener = _OPENER.search(text, at, at + LONGEST_BRACKET)
    if opener is None:
        return rest_of_line(text, at, rng)
    inside = opener.end()
    end = _closing(text, inside, opener.group())
    if end is None:
        return rest_of_line(text, inside, rng)
    return (inside if rng.random() < 0.6 else rng.randint(inside, end)), end


def block(text: str, at: int, rng: Random) -> Span:
    """The indented block after a line that opens one. If no block is near, or all are too long, `lines`."""
    start = _line_start(text, at)
    for _ in range(12):  # lines searched for the start of a block; most blocks start within a dozen lines
        end = _line_end(text, start)
        body_end = _block_end(text, start, end)
        if body_end is not None and body_end - end <= LONGEST_BLOCK:
            return _open_line(text, end + 1, rng), body_end
        if end >= len(text):
            break
        start = end + 1
    return lines(text, at, rng)


# Kinds of cuts with their shares. As in editors, most are within a line, and many before an inserted closing bracket.
KINDS: tuple[tuple[Callable[[str, int, Random], Span], float], ...] = (
    (rest_of_line, 0.31),
    (whole_line, 0.17),
    (characters, 0.13),
    (block, 0.14),
    (lines, 0.09),
    (brackets, 0.12),
    (nothing, 0.04),
)


def choose_middle(text: str, start: int, end: int, rng: Random) -> Span:
    """The offsets of a random middle that begins in or near ``text[start:end]``."""
    (kind,) = rng.choices([k for k, _ in KINDS], [share for _, share in KINDS])
    start, end = min(start, len(text)), min(end, len(text))
    first, last = kind(text, rng.randrange(start, max(end, start + 1)), rng)
    return first, max(first, last)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return end if end >= 0 else len(text)


def _indentation(text: str, start: int) -> int:
    at = start
    while at < len(text) and text[at] in " \t":
        at += 1
    return at - start


def _open_line(text: str, start: int, rng: Random) -> int:
    """A cursor for a new line: after its indentation, at its start, or at the end of the previous line."""
    place = rng.random()
    if place < 0.55:
        return min(start, len(text)) + _indentation(text, start)
    return min(start, len(text)) if place < 0.7 else max(start - 1, 0)


def _closing(text: str, inside: int, opener: str) -> int | None:
    closer, depth = _CLOSER[opener], 1
    for at in range(inside, min(inside + LONGEST_BRACKET, len(text))):
        if text[at] == opener:
            depth += 1
        elif text[at] == closer:
            depth -= 1
            if depth == 0:
                return at
    return None


def _block_end(text: str, start: int, end: int) -> int | None:
    """The end of the lines after ``text[start:end]`` that are indented deeper. None if there are none."""
    if start == end:
        return None
    outer, at, last = _indentation(text, start), end + 1, None
    while at < len(text) and at - end <= 2 * LONGEST_BLOCK:
        stop = _line_end(text, at)
        if text[at:stop].strip():
            if _indentation(text, at) <= outer:
                break
            last = stop
        at = stop + 1
    return last
