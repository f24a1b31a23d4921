"""The syntax trees of the documents that were asked for last, so that a keystroke costs an incremental parse."""

from __future__ import annotations

from cachetools import LRUCache

from tabspec.syntax.tree import SyntaxTree
from tabspec.text import Document

# Open documents whose trees are kept: as many as a user works in at a time.
_MOST = 8
_trees: LRUCache[tuple[str, str], SyntaxTree] = LRUCache(_MOST)


def tree_of(grammar: str, document: Document) -> SyntaxTree:
    """The tree of a document. A memo: it is equal to `SyntaxTree.of`."""
    key = (grammar, document.uri)
    known = _trees.get(key)
    tree = known.with_text(document.text) if known is not None else SyntaxTree.of(grammar, document.text)
    _trees[key] = tree
    return tree
