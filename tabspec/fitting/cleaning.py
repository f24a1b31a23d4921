"""Adapts a model's text to the document at the cursor.

The result has the document's line ends and indentation. It does not repeat a blank, or the start of the cursor's line.
"""

from __future__ import annotations

import re
from collections import Counter

from tabspec.text import indent_of, uses_crlf

_LINE_END = re.compile(r"\r*\n|\r")
# The replacement character: a server emitted only a part of the bytes of a character.
_HALF = "\ufffd"
# Characters. Correct code often repeats a shorter beginning of a line (`x`, `fn`, `})`).
_SHORTEST_LINE = 3
# Characters above the cursor's line that are searched for the previous line.
_ABOVE = 2000
# Endings of a line after which the next line is indented further.
_OPENED = (":", "{", "(", "[", "=>", "->", " then", " do")
# Lines at the start of the document from which its indentation is inferred.
_SAMPLE = 200
# Grammars of languages whose style guides ask for two spaces a level.
_TWO = """
bash clojure css dart elixir haskell hcl heex html javascript json lua r ruby scala scss svelte toml tsx typescript vue
xml yaml
"""
_TWO_SPACES = frozenset(_TWO.split())
# What opens a line of a list, a quote, a heading or a comment, up to the text after it.
_MARKER = re.compile(r"[ \t]*([-*>]|#+|//[/!]?|--)[ \t]+")


def as_typed(document: str, offset: int, line: str, text: str, unit: int = 4) -> str:
    """``text`` as a user would type it at ``offset``. ``line`` is the cursor's line up to the cursor, ``unit`` the
    spaces of a level where the document has none (`usual_unit`)."""
    above = document[max(offset - len(line) - _ABOVE, 0) : offset - len(line)]
    text = without_second_blank(above, line, without_line_so_far(line, text), unit)
    return with_indentation_of(document, line, text, unit)


def usual_unit(language: str) -> int:
    """The spaces of a level of indentation that people use in ``language``, a grammar's name."""
    return 2 if language in _TWO_SPACES else 4


def whole_characters(text: str) -> str:
    """``text`` up to its first half character."""
    half = text.find(_HALF)
    return text if half < 0 else text[:half]


def with_plain_line_ends(text: str) -> str:
    """``text`` with ``\n`` alone at its line ends."""
    return _LINE_END.sub("\n", text)


def with_line_ends_of(document: str, text: str) -> str:
    """``text``, which has plain line ends, with the line ends of ``document``."""
    return text.replace("\n", "\r\n") if uses_crlf(document) else text


def without_line_so_far(line: str, text: str) -> str:
    """``text`` without ``line``, the cursor's line up to the cursor, if ``text`` repeats that at its beginning."""
    so_far = line.strip()
    stripped = text.lstrip(" \t")
    marker = _MARKER.fullmatch(line)
    if marker and stripped.startswith((f"{so_far} ", f"{so_far}\t")):
        return stripped[len(so_far) :].lstrip(" \t")
    if len(so_far) < _SHORTEST_LINE or not stripped.startswith(so_far):
        return text
    left = stripped[len(so_far) :]
    joined = so_far[-1].isalnum() and left[:1].isalnum()  # a longer word that begins like the line
    return text if joined or not left.strip() else left


def without_second_blank(above: str, line: str, text: str, unit: int = 4) -> str:
    """``text`` without leading blanks that repeat those before the cursor: a second blank between words, or a second
    indentation. Blanks that complete the indentation, or that align something, are kept.
    """
    blanks = len(text) - len(text.lstrip(" \t"))
    if not blanks or line[-1:] not in (" ", "\t"):
        return text
    rest = text[blanks:]
    if not line.strip():
        return rest if len(line) >= _next_indent(above, "\t" in line, unit) else text
    return rest if blanks == 1 and (rest[:1].isalnum() or rest[:1] in "_\"'([{") else text


def _next_indent(above: str, tabs: bool, unit: int) -> int:
    """The expected indentation of the line after ``above``, in characters: spaces, or ``tabs``. ``unit`` is the usual
    number of spaces of a level."""
    last = next((each for each in reversed(above.splitlines()) if each.strip()), "")
    opened = last.rstrip().endswith(_OPENED)
    return len(indent_of(last)) + opened * (1 if tabs else _unit(above, unit))


def with_indentation_of(document: str, line: str, text: str, usual: int = 4) -> str:
    """``text`` with all lines but the first indented like the document: with tabs, or with spaces. ``usual``: the
    spaces of a level where the document has none."""
    first, *others = text.split("\n")
    widths = [indent_of(each) for each in others if each.strip()]
    if not widths:
        return text
    tabs = _uses_tabs(document, line)
    if tabs is None or not any((" " if tabs else "\t") in width for width in widths):
        return text
    if tabs:
        unit = _unit_of(widths, len(indent_of(line)), (line + first).rstrip().endswith(_OPENED))
        others = [_with_tabs(each, unit) for each in others]
    else:
        blanks = " " * _unit(document, usual)
        others = [indent_of(each).replace("\t", blanks) + each[len(indent_of(each)) :] for each in others]
    return "\n".join([first, *others])


def _uses_tabs(document: str, line: str) -> bool | None:
    """Whether a document is indented with tabs; the cursor's own line decides, if it is indented."""
    if own := indent_of(line):
        return own[0] == "\t"
    firsts = Counter(each[0] for each in document.split("\n")[:_SAMPLE] if each[:1] in (" ", "\t"))
    return firsts["\t"] > firsts[" "] if firsts else None


def _unit(document: str, usual: int = 4) -> int:
    """Spaces for each level of a document that is indented with spaces: the most frequent increase, or ``usual``."""
    steps: Counter[int] = Counter()
    before = 0
    for line in document.split("\n")[:_SAMPLE]:
        if line.strip():
            width = len(indent_of(line))
            if width > before:
                steps[width - before] += 1
            before = width
    return steps.most_common(1)[0][0] if steps else usual


def _unit_of(indents: list[str], level: int, opened: bool) -> int:
    """Blanks for each level that a model's lines have, from the first that has any. ``opened``: the line before opens a
    block, so they stand one level further in than the cursor's line; otherwise at the same, or further in or out."""
    width = next((len(indent) for indent in indents if indent and "\t" not in indent), 0)
    for levels in (level + 1, level, level - 1) if opened else (level, level + 1, level - 1):
        for unit in (4, 2, 8, 3):
            if levels > 0 and width == levels * unit:
                return unit
    return 4


def _with_tabs(line: str, unit: int) -> str:
    indent = indent_of(line)
    width = sum(unit if char == "\t" else 1 for char in indent)
    return "\t" * (width // unit) + " " * (width % unit) + line[len(indent) :]
