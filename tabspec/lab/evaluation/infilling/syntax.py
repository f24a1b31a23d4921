"""Checks with the language's grammar whether a suggestion parses in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tabspec.syntax.languages import grammar_of
from tabspec.syntax.tree import SyntaxTree
from tabspec.text import Document, Edit

_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
# What may stand between an unfinished text and the end of its line: nothing, a name, the end of a declaration, of a
# statement, or of the head of a block, in some language.
_ENDS = (
    *("", ";", ",", ":", " {}", " = x", " = x;", "() {}", "(): pass", ": pass", " in x: pass", " import x"),
    *(": x", ": x,", " => x", " => x,", "<x>;"),
)


def errors(text: str, language: str) -> int | None:
    """The number of nodes of the syntax tree that are errors or missing. None if the language has no grammar."""
    grammar = grammar_of(Document("", "", language))
    return SyntaxTree.of(grammar, text).errors if grammar else None


def parses_in_place(prefix: str, inserted: str, suffix: str, original: str, language: str) -> bool | None:
    """Whether the document with ``inserted`` has no more errors than with the author's text ``original``."""
    mine = errors(prefix + inserted + suffix, language)
    theirs = errors(prefix + original + suffix, language)
    return None if mine is None or theirs is None else mine <= theirs


def can_be_finished(prefix: str, inserted: str, suffix: str, original: str, language: str) -> bool | None:
    """Whether there is a way to go on after ``inserted`` with which the document parses.

    A suggestion may be a part of a line: `foo(` of `foo(a, b)` does not parse, but typing on mends it. What is tried
    after it: a name, the closing quote and brackets, and then the end of a statement, or any end of the author's text
    ``original``. The document must then have no more errors than the author's. None if the language has no grammar.
    """
    grammar = grammar_of(Document("", "", language))
    if grammar is None:
        return None
    theirs = SyntaxTree.of(grammar, prefix + original + suffix)

    def found(text: str) -> int:
        return theirs.edited(Edit(len(prefix), len(original), text)).errors

    line = prefix[prefix.rfind("\n") + 1 :]
    ways = [inserted + way for way in _ways(line + inserted, original)]
    return original.startswith(inserted) or any(found(way) <= theirs.errors for way in ways)


def _ways(line: str, original: str) -> Iterator[str]:
    """The ways to go on after an unfinished ``line``."""
    quote = next((each for each in ('"""', "'''", *"\"'`") if line.count(each) % 2), "")
    closers = ""
    for char in line:
        if char in _CLOSERS:
            closers = _CLOSERS[char] + closers
        elif closers.startswith(char):
            closers = closers[1:]
    ends = dict.fromkeys([*_ENDS, *(original[token.start() :] for token in _TOKEN.finditer(original))])
    for close in dict.fromkeys(("", quote, closers, quote + closers)):
        for name in ("", "x"):
            yield from (name + close + end for end in ends)
