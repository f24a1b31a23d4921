"""An element was added between two others of a list: it is added between their counterparts in other lists, too.

A parameter, a field and its assignment, an enum's variant and the arm that matches it, a name and its entry in
``__all__``: such lists are *parallel* if two neighbouring lines of one differ in the same names as two of the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.tokens import is_identifier, occurrences, subwords, tokens
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, indent_of, uses_crlf

# Longer lines are no element of a list, and shorter names are no names of their own (`x`, `id` of `ids`).
_MOST_CHARS = 160
_LEAST_NAME = 3
# A name that is used more often is too common to tell a list by.
_MOST_USES = 400
# More lists than this are changed by a tool.
_MOST_LISTS = 20
# Lines above and below a place that are read for the name: longer lists are data.
_MOST_LINES = 50
# Indices in `_forms` of forms in lower case, which are the same text where a name has one word.
_LOWER = (1, 5, 6)
_IMPORT = re.compile(r"\s*(?:from|import|use|export|pub use|mod|#include)\b")


@dataclass(frozen=True)
class Added:
    """The name of an element that was added, and those of the elements before and after it."""

    name: str
    before: str
    after: str


def parallel(steps: Sequence[Step], document: Document) -> Iterator[Found]:
    """Where the counterpart of an added element is missing in this document."""
    lines: Sequence[str] = ()
    for text, line in _added(steps, document.uri):
        lines = lines or [document.line(number) for number in range(document.line_count)]
        added = _element(lines, text, line)
        if added is not None:
            yield from _missing(added, lines, document)


def _added(steps: Sequence[Step], uri: str) -> list[tuple[str, int]]:
    """The lines that these steps have added to a document, as they were last, with their numbers; the latest first."""
    added: dict[str, int] = {}
    for step in steps:
        if step.uri != uri:
            continue
        old, new = list(step.old_lines), list(step.new_lines)
        line = step.line
        while old and new and old[0] == new[0]:
            del old[0], new[0]
            line += 1
        while old and new and old[-1] == new[-1]:
            del old[-1], new[-1]
        begun = len(old) == 1 and (not old[0].strip() or old[0] in added)  # a line that was not finished
        for each in old:
            added.pop(each, None)
        if len(new) == 1 and (not old or begun) and new[0].strip():
            added[new[0]] = line
    return list(reversed(added.items()))


def _element(lines: Sequence[str], text: str, line: int) -> Added | None:
    """The element on the added line, if the lines above and below it are elements of the same list. ``line`` is where
    it was added."""
    at = min((at for at, each in enumerate(lines) if each == text), key=lambda at: abs(at - line), default=0)
    if not 0 < at < len(lines) - 1 or _IMPORT.match(text):
        return None
    beside = _names(lines[at - 1], lines[at + 1])
    above, below = _names(text, lines[at - 1]), _names(text, lines[at + 1])
    if beside is None or not (above or below):
        return None
    added = Added((above or below or beside)[0], *beside)
    names = {added.name, added.before, added.after}
    return added if len(names) == 3 and all(map(subwords, names)) else None  # `___` has no other forms


def _names(line: str, other: str) -> tuple[str, str] | None:
    """The names of two elements of one list; None where the lines are not alike."""
    if not other.strip() or indent_of(line) != indent_of(other) or max(len(line), len(other)) > _MOST_CHARS:
        return None
    mine, its = ([word.text for word in tokens(each) if is_identifier(word.text)] for each in (line, other))
    pair = next(((a, b) for a, b in zip(mine, its, strict=False) if a != b), None)
    if pair is None or min(map(len, pair)) < _LEAST_NAME:
        return None
    name, known = pair
    if _end(_renaming(known, name)(other)) == _end(line):
        return pair
    # Values and types may differ: what is before the name is the same, and so is the sign after it.
    before, _, after = line.partition(name)
    head, _, tail = other.partition(known)
    first = mine[0] == name and its[0] == known
    return pair if first and before == head and after.lstrip()[:1] == tail.lstrip()[:1] else None


def _missing(added: Added, lines: Sequence[str], document: Document) -> Iterator[Found]:
    """The places where two lines are those of the elements before and after the added one, without a line for it."""
    text = document.text
    uses = sorted({at for form in {*_forms(added.before)} for at in occurrences(text, form)})[:_MOST_USES]
    pairs = [
        (_renaming(added.before, added.after, first), _renaming(added.before, added.name, first)) for first in _LOWER
    ]
    known, ending, found = _pattern(added.name), "\r\n" if uses_crlf(text) else "\n", 0
    for at in dict.fromkeys(map(document.line_at, uses)):
        line = lines[at]
        if at + 1 >= len(lines) or len(line) > _MOST_CHARS or _IMPORT.match(line):
            continue
        adds = next((adds for follows, adds in pairs if _end(follows(line)) == _end(lines[at + 1])), None)
        if adds is not None and not known.search("\n".join(_around(lines, at))):
            change = Edit(document.line_starts[at + 1], 0, adds(line) + ending)
            yield Found(document, change, EditSource.COUNTERPART, "list")
            found += 1
            if found == _MOST_LISTS:
                return


def _around(lines: Sequence[str], at: int) -> Sequence[str]:
    """The lines around one that have its indentation, without a gap."""
    start = stop = at
    first, end = max(at - _MOST_LINES, 0), min(at + _MOST_LINES, len(lines))
    while start > first and lines[start - 1].strip() and indent_of(lines[start - 1]) == indent_of(lines[at]):
        start -= 1
    while stop < end and lines[stop].strip() and indent_of(lines[stop]) == indent_of(lines[at]):
        stop += 1
    return lines[start:stop]


def _forms(name: str) -> tuple[str, ...]:
    """A name as it is, and in the conventions of languages: ``log_level``, ``LogLevel``, ``logLevel``, …"""
    words = subwords(name)
    if not words:
        return (name,)
    large = "".join(word.capitalize() for word in words)
    snake, small = "_".join(words), "".join(words)
    return name, snake, large, words[0] + large[len(words[0]) :], snake.upper(), "-".join(words), small


def _pattern(name: str) -> re.Pattern[str]:
    forms = sorted(set(_forms(name)), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))})(?!\w)")


def _renaming(old: str, new: str, first: int = 1) -> Callable[[str], str]:
    """Puts one name in the place of another in a line, in each form in which that one stands there and which the new
    one has, too. ``first`` is the form that counts where a name of one word has several alike (`_LOWER`)."""
    forms: dict[str, str] = {}
    pairs = list(zip(_forms(old), _forms(new), strict=False))
    for form, other in (*pairs[:1], *pairs[first : first + 1], *pairs):
        forms.setdefault(form, other)
    pattern = _pattern(old)
    return lambda line: pattern.sub(lambda match: forms.get(match.group(), match.group()), line)


def _end(line: str) -> str:
    """A line without the sign that parts elements, which the last one may lack."""
    return line.rstrip().rstrip(",;")
