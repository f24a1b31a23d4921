"""Checks with the language's grammar whether a suggestion parses in its place."""

from __future__ import annotations

from tabspec.syntax.languages import grammar_of
from tabspec.syntax.tree import SyntaxTree
from tabspec.text import Document


def errors(text: str, language: str) -> int | None:
    """The number of nodes of the syntax tree that are errors or missing. None if the language has no grammar."""
    grammar = grammar_of(Document("", "", language))
    return SyntaxTree.of(grammar, text).errors if grammar else None


def parses_in_place(prefix: str, inserted: str, suffix: str, original: str, language: str) -> bool | None:
    """Whether the document with ``inserted`` has no more errors than with the author's text ``original``."""
    mine = errors(prefix + inserted + suffix, language)
    theirs = errors(prefix + original + suffix, language)
    return None if mine is None or theirs is None else mine <= theirs
