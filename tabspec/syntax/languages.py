"""Selects the grammar or lexer of a document, by its LSP language identifier, otherwise by its file name's suffix."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tabspec.syntax.language_ids import language_of
from tabspec.text import Document

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from tree_sitter import Parser

# Grammars of tree-sitter-language-pack whose parsers end on every text (tests/unit/documents/test_syntax.py). Others
# are not used: those of Perl and COBOL never end on some texts.
_READ = """
bash c clojure commonlisp cpp csharp css cuda dart elisp elixir go haskell hcl heex html java javascript json
julia kotlin latex lua make markdown matlab objc php proto python r ruby rust scala scss sql svelte swift toml
tsx typescript vue xml yaml zig
"""
GRAMMARS = frozenset(_READ.split())
# LSP identifiers whose grammar has another name in tree-sitter-language-pack. For all others, the names are equal.
_GRAMMARS = {
    "c++": "cpp",
    "cs": "csharp",
    "cuda-cpp": "cuda",
    "emacs-lisp": "elisp",
    "handlebars": "html",
    "html-eex": "heex",
    "javascriptreact": "tsx",
    "jsonc": "json",
    "less": "css",
    "lisp": "commonlisp",
    "makefile": "make",
    "objective-c": "objc",
    "objective-cpp": "objc",
    "protobuf": "proto",
    "shellscript": "bash",
    "sh": "bash",
    "terraform": "hcl",
    "tex": "latex",
    "typescriptreact": "tsx",
    "zsh": "bash",
}

# The most characters of a document that is parsed. Fitting one suggestion takes about a dozen edits of the tree, each
# 15 ms in a Python document of this length (measured). At ten million characters, the server was blocked for 40 s.
MOST_PARSED = 250_000


def grammar_of(document: Document) -> str | None:
    """The name of the tree-sitter grammar for ``document``. None if there is none, or if the document is too long."""
    if len(document.text) > MOST_PARSED:
        return None
    language = document.language.lower() or language_of(document.uri)
    name = _GRAMMARS.get(language, language)
    return name if name in GRAMMARS else None


@lru_cache(maxsize=64)
def parser(grammar: str) -> Parser:
    """The parser of one of `GRAMMARS`."""
    from tree_sitter_language_pack import get_parser

    return get_parser(grammar)  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def lexer(language: str, ending: str) -> Lexer | None:
    """Pygments' lexer for an LSP language identifier, or without one for a suffix. None if there is none."""
    from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language) if language else get_lexer_for_filename(f"a.{ending}")
    except ClassNotFound:
        return None


def lexer_of(document: Document) -> Lexer | None:
    """Pygments' lexer for a document. None if there is none."""
    return lexer(document.language.lower(), _ending(document))


def _ending(document: Document) -> str:
    return PurePosixPath(document.uri).suffix.lstrip(".").lower()
