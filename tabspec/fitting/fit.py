"""The last step of post-processing: adapts a text to the text after the cursor."""

from __future__ import annotations

import re

from tabspec.context import EditContext
from tabspec.fitting.brackets import QUOTES, unmatched
from tabspec.fitting.candidates import Candidate, candidates
from tabspec.fitting.ends import open_quote
from tabspec.fitting.judge import LexerReader, Reader, TextPosition, TreeReader, choose, faults
from tabspec.fitting.truncation import line_before
from tabspec.syntax.languages import grammar_of, lexer_of
from tabspec.syntax.trees import tree_of
from tabspec.text import Edit, is_word

# Lines below the cursor's, not counting blank ones, that a text is compared with.
_BELOW = 12
# Characters after the cursor that are searched for those lines.
_NEAR = 1200
# A text that only closes something.
_CLOSING = re.compile(r"\s*(?:[)\]}]+|\*/|-->|</[\w.:-]+>)[\s)\]};,]*")
# Signs that begin a name. A word before them needs a blank.
_SIGILS, _RUBY_SIGILS = ("$",), ("$", "@")
# Operators and marks of comments with a blank on both sides. Where a blank stands before the text, authors have one
# after it, too, at least 4 times in 5: counted in code of 24 languages. `*`, `&` and `?` are not among them.
_OPERATOR = re.compile(r"(?:[-+*/|&:!<>=]?={1,3}|[-=|]>|=~|[-+|<#]|&&|\|\||\?\?|\*/|//|--)(?=\s|\Z)")
# Ends of a text that a blank follows before a word, by the same count: closers, ends of tags and of types, operators.
_ENDS_APART = re.compile(
    r"(?:[)\]},;]|</[\w.:-]*>|/>|\w<[^<>]*>+|(?:^|\s)(?:[-+*/|&:!<>=]?={1,3}|[-=]>|&&|\|\|)|(?<=\S\s)[+|])\Z"
)


def fit(context: EditContext, text: str, ended: bool = True) -> tuple[str, int]:
    """The part of ``text`` to offer at the cursor, and how many characters after the cursor it replaces.

    ``ended``: the model itself ended the text. The result is "" if no candidate fits.
    """
    full, offset = context.document.text, context.offset
    end = _line_end(full, offset)
    rest = full[offset:end]
    text = text.rstrip() + _end_before(text, rest)
    below = [line.strip() for line in full[end : end + _NEAR].splitlines() if line.strip()][:_BELOW]
    found = candidates(text, rest, below)
    doubtful = len(found) > 1 and (unmatched(text)[0] or any(not each.cut for each in found[1:]))
    if not text or not (rest.strip() or doubtful):
        return "" if _closes_too_much(context, text) else text, 0
    chosen, fits = choose(TextPosition(full, offset, end), _reader(context), found)
    if not (fits or ended):
        return "", 0
    if not rest.strip():
        return chosen.text.rstrip(), chosen.replaced
    again = text[len(chosen.text) :] if text.startswith(chosen.text) else ""
    if again and rest.startswith(again):
        return chosen.text, chosen.replaced  # the model wrote the text after the cursor too, so it chose the blanks
    return _joined(context, chosen, rest, ended), chosen.replaced


def _joined(context: EditContext, chosen: Candidate, rest: str, ended: bool) -> str:
    """The text of ``chosen``, with a blank at its end if it would otherwise join what follows."""
    text, after = chosen.text, rest[chosen.replaced :]
    line = line_before(context)
    set_apart = not line or line[-1].isspace() or text[:1].isspace()
    if set_apart and not chosen.replaced and _stands_apart(line, text, after):
        return text + " "
    if not text or not is_word(text[-1]) or text[-1] == "_":
        return text
    sigils = _RUBY_SIGILS if grammar_of(context.document) == "ruby" else _SIGILS
    if not is_word(after[:1]) and not (set_apart and after[:1] in sigils):
        return text
    if is_word(line[-1:]) and all(map(is_word, text)):
        return text  # the text completes a word
    reader = _reader(context)
    apart, together = (sum(faults(reader, Edit(context.offset, chosen.replaced, text + blank))) for blank in (" ", ""))
    if apart <= together:
        return text + " "
    return text if ended else ""


def _closes_too_much(context: EditContext, text: str) -> bool:
    """Whether ``text`` only closes something, and nothing is open: the document parses without it, and not with it."""
    if not _CLOSING.fullmatch(text) or not grammar_of(context.document):
        return False
    reader = _reader(context)
    alone, closed = (sum(faults(reader, Edit(context.offset, 0, each))) for each in ("", text))
    return not alone and closed > 0


def _stands_apart(line: str, text: str, after: str) -> bool:
    """Whether people write a blank between ``text`` and ``after``, where one stands before ``text``: at the brace of a
    block, at an operator, and at a word or string after a closer or an operator. ``line`` ends at the cursor."""
    last, before = text[-1:], line.rstrip()[-1:]
    if after[:1] == "{":
        return last == ")" or ((is_word(last) or last in ("]", ">")) and (is_word(before) or before in (")", "]", ">")))
    if _OPERATOR.match(after):
        return is_word(last) or last in (")", "]", "}", *QUOTES)
    if _ENDS_APART.search(text) is None and (last not in QUOTES or text.count(last) % 2):
        return False
    return is_word(after[:1]) or after[:1] == "$" or (after[:1] in QUOTES and not open_quote(line + text, ""))


def _end_before(text: str, rest: str) -> str:
    """The white space to keep at the end of ``text`` before ``rest``: its last line end with the indentation after it,
    or one blank."""
    end = text[len(text.rstrip()) :]
    if not rest.strip() or not end or text.rstrip().endswith(rest.strip()):
        return ""
    if "\n" in end:
        return end[end.rindex("\n") :]
    return "" if rest[0].isspace() else " "


def _reader(context: EditContext) -> Reader:
    document = context.document
    grammar = grammar_of(document)
    if grammar:
        return TreeReader(tree_of(grammar, document, context.offset), context.offset)
    return LexerReader(document.text, context.offset, lexer_of(document))


def _line_end(text: str, offset: int) -> int:
    ends = [at for at in (text.find("\n", offset), text.find("\r", offset)) if at >= 0]
    return min(ends, default=len(text))
