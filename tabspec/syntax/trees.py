"""The syntax tree at a cursor, by an incremental parse for each keystroke on a line."""

from __future__ import annotations

from cachetools import LRUCache

from tabspec.syntax.tree import SyntaxTree
from tabspec.text import Document, Edit

# Trees of whole surroundings that are kept: as many lines as a user and speculation work on at a time.
_MOST_SURROUNDINGS = 8
# Trees with some of the cursor's line that are kept. They share their nodes with those above.
_MOST_STATES = 32
# Typed characters that are parsed at a time. A keystroke parses at most so many of its line; a state that is new takes
# a parse for each. With all of the line in one parse, a keystroke after an opened bracket takes 2.5 times as long
# (`tabspec bench fit`), since the error that it makes is recovered from anew; with 1 character it takes what 8 take.
_STEP = 8
# Of a longer line, what is typed is the last part, and the rest belongs to the surroundings.
_PIECE = 32 * _STEP

_surroundings: LRUCache[tuple[str, str], SyntaxTree] = LRUCache(_MOST_SURROUNDINGS)
_states: LRUCache[tuple[str, str, int, int], SyntaxTree] = LRUCache(_MOST_STATES)


def tree_of(grammar: str, document: Document, offset: int) -> SyntaxTree:
    """The tree of ``document`` for a cursor at ``offset`` (code points).

    It depends on the arguments alone. An incremental parse of a text with syntax errors also depends on the tree that
    it begins from: 405 of 724 states of one recorded Svelte session got another tree than a fresh parse gives. So it
    begins from the same trees whatever was typed before: that of the surroundings, which are the text without the
    cursor's line, then those of the line as it is typed from its start, `_STEP` characters at a time.
    """
    start, end = _line_around(document.text, offset)
    return _typed(grammar, document.text, (start, offset, end))


def _typed(grammar: str, text: str, line: tuple[int, int, int]) -> SyntaxTree:
    """The tree of ``text``, whose line has its start, its cursor and its end at ``line``."""
    start, cursor, end = line
    key = (grammar, text, start, cursor)
    tree = _states.get(key)
    if tree is None:
        if cursor > start:
            step = (cursor - start - 1) % _STEP + 1
            before = _typed(grammar, text[: cursor - step] + text[cursor:], (start, cursor - step, end - step))
            tree = before.edited(Edit(cursor - step, 0, text[cursor - step : cursor]))
        else:
            tree = _of_surroundings(grammar, text[:start] + text[end:]).edited(Edit(start, 0, text[start:end]))
        _states[key] = tree
    return tree


def _of_surroundings(grammar: str, text: str) -> SyntaxTree:
    tree = _surroundings.get((grammar, text))
    if tree is None:
        tree = _surroundings[grammar, text] = SyntaxTree.of(grammar, text)
    return tree


def _line_around(text: str, offset: int) -> tuple[int, int]:
    """The cursor's line, without its end. Of a long line a piece, which stays in place while it is typed in: its start
    is counted from the line's start, its end from the line's end."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return offset - (offset - start) % _PIECE, offset + (end - offset) % _PIECE
