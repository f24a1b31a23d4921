"""Cuts definitions of names that the block at the cursor defines already. Small models copy functions from nearby
(docs/decisions/2026-11-30-defined-again.md).

A block ends at the first line that is indented less, in both directions, and where a bracket closes what is outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, takewhile

from tabspec.context import EditContext
from tabspec.fitting.truncation import rest_of_line
from tabspec.syntax.languages import grammar_of
from tabspec.syntax.tree import SyntaxTree
from tabspec.syntax.trees import tree_of
from tabspec.text import Edit, indent_of

# TypeScript's functions have overloads, and JavaScript's `var` may stand twice.
_TYPESCRIPT = (
    r"(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?"
    r"(?P<kind>class|interface|(?:const\s+)?enum|type|const|let)\s+(?P<of>)(?P<name>(?!(?:enum|extends|from)\b)[\w$]+)"
)
_JAVASCRIPT = (
    r"(?:export\s+)?(?:default\s+)?(?:async\s+)?"
    r"(?P<kind>function|class|const|let)(?:\s*\*\s*|\s+)(?P<of>)(?P<name>(?!extends\b)[\w$]+)"
)
_DEFINITIONS = {
    "go": r"(?P<kind>func|type|var|const)\s+(?P<of>\([^()\n]*\)\s*)?(?P<name>\w+)",
    "javascript": _JAVASCRIPT,
    "python": r"(?:async\s+)?(?P<kind>def|class)\s+(?P<of>)(?P<name>\w+)",
    "rust": r"(?:pub(?:\([^)\n]*\))?\s+)?(?:(?:default|const|async|unsafe|extern(?:\s+\"[^\"\n]*\")?)\s+)*"
    r"(?P<kind>fn|struct|enum|union|trait|type|mod|const|static)\s+(?:(?:mut|ref)\s+)?(?P<of>)(?P<name>\w+)",
    "tsx": _TYPESCRIPT,
    "typescript": _TYPESCRIPT,
}
# Fields, parameters and keys with something after the colon. Bounds of Rust's types (`T: Clone`) are not keys.
_KEY = (
    r"(?!(?:case|default|else|except|finally|lambda|try)\b)"
    r"(?:(?:pub(?:\([^)\n]*\))?|private|protected|public)\s+)*(?P<kind>(?:static\s+)?)(?:readonly\s+)?"
    r"(?P<of>)(?P<name>[^\W\d][\w$]*|\"[\w$-]+\"|'[\w$-]+')\??(?=:[ \t]+\S)"
)
_TYPES_OF_RUST = r"(?![A-Z]|(?:[iu]\d+|[iu]size|f\d+|bool|char|str)\b)"
_PATTERNS = {
    grammar: [
        re.compile(r"(?P<indent>[ \t]*)" + pattern)
        for pattern in (definition, _TYPES_OF_RUST + _KEY if grammar == "rust" else _KEY)
    ]
    for grammar, definition in _DEFINITIONS.items()
}
# Names that a block may define more than once.
_ANY_NUMBER = frozenset({"_", "init"})
# Decorators and attributes under which a name may be defined again. So may one under a decorator of its own name
# (`@name.setter`).
_AGAIN = re.compile(r"\s*(?:@.*\b(?:overload|register|dispatch|given|when|then|step)\b|#!?\[.*\b(?:cfg|rustversion)\b)")
# Lines that belong to the definition below them: decorators, attributes and comments.
_ABOVE = re.compile(r"\s*(?:@|#|//|/\*|\*)")
_BRACKETS = re.compile(r"[()\[\]{}]")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])'")


def cut_redefinition(context: EditContext, line: str, text: str) -> str:
    """``text`` up to its first line that defines a name again, and to what belongs to that definition above it.
    ``line`` is the cursor's line up to the cursor. A name that the author has typed in full is the author's own."""
    grammar = grammar_of(context.document)
    if grammar not in _PATTERNS:
        return text
    rest = rest_of_line(context)
    own = (line + text + rest).split("\n")
    starts = [0, *accumulate(len(each) + 1 for each in own)]
    place = None
    for number, each in enumerate(own):
        for pattern in _PATTERNS[grammar]:
            new = pattern.match(each)
            if new is None or starts[number] + new.end() <= len(line) or new["name"] in _ANY_NUMBER:
                continue
            place = place or _Filled(context, grammar, text, rest)
            if place.has_twice(new, number):
                above = takewhile(_ABOVE.match, reversed(own[:number]))
                return text[: max(starts[number - len(list(above))] - len(line) - 1, 0)]
    return text


@dataclass(frozen=True)
class _Filled:
    """The document with the ``text`` at the cursor, before the ``rest`` of the cursor's line."""

    context: EditContext
    grammar: str
    text: str
    rest: str

    @cached_property
    def full(self) -> str:
        document, offset = self.context.document.text, self.context.offset
        return document[:offset] + self.text + document[offset:]

    @cached_property
    def lines(self) -> list[str]:
        return self.full.split("\n")

    @cached_property
    def starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.lines)]

    @cached_property
    def first(self) -> int:
        """The row of the cursor."""
        return self.full.count("\n", 0, self.context.offset)

    @cached_property
    def tree(self) -> tuple[SyntaxTree, int]:
        """The tree of the part around the cursor, with the text in it, and where the part begins."""
        tree, start = tree_of(self.grammar, self.context.document, self.context.offset)
        return tree.edited(Edit(self.context.offset - start, 0, self.text)), start

    def has_twice(self, new: re.Match[str], number: int) -> bool:
        """Whether the block of ``new``, in line ``number`` of the text, has another definition like it, above it or
        below the text."""
        at = self.first + number
        others = (row for step in (-1, 1) for row in self._like(new, at, step))
        first = next(others, None)
        # The new one is parsed only if there is another, and the others only if it is code.
        return (
            first is not None
            and self._counts(new, at)
            and any(self._counts(new, row) for row in chain([first], others))
        )

    def _counts(self, new: re.Match[str], row: int) -> bool:
        """Whether the definition in ``row`` is code, and its name may not be defined more than once."""
        return not self._may_stand_again(new, row) and self._is_code(row)

    def _like(self, new: re.Match[str], at: int, step: int) -> Iterator[int]:
        """The rows from ``at`` on in one direction, in the same block, that define what ``new`` defines."""
        if self.full.count(new["name"]) == 1:
            return
        last = self.first + self.text.count("\n")
        row, brackets, is_key = (at if step < 0 else last) + step, _Brackets(), _is_key(new)
        if step > 0:
            brackets.add_below(self.rest)
        while 0 <= row < len(self.lines):
            line = self.lines[row]
            if line.strip() and len(indent_of(line)) < len(new["indent"]):
                return
            if is_key and step < 0:
                brackets.add_above(line)
            if new["name"] in line and (brackets.closed or not is_key):
                other = new.re.match(line)
                if other and other["indent"] == new["indent"] and _subject(other) == _subject(new):
                    yield row
            if is_key and step > 0:
                brackets.add_below(line)
            row += step

    def _may_stand_again(self, new: re.Match[str], row: int) -> bool:
        """Whether the lines directly above a definition say that its name may be defined more than once."""
        while row and self.lines[row - 1].strip() and not new.re.match(self.lines[row - 1]):
            row -= 1
            if _AGAIN.match(self.lines[row]) or self.lines[row].lstrip().startswith(f"@{new['name']}."):
                return True
        return False

    def _is_code(self, row: int) -> bool:
        """Whether a line begins in code, and not in a string or comment, where nothing is defined."""
        tree, start = self.tree
        offset = self.starts[row] - start
        if not 0 <= offset < len(tree.text):
            return True
        begin = tree.byte_of(offset)
        node = tree.leaf(offset + len(indent_of(self.lines[row])))
        while node is not None:
            if node.start_byte < begin and any(word in node.type for word in ("string", "comment", "text")):
                return False
            node = node.parent
        return True


class _Brackets:
    """The brackets of some lines: how many more are opened than closed, in all and at the lowest."""

    def __init__(self) -> None:
        self.total = self.lowest = 0

    @property
    def closed(self) -> bool:
        """Whether these lines close what they open, and nothing else."""
        return not self.total and not self.lowest

    def add_above(self, line: str) -> None:
        total, lowest = _depths(line)
        self.total, self.lowest = total + self.total, min(lowest, total + self.lowest)

    def add_below(self, line: str) -> None:
        total, lowest = _depths(line)
        self.total, self.lowest = self.total + total, min(self.lowest, self.total + lowest)


def _depths(line: str) -> tuple[int, int]:
    """How many more brackets a line opens than it closes, and the lowest such number within it."""
    steps = [1 if bracket in "([{" else -1 for bracket in _BRACKETS.findall(_QUOTED.sub("", line))]
    return sum(steps), min(accumulate(steps, initial=0))


def _is_key(definition: re.Match[str]) -> bool:
    return definition["kind"].strip() in ("", "static")


def _subject(definition: re.Match[str]) -> tuple[str, str, str]:
    """What is defined: the kind, the type that a method of Go belongs to, and the name."""
    receiver = (definition["of"] or "").strip("() \t").partition("[")[0].split()
    return definition["kind"].strip(), receiver[-1].lstrip("*") if receiver else "", definition["name"]
