"""The last step of post-processing: adapts a text to the text after the cursor."""

from __future__ import annotations

import re

from tabspec.context import EditContext
from tabspec.fitting.brackets import unmatched
from tabspec.fitting.candidates import Candidate, candidates
from tabspec.fitting.ends import whole
from tabspec.fitting.judge import LexerReader, Place, Reader, TreeReader, choose
from tabspec.fitting.truncation import line_before
from tabspec.syntax.languages import grammar_of, lexer_of
from tabspec.syntax.trees import tree_of
from tabspec.text import Edit

# Lines below the cursor's, not counting blank ones, that a text is compared with.
_BELOW = 12
# Characters after the cursor that are searched for those lines.
_NEAR = 1200
# Shorter words are whole words somewhere by chance; longer ones are not looked for.
_SHORTEST_WORD, _LONGEST_WORD = 3, 100
# Characters before and after the cursor in which a word counts as known: searched in about 0.1 ms.
_KNOWN_NEAR = 50_000
_LAST_WORD = re.compile(r"\w+\Z")
# Signs that begin a name, in code. A word before them needs a blank.
_SIGILS = {"php": "$", "ruby": "@$"}


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
    doubtful = len(found) > 1 and (any(each.repeats for each in found) or unmatched(text)[0])
    if not text or not (rest.strip() or doubtful):
        return text, 0
    chosen, fits = choose(Place(full, offset, end), _reader(context), found)
    if not (fits or ended):
        return "", 0
    again = text[len(chosen.text) :] if text.startswith(chosen.text) else ""
    if again and rest.startswith(again):
        return chosen.text, chosen.replaced  # the model wrote the text after the cursor too, so it chose the blanks
    return _joined(context, chosen, rest, ended), chosen.replaced


def whole_end(context: EditContext, text: str, mid_word: bool = False) -> str:
    """``text``, which stopped at an arbitrary place, up to where a person could stop (`tabspec.fitting.ends.whole`)."""
    grammar = grammar_of(context.document)
    at = context.offset
    prose = grammar is not None and tree_of(grammar, context.document, at).opaque(at) is not None
    mid_word = mid_word and not _last_word_is_known(context, text)
    language, before = grammar or context.document.language.lower(), line_before(context)
    return whole(text, language, before=before, opaque=prose, mid_word=mid_word)


def _last_word_is_known(context: EditContext, text: str) -> bool:
    """Whether the document near the cursor has the last word of ``text`` as a whole word: then it is one, although the
    model would have continued it."""
    document, offset = context.document.text, context.offset
    found = _LAST_WORD.search(document[max(offset - _LONGEST_WORD, 0) : offset] + text)
    if found is None or len(found[0]) < _SHORTEST_WORD or _is_word(document[offset : offset + 1]):
        return False
    near = document[max(offset - _KNOWN_NEAR, 0) : offset + _KNOWN_NEAR]
    word = re.escape(found[0])
    return re.search(rf"{word}(?!\w)(?<!\w{word})", near) is not None  # 50 times as fast as with \b before the word


def _joined(context: EditContext, chosen: Candidate, rest: str, ended: bool) -> str:
    """The text of ``chosen``, with a blank at its end if it would otherwise join the next word."""
    text, following = chosen.text, rest[chosen.replaced : chosen.replaced + 1]
    if not text or not _is_word(text[-1]) or text[-1] == "_":
        return text
    if following and following in _SIGILS.get(grammar_of(context.document) or "", "") and _reader(context).code:
        return text + " "
    if not _is_word(following):
        return text
    before = context.document.text[context.offset - 1 : context.offset]
    if _is_word(before) and all(map(_is_word, text)):
        return text  # the text completes a word
    reader = _reader(context)
    apart, together = (reader.errors(Edit(context.offset, chosen.replaced, text + blank)) for blank in (" ", ""))
    if apart <= together:
        return text + " "
    return text if ended else ""


def _end_before(text: str, rest: str) -> str:
    """The white space to keep at the end of ``text`` before ``rest``: its last line end with the indentation after it,
    or one blank."""
    end = text[len(text.rstrip()) :]
    if not rest.strip() or not end:
        return ""
    if "\n" in end:
        return end[end.rindex("\n") :]
    return "" if rest[0].isspace() else " "


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _reader(context: EditContext) -> Reader:
    document = context.document
    grammar = grammar_of(document)
    if grammar:
        return TreeReader(tree_of(grammar, document, context.offset), context.offset)
    return LexerReader(document.text, context.offset, lexer_of(document))


def _line_end(text: str, offset: int) -> int:
    ends = [at for at in (text.find("\n", offset), text.find("\r", offset)) if at >= 0]
    return min(ends, default=len(text))
