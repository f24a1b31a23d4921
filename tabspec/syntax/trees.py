"""Caches syntax trees, so that a keystroke on a line and an edit elsewhere need only an incremental parse."""

from __future__ import annotations

from typing import NamedTuple

from cachetools import LRUCache

from tabspec.syntax.languages import grammar_of
from tabspec.syntax.tree import Opaque, SyntaxTree
from tabspec.text import Document, Edit, difference

# The most trees of surroundings (documents without the cursor's line) in the cache: one for each line that the user and
# speculation work on.
_MOST_SURROUNDINGS = 8
# The most trees with a part of the cursor's line in the cache. They share nodes with the trees of surroundings.
_MOST_STATES = 32
# Typed characters in one incremental parse. A keystroke parses at most this many characters of its line; the first
# request on a line takes one parse for each step. With the whole line in one parse, a keystroke after an opened bracket
# takes 2.5 times as long (`tabspec bench fit`), because the parser recovers from the syntax error again each time.
# With 1 character it takes as long as with 8.
_STEP = 8
# Of a longer line, only a piece around the cursor is parsed in steps. The rest belongs to the surroundings.
_PIECE = 32 * _STEP

# Bytes before and after the cursor's line that belong to its surroundings at least: about 50 lines. A parse takes the
# longer, the longer the text is, also after a change of one character.
_NEAR = 2000

# The most trees of whole documents in the cache: a chain of edits has one for each edit.
_MOST_WHOLE = 32
# The most documents of which the last tree is kept, to parse the next text from: people have about so many open.
_MOST_DOCUMENTS = 16

_whole: LRUCache[tuple[str, str], SyntaxTree] = LRUCache(_MOST_WHOLE)
_last: LRUCache[tuple[str, str], SyntaxTree] = LRUCache(_MOST_DOCUMENTS)


class PartTree(NamedTuple):
    """The tree of the part of a document that begins at ``start``. Offsets in the tree count from there."""

    tree: SyntaxTree
    start: int


_surroundings: LRUCache[tuple[str, str, int], PartTree] = LRUCache(_MOST_SURROUNDINGS)
_states: LRUCache[tuple[str, str, int, int], SyntaxTree] = LRUCache(_MOST_STATES)


def tree_of(grammar: str, document: Document, offset: int) -> PartTree:
    """The tree of the part of ``document`` around a cursor at ``offset`` (code points).

    The result depends only on the arguments. An incremental parse of a text with syntax errors also depends on the tree
    that it starts from: in a recorded Svelte session, 405 of 724 states got another tree than from a full parse. So the
    sequence of trees is always the same, whatever the user typed before. It starts with the tree of the surroundings
    (the part without the cursor's line). Then the line is added from its start, `_STEP` characters at a time.
    """
    start, end = _line_around(document.text, offset)
    surroundings = _of_surroundings(grammar, document, start, end)
    part = surroundings.start
    text = document.text[part : part + len(surroundings.tree.text) + end - start]
    return PartTree(_typed(surroundings.tree, text, (start - part, offset - part, end - part)), part)


def opaque_line(grammar: str, document: Document, offset: int) -> Opaque | None:
    """The string, comment or prose in which the cursor's line stands as a whole. None if that line begins in code.

    It is read from the tree without that line, so a keystroke on the line costs no parse.
    """
    start, end = _line_around(document.text, offset)
    surroundings = _of_surroundings(grammar, document, start, end)
    return surroundings.tree.opaque(start - surroundings.start)


def whole_tree_of(grammar: str, document: Document) -> SyntaxTree:
    """The tree of ``document``, whatever the cursor: that of a fresh parse.

    It is parsed from the last tree of the same document. A text with syntax errors is then parsed anew, because its
    tree would depend on the one before.
    """
    text = document.text
    tree = _whole.get((grammar, text))
    if tree is None:
        tree = _after(_last.get((grammar, document.uri)), text) or SyntaxTree.of(grammar, text)
        _whole[grammar, text] = tree
    _last[grammar, document.uri] = tree
    return tree


def parse_ahead(document: Document) -> None:
    """Parse a document that has just been opened, so that the first look at it needs only an incremental parse."""
    grammar = grammar_of(document)
    if grammar is not None and (grammar, document.uri) not in _last:
        whole_tree_of(grammar, document)


def _after(before: SyntaxTree | None, text: str) -> SyntaxTree | None:
    """The tree of a text without errors, parsed from the tree of a text that is mostly the same."""
    change = difference(before.text, text) if before is not None else None
    if before is None or change is None or 2 * (change.delete + len(change.insert)) > len(text):
        return None
    tree = before.edited(change)
    return None if tree.parsed.root_node.has_error else tree


def _typed(surroundings: SyntaxTree, text: str, line: tuple[int, int, int]) -> SyntaxTree:
    """The tree of ``text``. ``line``: the offsets of the line's start, of the cursor and of the line's end."""
    start, cursor, end = line
    key = (surroundings.grammar, text, start, cursor)
    tree = _states.get(key)
    if tree is None:
        if cursor > start:
            step = (cursor - start - 1) % _STEP + 1
            before = _typed(surroundings, text[: cursor - step] + text[cursor:], (start, cursor - step, end - step))
            tree = before.edited(Edit(cursor - step, 0, text[cursor - step : cursor]))
        else:
            tree = surroundings.edited(Edit(start, 0, text[start:end]))
        _states[key] = tree
    return tree


def _of_surroundings(grammar: str, document: Document, start: int, end: int) -> PartTree:
    """The tree of the part around the line from ``start`` to ``end`` of ``document``, without that line."""
    text = document.text[:start] + document.text[end:]
    found = _surroundings.get((grammar, text, start))
    if found is None:
        whole = whole_tree_of(grammar, Document(document.uri, text))
        found = PartTree(*(whole.around(start, _NEAR) or (whole, 0)))
        _surroundings[grammar, text, start] = found
    return found


def _line_around(text: str, offset: int) -> tuple[int, int]:
    """The start and end of the cursor's line, without its line end.

    Of a long line, only a piece. Its borders are multiples of `_PIECE` from the line's start and from the line's end.
    So they seldom move while the user types.
    """
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return offset - (offset - start) % _PIECE, offset + (end - offset) % _PIECE
