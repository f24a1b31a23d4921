"""The ways in which a model's text may be offered at a place. `tabspec.fitting.judge` chooses one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tabspec.fitting.brackets import unmatched

# Characters that close something in one language or another, or end a statement: what an editor may have put after the
# cursor by itself.
_CLOSING = frozenset(")]}>\"'`%/;:,")
_BRACKETING = _CLOSING | frozenset("([{< \t\n")
_TAG = re.compile(r"</[\w.:-]*>|/>|-->|\*/|%\}|\?>")
# Closing places at which a text may be cut: the last ones. More do not occur in one suggestion that is worth keeping.
_MOST_CUTS = 6
# Characters after the cursor that a text may bring along itself.
_LONGEST_TAIL = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """``text`` in place of ``replaced`` characters after the cursor. ``repeats``: it says again what stands after it;
    ``cut``: less than the model's whole text is offered, though what is left out does not stand there."""

    text: str
    replaced: int = 0
    repeats: bool = False
    cut: bool = False

    def ends_alike(self, rest: str) -> bool:
        """Whether the text ends with just what it replaces."""
        return "".join(self.text.split()).endswith("".join(rest[: self.replaced].split()))


def candidates(text: str, rest: str, below: list[str]) -> list[Candidate]:
    """The ways to offer ``text`` before ``rest``, the rest of the cursor's line, and the lines ``below`` it (those with
    something on them, without blanks around them)."""
    found = dict.fromkeys(_all(text, rest, below))
    return list(found)


def _all(text: str, rest: str, below: list[str]) -> Iterator[Candidate]:
    lines = _without_lines_below(text, rest, below)
    overlaps = _said_again(text, rest)
    again = max((size for size in overlaps if _counts(text[len(text) - size :])), default=0)
    lines_again = lines is not None and _counts(text[len(lines) :])
    yield Candidate(text, repeats=lines_again or again > 0)
    if lines is not None:
        yield Candidate(lines)
    for size in overlaps:
        yield Candidate(text[:-size], repeats=again > size)
    blanks = len(rest) - len(rest.lstrip())
    for size in _said_again(text, rest.lstrip()) if blanks else ():
        if text[: len(text) - size].rstrip(" \t").endswith("\n"):  # a line of its own, where the rest has blanks
            yield Candidate(text, blanks + size)
    for piece in dict.fromkeys((text, lines or text)):
        for taken in _taken_over(piece, rest):
            yield Candidate(piece, taken, repeats=again > taken or (piece is text and lines_again))
    for at in _closings(text):
        for end in (at, at + 1):
            if 0 < end < len(text):
                piece = text[:end]
                yield Candidate(piece, cut=True)
                yield from (Candidate(piece, taken, cut=True) for taken in _taken_over(piece, rest))


def _counts(overlap: str) -> bool:
    """Whether an overlap is more than brackets and closing characters: those are the parser's to judge. One sign alone
    may be another one of its kind."""
    return any(char.isalnum() for char in overlap) or (len(overlap) > 1 and not _BRACKETING.issuperset(overlap))


def _said_again(text: str, rest: str) -> list[int]:
    """Lengths of the ends of ``text`` that stand at the beginning of ``rest``, the longest first."""
    tail = rest.rstrip()
    found = []
    for size in range(min(len(text), len(tail)), 0, -1):
        if not text.endswith(tail[:size]) or not tail[:size].strip():
            continue
        whole = size == len(tail)
        if whole or not _in_word(tail, size):
            start = len(text) - size
            if not _in_word(text, start) or (whole and size > 2):
                found.append(size)
    return found


def _in_word(text: str, at: int) -> bool:
    """Whether a word goes on from before ``at`` to after it."""
    return 0 < at < len(text) and _word(text[at - 1]) and _word(text[at])


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _taken_over(text: str, rest: str) -> list[int]:
    """How many characters of ``rest`` the text may replace, since it has them itself, in their order: closing brackets,
    quotes and tags, or all that stands there."""
    found = []
    at, tail = 0, rest.rstrip()
    while at < min(len(rest), _LONGEST_TAIL):
        if tag := _TAG.match(rest, at):
            at = tag.end()
        elif rest[at] in _CLOSING or rest[at] in " \t":
            at += 1
        else:
            break
        if rest[at - 1] not in " \t" and _is_subsequence(rest[:at], text):
            found.append(at)
    whole = len(tail)
    if (
        whole
        and whole not in found
        and ((whole > 1 and tail in text[:-1]) or (text.endswith(tail) and not _counts(tail)))
    ):
        found.append(whole)
    return found


def _is_subsequence(piece: str, text: str) -> bool:
    chars = iter(text)
    return all(char in chars for char in piece if char not in " \t")


def _closings(text: str) -> list[int]:
    """Where ``text`` closes what it has not opened."""
    unopened = unmatched(text)[0]
    quotes = [i for i, char in enumerate(text) if char in "\"'`>" and text[i - 1 : i] != "\\"]
    return sorted({*unopened, *quotes})[-_MOST_CUTS:]


def _without_lines_below(text: str, rest: str, below: list[str]) -> str | None:
    """``text`` without its last lines, where they are those that stand below the cursor's line; None if they are not.

    A line that is only closing brackets counts: whether it is missing then is judged by the parser.
    """
    lines = text.rstrip().split("\n")
    if rest.strip() or len(lines) < 2 or not below:
        return None
    for keep in range(1, len(lines)):
        tail = [line.strip() for line in lines[keep:] if line.strip()]
        if tail and tail == below[: len(tail)]:
            return "\n".join(lines[:keep])
    return None
