"""Shortens a text that stopped at an arbitrary place to the last place where a person could stop.

A model stops at an arbitrary place if its probability is low or its tokens are used up. Half a word, an open string or
an operator without its operand does not help the user, and is not offered.
"""

from __future__ import annotations

import re

_HANGING = re.compile(
    r"(?:(?<!\+)\+|(?<!-)-|[=*/%&|^<~.,@\\$#([{]|\?\.|::|(?<![\w)\]\"'])[:?!]|(?<=[\w)\]\"'] )>|\b(?:try|as)[?!])\Z"
)
_WORDS = (
    "and as assert async await case catch class const def del elif else except export extends finally fn for from func "
    "function global guard if implements import in instanceof interface is lambda let local match new not of or "
    "package private protected public raise return static struct switch throw try type typeof unless until use using "
    "val var when while with yield"
)
_SQL_WORDS = (
    "all alter and as between by case create cross delete distinct drop else exists from full group having in "
    "inner insert into is join left like limit not offset on or order outer over partition right select set table then "
    "union update using values when where with"
)


def _last(words: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(rf"(?:^|(?<=\W))(?:{'|'.join(words.split())})\Z", flags)


_KEYWORD = _last(_WORDS)
# What else waits for something after it, by language.
_HANGING_IN = {
    "bash": re.compile(r">\Z"),
    "lua": re.compile(r"(?<!:):\Z"),
    "php": _last("echo print"),
    "ruby": re.compile(r"%[wWiIqQrx][\[({<|]\Z"),
    "sql": _last(_SQL_WORDS, re.IGNORECASE),
}
# Languages in which ``'`` does not open a string: it names lifetimes, quotes lists, transposes.
_MARK_IS_NO_QUOTE = frozenset(
    ["clojure", "commonlisp", "elisp", "haskell", "lisp", "matlab", "ocaml", "rust", "scheme"]
)
_LAST_WORD = re.compile(r"\w+\Z")
# Endings that look like a hanging operator but are complete: the end of a comment, a tag or a template mark, or an
# operator without an operand.
_CLOSED = re.compile(r"(?:\*/|/>|-->|%\}|\.\.\.|\+\+|--|=>|->)\Z")
# Those of them that need an operand.
_ARROW = re.compile(r"(?:=>|->)\Z")


def whole(text: str, language: str = "", *, before: str = "", opaque: bool = False, mid_word: bool = False) -> str:
    """The longest beginning of ``text`` that ends where a person could stop.

    ``language`` is the name of its grammar, or LSP's of the language. ``before`` is the line before it: a word or an
    operator may begin there. ``opaque``: ``text`` begins within a string or a comment. ``mid_word``: the model would
    have continued the last word.
    """
    mark_is_quote = language not in _MARK_IS_NO_QUOTE
    hanging = _HANGING_IN.get(language, _HANGING)
    if mid_word:
        text = _LAST_WORD.sub("", text)
    while text := text.rstrip():
        opened = _open_quote(text, opaque, mark_is_quote)
        if opened is not None:
            text = text[:opened]
        elif opaque and _open_quote(text, False, mark_is_quote) is None:
            return text  # prose
        elif _CLOSED.search(before + text) and not _ARROW.search(before + text):
            return text
        elif match := _unfinished(before + text, hanging):
            text = text[: max(match.start() - len(before), 0)]
        else:
            return text
    return ""


def _unfinished(line: str, hanging: re.Pattern[str]) -> re.Match[str] | None:
    """What stands at the end of a line and needs something after it."""
    return _ARROW.search(line) or hanging.search(line) or _HANGING.search(line) or _KEYWORD.search(line)


def _open_quote(text: str, opaque: bool, mark_is_quote: bool) -> int | None:
    """The start of the string that ``text`` opens and does not close; None if there is none. The string in which an
    opaque text begins does not count."""
    quote, start, i = "", 0, 0
    while i < len(text):
        char = text[i]
        if char == "\\":
            i += 2
            continue
        if quote:
            if char == quote:
                quote = ""
        elif char in '"`' or (char == "'" and mark_is_quote and not (i and text[i - 1].isalnum())):
            quote, start = char, i
            if opaque:  # this quote closes the string that was open before the text
                quote, opaque = "", False
        i += 1
    return start if quote else None
