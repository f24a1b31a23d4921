"""The candidates: the ways in which a model's text can be inserted at a place. `tabspec.fitting.judge` chooses one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tabspec.fitting.brackets import unmatched
from tabspec.text import is_word

# Characters that close something, or end a statement, in some language. Editors insert them after the cursor
# automatically.
_CLOSING = frozenset(")]}>\"'`%/;:,")
_ENDING = _CLOSING | frozenset(" \t\n")
# Those of them whose lines the parser judges. Lines with a quote, such as the end of a docstring, are not said twice.
_BRACKETS = frozenset(")]}>;, \t\n")
_SELDOM_TWICE = frozenset(".\"'`([{")
_TAG = re.compile(r"</[\w.:-]*>|/>|-->|\*/|%\}|\?>")
_CLOSERS = re.compile(rf"(?:{_TAG.pattern}|[{re.escape(''.join(sorted(_CLOSING)))}])+")
# How many closing characters are tried as cuts, from the end of the text. Useful suggestions have no more.
_MOST_CUTS = 6
# Letters and digits that are not repeated on purpose, and characters of a whole rest of a line.
_SURELY, _SURELY_WHOLE = 6, 4
# Characters of a line that says again how a line below begins.
_SHORTEST_BEGINNING = 4
# Characters after the cursor that a text may replace.
_LONGEST_TAIL = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """``text`` in place of ``replaced`` characters after the cursor. ``repeats``: it repeats text after the cursor;
    ``surely``: more than is ever meant to stand twice. ``cut``: a part of the model's text is left out that does not
    follow the cursor already."""

    text: str
    replaced: int = 0
    repeats: bool = False
    cut: bool = False
    surely: bool = False

    def ends_alike(self, rest: str) -> bool:
        """Whether the text ends as what it replaces: with the same characters, not counting blanks. Of characters that
        close something, the last one is enough: `b" + c;` in place of `";`."""
        taken = rest[: self.replaced].split()
        last = taken[-1][-1:] if taken and _CLOSERS.fullmatch("".join(taken)) else "".join(taken)
        return "".join(self.text.split()).endswith(last)


def candidates(text: str, rest: str, below: list[str]) -> list[Candidate]:
    """The ways to insert ``text`` before ``rest``, the rest of the cursor's line. ``below`` are the lines after it that
    are not blank, stripped."""
    lines = _without_lines_below(text, rest, below)
    found = dict.fromkeys(_all(text, lines, rest))
    if not _repeats_surely(text if lines is None else lines, rest):
        return list(found)
    return [replace(each, surely=each.repeats or _repeats_surely(each.text, rest[each.replaced :])) for each in found]


def _all(text: str, lines: str | None, rest: str) -> Iterator[Candidate]:
    overlaps = _overlaps(text, rest)
    again = max((size for size in overlaps if _counts(text[len(text) - size :])), default=0)
    lines_again = lines is not None and (bool(rest.strip()) or not _BRACKETS.issuperset(text[len(lines) :]))
    yield Candidate(text, repeats=lines_again or again > 0)
    if lines is not None:
        yield Candidate(lines, repeats=bool(rest.strip()))
        for size in _overlaps(lines, rest):
            yield Candidate(lines[:-size])
    for size in overlaps:
        yield Candidate(text[:-size], repeats=again > size or (lines_again and bool(rest.strip())))
    blanks = len(rest) - len(rest.lstrip())
    for size in _overlaps(text, rest.lstrip()) if blanks else ():
        if text[: len(text) - size].rstrip(" \t").endswith("\n"):  # a line of its own, where the rest has blanks
            yield Candidate(text, blanks + size)
    for piece in dict.fromkeys((text, lines or text)):
        for taken in _taken_over(piece, rest):
            yield Candidate(piece, taken, repeats=again > taken or (piece is text and lines_again))
            for size in () if again else _overlaps(piece, rest[taken:]):  # closers are taken over, and then it repeats
                if _counts(piece[len(piece) - size :]):
                    yield Candidate(piece[:-size], taken)
    for at in _closings(text):
        for end in (at, at + 1):
            if 0 < end < len(text):
                piece = text[:end]
                yield Candidate(piece, cut=True)
                yield from (Candidate(piece, taken, cut=True) for taken in _taken_over(piece, rest))


def _counts(overlap: str) -> bool:
    """Whether an overlap is more than closing characters, which are the parser's to judge. One sign alone may be
    another one of its kind, but seldom a quote, a dot or an opening bracket."""
    return overlap in _SELDOM_TWICE or (len(overlap) > 1 and not _ENDING.issuperset(overlap)) or overlap.isalnum()


def _repeats_surely(text: str, rest: str) -> bool:
    """Whether ``text`` repeats more of ``rest`` at its end than is ever meant to stand twice."""
    overlap = text[len(text) - max(_overlaps(text, rest), default=0) :]
    letters = sum(map(str.isalnum, overlap))
    return letters >= _SURELY or (letters > 0 and len(overlap) >= _SURELY_WHOLE and overlap == rest.rstrip())


def _overlaps(text: str, rest: str) -> list[int]:
    """Lengths of the suffixes of ``text`` that are prefixes of ``rest``, the longest first."""
    tail = rest.rstrip()
    found = []
    for size in range(min(len(text), len(tail)), 0, -1):
        if not text.endswith(tail[:size]) or not tail[:size].strip():
            continue
        whole = size == len(tail)
        if whole or not _in_word(tail, size):
            start = len(text) - size
            if not _in_word(text, start) or (whole and size > 1):
                found.append(size)
    return found


def _in_word(text: str, at: int) -> bool:
    """Whether ``at`` is inside a word."""
    return 0 < at < len(text) and is_word(text[at - 1]) and is_word(text[at])


def _taken_over(text: str, rest: str) -> list[int]:
    """How many characters of ``rest`` the text may replace because it contains them in the same order: closing
    brackets, quotes and tags, or the whole rest."""
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
    """The offsets at which ``text`` closes something that it has not opened."""
    unopened = unmatched(text)[0]
    quotes = [i for i, char in enumerate(text) if char in "\"'`>" and text[i - 1 : i] != "\\"]
    return sorted({*unopened, *quotes})[-_MOST_CUTS:]


def _without_lines_below(text: str, rest: str, below: list[str]) -> str | None:
    """``text`` without its last lines if these repeat the lines below the cursor's; None if they do not.

    Lines of closing brackets count, too. The parser judges whether one is missing then. Before a rest of the cursor's
    line, the lines that are kept must end with it.
    """
    lines = text.rstrip().split("\n")
    if len(lines) < 2 or not below:
        return None
    for keep in range(1, len(lines)):
        tail = [line.strip() for line in lines[keep:] if line.strip()]
        if tail and _stand_below(tail, below) and lines[keep - 1].rstrip().endswith(rest.strip()):
            return "\n".join(lines[:keep])
    return None


def _stand_below(lines: list[str], below: list[str]) -> bool:
    """Whether ``lines`` are the first lines of ``below``. Of the last one, a beginning is enough."""
    *whole, last = lines
    if len(lines) > len(below) or whole != below[: len(whole)]:
        return False
    found = below[len(whole)]
    return found == last or (len(last) >= _SHORTEST_BEGINNING and found.startswith(last))
