"""Cuts definitions of names that the block at the cursor defines already. Small models copy functions from nearby
(docs/decisions/2026-11-30-defined-again.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabspec.context import EditContext
from tabspec.syntax.languages import grammar_of
from tabspec.syntax.trees import opaque_line
from tabspec.text import indent_of

_SCRIPT = (
    r"(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?"
    r"(?P<kind>function|class|interface|enum|type|const|let|var)(?:\s*\*)?\s+(?P<of>)(?P<name>[\w$]+)"
)
_DEFINITIONS = {
    "go": r"(?P<kind>func|type|var|const)\s+(?P<of>\([^()\n]*\)\s*)?(?P<name>\w+)",
    "javascript": _SCRIPT,
    "python": r"(?:async\s+)?(?P<kind>def|class)\s+(?P<of>)(?P<name>\w+)",
    "rust": r"(?:pub(?:\([^)\n]*\))?\s+)?(?:(?:default|const|async|unsafe|extern(?:\s+\"[^\"\n]*\")?)\s+)*"
    r"(?P<kind>fn|struct|enum|union|trait|type|mod|const|static)\s+(?:mut\s+)?(?P<of>)(?P<name>\w+)",
    "tsx": _SCRIPT,
    "typescript": _SCRIPT,
}
# Fields, parameters and keys with something after the colon. Bounds of Rust's types (`T: Clone`) are no keys.
_KEY = (
    r"(?!(?:case|default|else|finally|lambda|try)\b)"
    r"(?:(?:pub(?:\([^)\n]*\))?|private|protected|public|readonly|static)\s+)*"
    r"(?P<kind>)(?P<of>)(?P<name>[^\W\d][\w$]*|\"[\w$-]+\"|'[\w$-]+')\??(?=:[ \t]+\S)"
)
_PATTERNS = {
    grammar: [
        re.compile(r"(?P<indent>[ \t]*)" + pattern)
        for pattern in (definition, r"(?![A-Z])" + _KEY if grammar == "rust" else _KEY)
    ]
    for grammar, definition in _DEFINITIONS.items()
}
# Names that a block may define more than once.
_ANY_NUMBER = frozenset({"_", "init"})
# Lines above a definition: decorators and attributes; and those of them under which a name is defined again.
_MARK = re.compile(r"\s*(?:@|#\[)")
_AGAIN = re.compile(r"\s*(?:@.*(?:overload|register|\.(?:setter|getter|deleter)\b)|#!?\[.*\bcfg)")
# Languages in which a function may stand again next to its own overloads.
_OVERLOADED = ("typescript", "tsx")


def cut_redefinition(context: EditContext, line: str, text: str) -> str:
    """``text`` up to the start of its first line that defines a name again. ``line`` is the cursor's line up to the
    cursor. A name that stands before the cursor is the author's own."""
    grammar = grammar_of(context.document)
    if grammar not in _PATTERNS:
        return text
    own = (line + text).split("\n")
    start = 0
    for number, each in enumerate(own):
        for pattern in _PATTERNS[grammar]:
            found = pattern.match(each)
            if found and start + found.end() > len(line) and _stands_twice(context, own, number, found, grammar):
                return text[: max(start - len(line) - 1, 0)]
        start += len(each) + 1
    return text


def _stands_twice(context: EditContext, own: Sequence[str], number: int, new: re.Match[str], grammar: str) -> bool:
    """Whether the block of ``new`` has a second definition like it. ``own`` are the lines of the text, the first with
    the cursor's line before it. ``new`` is in line ``number`` of them."""
    text, offset = context.document.text, context.offset
    if new["name"] in _ANY_NUMBER or (not number and new["name"] not in text):
        return False
    above = text[:offset].split("\n")[:-1]
    lines = [*above, *own[: number + 1], *text[offset:].split("\n")[1:]]
    at = len(above) + number
    if _may_stand_again(lines, at):
        return False

    def is_code(row: int) -> bool:
        if len(above) < row <= at:
            return True  # the text's own
        start = context.document.line_starts[row if row < at else row - number]
        return opaque_line(grammar, context.document, start) is None

    overloads = grammar in _OVERLOADED and new["kind"] == "function"
    rows = (row for step in (-1, 1) for row in _like(new, lines, at, step, overloads))
    return any(is_code(row) and is_code(len(above)) for row in rows)


def _like(new: re.Match[str], lines: Sequence[str], at: int, step: int, overloads: bool) -> Iterator[int]:
    """The rows from ``at`` on in one direction, in the same block, that define what ``new`` defines, and may not.
    ``overloads``: definitions next to it may."""
    for row in _rows_of_block(lines, at, len(new["indent"]), step):
        other = new.re.match(lines[row])
        if other is None or other["indent"] != new["indent"]:
            continue
        if _subject(other) != _subject(new):
            overloads = False
        elif not overloads and not _may_stand_again(lines, row):
            yield row


def _rows_of_block(lines: Sequence[str], at: int, indent: int, step: int) -> Iterator[int]:
    """The rows from ``at`` on in one direction, up to the first that is indented less than ``indent``."""
    row = at + step
    while 0 <= row < len(lines) and (len(indent_of(lines[row])) >= indent or not lines[row].strip()):
        yield row
        row += step


def _may_stand_again(lines: Sequence[str], row: int) -> bool:
    """Whether a mark above the definition in ``row`` says that its name may be defined more than once."""
    while row and _MARK.match(lines[row - 1]):
        row -= 1
        if _AGAIN.match(lines[row]):
            return True
    return False


def _subject(definition: re.Match[str]) -> tuple[str, str, str]:
    """What is defined: the kind, the type that a method of Go belongs to, and the name."""
    receiver = (definition["of"] or "").strip("() \t").partition("[")[0].split()
    return definition["kind"], receiver[-1].lstrip("*") if receiver else "", definition["name"]
