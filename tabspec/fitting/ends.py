"""Shortens a text that stopped at an arbitrary place to the last place where a person could stop.

A model stops at an arbitrary place if its probability is low or its tokens are used up. Half a word, an open string or
an operator without its operand does not help the user, and is not offered.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

from tabspec.context import EditContext
from tabspec.fitting.brackets import unmatched
from tabspec.syntax.languages import grammar_of
from tabspec.syntax.trees import opaque_line, tree_of
from tabspec.text import is_word

_HANGING = re.compile(
    r"(?:(?<!\+)\+|(?<!-)-|(?<=\s)(?:\+\+|--)|[=*/%&|^<~.,@\\$#([{]|\?\.|::|(?<![\w)\]\"'])[:?!]|"
    r"(?<=[\w)\]\"'] )>{1,3}|\|>|\b(?:try|as)[?!])\Z"
)
# Words after which something must follow: in any language, in SQL, and in some others.
_WORDS = """
and as assert async await case catch class const def del elif else except export extends finally fn for from fun
func function global guard if impl implements import in instanceof interface is lambda let local match mut namespace new
not of or package private protected pub public raise readonly return static struct switch throw trait try type typedef
typeof unless until use using val var when while with yield
"""
_SQL_WORDS = """
all alter and as between by case create cross delete distinct drop else exists from full group having in inner insert
into is join left like limit not offset on or order outer over partition right select set table then union update using
values when where with
"""
# Operators that are words after a `-`.
_POWERSHELL_WORDS = """
bor band contains eq ge gt isnot join le like lt match ne notcontains notlike notmatch replace split
"""
# What makes a name of a keyword that follows: `promise.catch`, `Vec::new`, `$type`.
_MEMBER = (".", "?.", "::", "->", "$", "@")
_KEYWORDS = frozenset(_WORDS.split())
_KEYWORDS_IN = {
    "haskell": frozenset(["do", "of", "then", "where"]),
    "php": frozenset(["echo", "print"]),
    "powershell": frozenset(_POWERSHELL_WORDS.split()),
    "sql": frozenset(_SQL_WORDS.split()),
    "zig": frozenset(["comptime", "defer", "errdefer", "orelse"]),
}
# What else waits for something after it, by language.
_HANGING_IN = {
    "bash": re.compile(r">\Z"),
    "elixir": re.compile(r"<>\Z"),
    "haskell": re.compile(r"(?:<>|>>)\Z"),
    "lua": re.compile(r"(?:(?<!:):|--)\Z"),
    "r": re.compile(r"%\w*[>*/+|-]*%?\Z"),
    "ruby": re.compile(r"%[wWiIqQrx][\[({<|]\Z"),
    "sql": re.compile(r"--\Z"),
}
# Languages in which ``'`` does not open a string: it names lifetimes, quotes lists, transposes.
_MARK_IS_NO_QUOTE = frozenset(
    ["clojure", "commonlisp", "elisp", "haskell", "lisp", "matlab", "ocaml", "rust", "scheme"]
)
_ANY_QUOTE = re.compile("[\"'`]")
_FIRST_WORD = re.compile(r"\w+")
# What belongs to the quote after it: the prefix of a string (``f``, ``$@``, ``r#``), the tag of a template.
_PREFIX = re.compile(r"(?:(?<!\w)\w{1,4}#*|[$@]+)?\Z")
# Endings that look like a hanging operator but are complete: the end of a comment, a tag or a template mark, or an
# operator without an operand.
_CLOSED = re.compile(r"(?:\*/|/>|-->|%\}|\.\.\.|(?<!\s)(?:\+\+|--)|=>|->)\Z")
# Those of them that need an operand, or begin a comment.
_ARROW = re.compile(r"(?:=>|(?<!-)->|<!--)\Z")
# Characters. A search for these patterns need not begin earlier.
_TAIL = 8
# In prose and strings: what opens something, or marks the line of a list, without its content; half an escape.
_OPENED = re.compile(r"""(?:[(\[{<]|(?:^|(?<=[\s(\[{]))["'`]+|(?:^|(?<=\s))[-*@]|(?<!\\)(?:\\\\)*\\)\Z""")


class Inside(NamedTuple):
    """What a text begins in: code, if neither is set."""

    quote: str = ""  # the quote that ends the string in which it begins
    prose: bool = False  # a comment, text between tags, a string without quotes


_CODE = Inside()
# The mark of a comment up to the line's end, where it is not `//`.
_COMMENT_MARKS = dict.fromkeys(
    ("bash", "elixir", "hcl", "julia", "make", "python", "r", "ruby", "toml", "yaml"), "#"
) | {
    "haskell": "--",
    "lua": "--",
    "sql": "--",
}
_BARE_MARK = re.compile(r"(?:^|\n)[ \t]*(?:/+!?|/\*+!?|#+|--+|\*+)\s*\Z")
# A line that only opens a comment of several lines, where `//` marks one of a line.
_BLOCK_MARK = re.compile(r"/\*+!?\s*\Z")
# Characters before and after the cursor in which a word counts as known. One word is found in less than 0.1 ms.
_KNOWN_NEAR = 20_000
# Grammars in which a line without one of these marks is code, if it begins in code.
_MARKED = frozenset(
    (
        *("bash", "c", "cpp", "csharp", "go", "java", "javascript", "json", "kotlin"),
        *("lua", "python", "ruby", "rust", "sql", "swift", "tsx", "typescript"),
    )
)
_MARKS = re.compile(r"[\"'`#/*<>]|--")
# Characters of the words that are looked for. Shorter ones are whole words somewhere by chance.
_SHORTEST_WORD, _LONGEST_WORD = 3, 100


class Ending:
    """Where texts may end at one place. ``line`` is the cursor's line up to the cursor.

    What all texts need is computed once.
    """

    def __init__(self, context: EditContext, line: str) -> None:
        self._context, self._line = context, line
        self._grammar = grammar_of(context.document)
        self._language = self._grammar or context.document.language.lower()
        self._known: dict[str, tuple[bool, bool]] = {}

    def whole(self, text: str, mid_word: bool = False) -> str:
        """``text``, which stopped at an arbitrary place, up to where a person could stop (`whole`). ``mid_word``: the
        model would have continued the last word."""
        kept = whole(text, self._language, before=self._line, inside=self._inside)
        if kept == text.rstrip() and self._is_half_word(text, mid_word):
            kept = text[: len(text) - len(_last_word(text))]
            return whole(kept, self._language, before=self._line, inside=self._inside)
        return kept

    def ended(self, text: str) -> str:
        """``text``, which the model itself ended, without a last line that says nothing."""
        return without_bare_mark(text, self._language, self._line)

    def completes_unknown_word(self, text: str) -> bool:
        """Whether ``text`` completes a word that is begun before the cursor, to one that the document does not have."""
        rest, begun = _FIRST_WORD.match(text), self._begun
        return rest is not None and bool(begun) and not self._occurs(begun + rest[0])[0]

    def _is_half_word(self, text: str, mid_word: bool) -> bool:
        """Whether ``text`` ends within a word. The words of the document decide, if it has this word, or longer ones
        that begin with it, but not both; otherwise the model does."""
        last = _last_word(text)
        if len(last) == len(text):
            last = self._begun + last
        if len(last) < _SHORTEST_WORD:
            return mid_word and bool(last)
        known, longer = self._occurs(last)
        return mid_word if known == longer else longer

    def _occurs(self, word: str) -> tuple[bool, bool]:
        """Whether the document has ``word``, and whether it has longer words that begin with it."""
        if word not in self._known:
            self._known[word] = _occurrences(self._near, word)
        return self._known[word]

    @cached_property
    def _begun(self) -> str:
        """The beginning before the cursor of the word at the cursor."""
        return _last_word(self._line[-_LONGEST_WORD:])

    @cached_property
    def _near(self) -> str:
        """The document around the cursor, without the word that is begun there."""
        text, offset = self._context.document.text, self._context.offset
        start = offset - len(self._begun)
        return text[max(offset - _KNOWN_NEAR, 0) : start] + " " + text[offset : offset + _KNOWN_NEAR]

    @cached_property
    def _inside(self) -> Inside:
        """What the cursor is in. Where the text does not parse, a string that is open on the cursor's line counts."""
        at, document = self._context.offset, self._context.document
        if self._grammar is None:
            return Inside(open_quote(self._line, self._language))
        if self._grammar in _MARKED and not _MARKS.search(self._line):
            tree, found = None, opaque_line(self._grammar, document, at)
        else:
            tree, start = tree_of(self._grammar, document, at)
            found = tree.opaque(at - start)
        if found:
            return Inside(found.quote, prose=not found.quote)
        return Inside(open_quote(self._line, self._language) if tree and tree.errors else "")


def whole(text: str, language: str = "", *, before: str = "", inside: Inside = _CODE) -> str:
    """The longest beginning of ``text`` that ends where a person could stop.

    ``language`` is the name of its grammar, or LSP's of the language. ``before`` is the line before it: a word or an
    operator may begin there.
    """
    mark_is_quote = language not in _MARK_IS_NO_QUOTE
    while text := text.rstrip():
        start, quote = _open_string(text, inside.quote, mark_is_quote)
        own = start < 0 or (len(quote) > 1 and text[start + len(quote) :].strip())  # a docstring is prose
        comment = _begins_comment(before + text, language)
        if inside.prose or comment or (quote and own):
            match = _OPENED.search(before + text)
            if match is None and (comment or inside.prose):
                match = _BARE_MARK.search(before + text)
            if match is None:
                return text
            text = text[: max(match.start() - len(before), 0)]
        elif quote:
            text = _PREFIX.sub("", text[:start])
        elif (at := _unfinished(before + text, language)) is not None:
            text = text[: max(at - len(before), 0)]
        else:
            return text
    return ""


def without_bare_mark(text: str, language: str, before: str) -> str:
    """``text`` without a last line that is only the mark of a comment."""
    match = _BARE_MARK.search(before + text) if _begins_comment(before + text, language) else None
    return text[: max(match.start() - len(before), 0)] if match else text


def _begins_comment(text: str, language: str) -> bool:
    """Whether the last line of ``text`` is a comment from its beginning."""
    line = text[text.rfind("\n") + 1 :].lstrip()
    mark = _COMMENT_MARKS.get(language, "//")
    return line.startswith(mark) or (mark == "//" and _BLOCK_MARK.match(line) is not None)


def open_quote(line: str, language: str) -> str:
    """The quote of the string that ``line`` opens and does not close; "" if there is none."""
    return _open_string(line, "", language not in _MARK_IS_NO_QUOTE)[1]


def _unfinished(text: str, language: str) -> int | None:
    """Where an operator, a keyword or a key begins that ends ``text`` and needs something after it. None if nothing
    does."""
    last = text[-1]
    if is_word(last):
        word = _last_word(text)
        begin = len(text) - len(word)
        waits = word in _KEYWORDS or word.lower() in _KEYWORDS_IN.get(language, ())
        return begin if waits and not text.endswith(_MEMBER, 0, begin) else None
    start = max(len(text) - _TAIL, 0)
    of_language = _HANGING_IN.get(language, _ARROW)
    match = _ARROW.search(text, start) or of_language.search(text, start)
    if match is None:
        if _CLOSED.search(text, start):
            return None
        if last == ":" and unmatched(text[text.rfind("\n") + 1 :])[1]:
            return len(text) - 1  # a key without its value
        match = _HANGING.search(text, start)
    return None if match is None else match.start()


def _last_word(text: str) -> str:
    """The word with which ``text`` ends; "" if it ends with none."""
    start = len(text)
    while start and is_word(text[start - 1]):
        start -= 1
    return text[start:]


def _occurrences(text: str, word: str) -> tuple[bool, bool]:
    """Whether ``text`` has ``word``, and whether it has longer words that begin with it."""
    known = longer = False
    at = text.find(word)
    while at >= 0 and not (known and longer):
        end = at + len(word)
        if not is_word(text[max(at - 1, 0) : at]):
            if is_word(text[end : end + 1]):
                longer = True
            else:
                known = True
        at = text.find(word, end)
    return known, longer


def _open_string(text: str, quote: str, mark_is_quote: bool) -> tuple[int, str]:
    """The start and the quote of the string in which ``text`` ends; -1 and "" in code.

    ``quote`` is that of the string in which it begins, whose start is -1.
    """
    start, i = -1, 0
    if not quote and not _ANY_QUOTE.search(text):
        return start, quote
    while i < len(text):
        char = text[i]
        if char == "\\":
            i += 2
            continue
        mark = char * 3 if char in "\"'" and text.startswith(char * 3, i) else char
        if quote:
            if text.startswith(quote, i):
                i += len(quote)
                start, quote = -1, ""
                continue
        elif char in '"`' or (char == "'" and mark_is_quote and not (i and text[i - 1].isalnum())):
            start, quote = i, mark
            i += len(mark)
            continue
        i += 1
    return start, quote
