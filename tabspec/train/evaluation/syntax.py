"""Does a suggestion parse in place? Asked of tree-sitter, where the language's grammar is installed."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

# Module and function of the grammar of each language.
_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "rust": ("tree_sitter_rust", "language"),
}


@cache
def _parser(language: str) -> Any:
    """A tree-sitter parser, or None without the grammar."""
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        module, function = _GRAMMARS[language]
        grammar = getattr(importlib.import_module(module), function)()
    except (ImportError, KeyError):
        return None
    return tree_sitter.Parser(tree_sitter.Language(grammar))


def errors(text: str, language: str) -> int | None:
    """Nodes of the syntax tree that are errors or missing; None if the language cannot be parsed here."""
    parser = _parser(language)
    if parser is None:
        return None
    count, waiting = 0, [parser.parse(text.encode()).root_node]
    while waiting:
        node = waiting.pop()
        if not node.has_error:
            continue
        count += node.is_error or node.is_missing
        waiting += node.children
    return count


def parses_in_place(prefix: str, inserted: str, suffix: str, original: str, language: str) -> bool | None:
    """Whether the document with ``inserted`` has no more errors than with the author's text ``original``."""
    mine = errors(prefix + inserted + suffix, language)
    theirs = errors(prefix + original + suffix, language)
    return None if mine is None or theirs is None else mine <= theirs
