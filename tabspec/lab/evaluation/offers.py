"""The two ends of an offer: whether it ends where a person could stop, and whether its joints hold.

Both are decided without the fitting's own judge: by Python's tokenizer for Python, by a lexer (Pygments) for other
languages, and by the document that the author wrote.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tabspec.syntax.languages import lexer

_FIRST_WORD, _LAST_WORD = re.compile(r"\w+"), re.compile(r"\w+\Z")
_BLANK = " \t"
# Shorter pieces (`}`, `x`, `fn`) are often written twice.
_SHORTEST_REPEATED = 3
_SHORTEST_LINE = 10
_QUOTES = "\"'`"
# What an editor may have put after the cursor by itself.
_CLOSING = " \t\r)]}>;,:\"'`"
# Words of Python that need something after them.
_PYTHON_NEEDY = frozenset(keyword.kwlist) - {
    "False", "None", "True", "break", "continue", "else", "finally", "pass", "return", "try", "yield"
}  # fmt: skip
# Signs after which an operand is missing, in any language; others (`>`, `*`, `!`, `&`, `?`) close something in some.
_OPERATORS = frozenset(
    "= == != <= >= += -= *= /= + - / % | || && . .. :: ?. @ ( [ and or not in is := ** // << ^ ~ \\ === !==".split()  # noqa: SIM905
) | {"??", "<"}


@dataclass(frozen=True, slots=True)
class OfferPlace:
    """An offer in its document: ``inserted`` between ``before`` and ``after``; after ``before`` the author wrote
    ``written``."""

    before: str
    inserted: str
    after: str
    written: str
    language: str

    @property
    def as_written(self) -> bool:
        """Whether it is what the author wrote there up to a line's end."""
        rest = self.written[len(self.inserted) :]
        return self.written.startswith(self.inserted) and (not rest.strip(_BLANK) or rest.lstrip(_BLANK)[0] in "\r\n")

    def knows(self, word: str) -> bool:
        """Whether the author's document has ``word`` as a whole word."""
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.before + self.written + self.after) is not None


def end_is_whole(place: OfferPlace) -> bool:
    """Whether a person could stop after the offer: no string or bracket is opened without content, no word is cut in
    two, no operator waits for its operand. Where the author's line ends is a whole end."""
    if place.as_written:
        return True
    return not _word_is_cut(place) and not _is_hanging(place)


def joints_hold(place: OfferPlace) -> bool:
    """Whether the offer joins what stands before and after it: no words run together, no second blank, no line said
    again, line ends and indentation as the document has them."""
    return not any(
        (
            _runs_together(place),
            _doubles_a_blank(place),
            _says_a_line_again(place),
            _mixes_white_space(place),
            "\ufffd" in place.inserted,
        )
    )


def _word_is_cut(place: OfferPlace) -> bool:
    """The author goes on with the last word; or, where the author wrote something else, the last word is a beginning of
    words in the author's document and is none itself."""
    last = _LAST_WORD.search(place.before[-200:] + place.inserted)
    if last is None or not place.inserted or _is_word(place.after[:1]):
        return False
    if place.written.startswith(place.inserted):
        return _is_word(place.written[len(place.inserted) : len(place.inserted) + 1])
    word = last.group()
    if place.knows(word):
        return False
    full = place.before + place.written + place.after
    return re.search(rf"(?<!\w){re.escape(word)}\w", full) is not None


def _is_hanging(place: OfferPlace) -> bool:
    """Whether the last token of the offer is opened or waits for what is not there."""
    rest = place.after.split("\n", 1)[0]
    if rest.strip(_CLOSING):
        return False  # what stands there may be its content or its operand; the parser judges that
    tokens = _python(place.before + place.inserted) if place.language == "python" else _lexed(place)
    text, opened = next(iter(deque(tokens, maxlen=1)), ("", False))
    return (
        (opened and text[0] not in rest) or text in _OPERATORS or (place.language == "python" and text in _PYTHON_NEEDY)
    )


def _python(text: str) -> Iterator[tuple[str, bool]]:
    """Python's own tokens of the code in ``text``, and whether each is a string that is opened and not closed."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.ERRORTOKEN and token.string in _QUOTES:
                yield token.string, True
                return
            if token.type == tokenize.COMMENT:
                yield "", False
            elif token.string.strip():
                yield token.string, False
    except (tokenize.TokenError, IndentationError):
        return  # within brackets or a string of several lines: the tokens up to there count


def _lexed(place: OfferPlace) -> Iterator[tuple[str, bool]]:
    """The same from a lexer: for languages whose own tokenizer is not at hand. A comment or prose counts as nothing."""
    reader = lexer(place.language, "")
    if reader is None:
        return
    from pygments.token import Comment, Error, Generic, String, Text

    for _, kind, value in reader.get_tokens_unprocessed(place.before + place.inserted):
        stripped = value.strip()
        if not stripped:
            continue
        if kind in Error and stripped[:1] in _QUOTES:
            yield stripped, True
        elif kind in String or kind in Comment or kind in Generic or kind in Text:
            yield "", False
        else:
            yield stripped, False


def _runs_together(place: OfferPlace) -> bool:
    """Whether two whole words of the author's document have become one that it does not have."""
    joints = (
        (place.before[-200:], place.inserted, place.written),
        (place.before[-200:] + place.inserted, place.after[:200], place.after),
    )
    for left, right, written in joints:
        first, second = _LAST_WORD.search(left), _FIRST_WORD.match(right)
        if not (place.inserted and first and second):
            continue
        one, other = first.group(), second.group()
        joined_by_author = written is place.written and _is_word(written[:1])
        if not joined_by_author and place.knows(one) and not place.knows(one + other) and _is_whole(place, other):
            return True
    return False


def _is_whole(place: OfferPlace, word: str) -> bool:
    return place.knows(word) or (place.language == "python" and keyword.iskeyword(word))


def _doubles_a_blank(place: OfferPlace) -> bool:
    """A blank beside another where the author has none: at the cursor, or at the end of the offer."""
    before, inserted, written = place.before, place.inserted, place.written
    if before[-1:] in tuple(_BLANK) and inserted[:1] in tuple(_BLANK) and written[:1] not in tuple(_BLANK):
        return True
    return inserted[-1:] in tuple(_BLANK) and (place.after[:1] in tuple(_BLANK) or place.after[:1] in ("", "\r", "\n"))


def _says_a_line_again(place: OfferPlace) -> bool:
    """The line up to the cursor, or the next line with something on it, where the author has it once."""
    so_far = place.before.rpartition("\n")[2].strip()
    said = place.inserted.strip()
    if len(so_far) >= _SHORTEST_REPEATED and said.startswith(so_far) and not place.written.strip().startswith(so_far):
        return True
    below = next((line.strip() for line in place.after.split("\n")[1:] if line.strip()), "")
    lines = [line.strip() for line in place.inserted.split("\n")[1:]]
    return len(below) >= _SHORTEST_LINE and below in lines and below not in place.written


def _mixes_white_space(place: OfferPlace) -> bool:
    """Line ends or indentation of another kind than the document's."""
    document = place.before + place.written + place.after
    if "\n" in place.inserted and ("\r\n" in document) != ("\r\n" in place.inserted):
        return True
    if re.search(r"\r(?!\n)", place.inserted):
        return True
    kinds = {line[0] for line in document.split("\n") if line[:1] in (" ", "\t")}
    mine = {line[0] for line in place.inserted.split("\n")[1:] if line[:1] in (" ", "\t")}
    return bool(kinds) and not mine <= kinds


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
