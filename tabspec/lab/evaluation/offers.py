"""Two checks of a suggestion (an offer): whether its end is complete, and whether it fits the text around it.

The checks share no code with the product's fitting, so that they can measure it. They use Python's tokenizer for
Python, a lexer (Pygments) for other languages, and the author's document.
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
from tabspec.text import is_word

_FIRST_WORD, _LAST_WORD = re.compile(r"\w+"), re.compile(r"\w+\Z")
_BLANK = " \t"
# Shorter repetitions (`}`, `x`, `fn`) are common in correct code.
_SHORTEST_REPEATED = 3
_SHORTEST_LINE = 10
_QUOTES = "\"'`"
# Characters after the cursor that an editor may have inserted, and white space.
_CLOSING = " \t\r)]}>;,:\"'`"
# Keywords of Python that cannot end a line.
_PYTHON_NEEDY = frozenset(keyword.kwlist) - {
    "False", "None", "True", "break", "continue", "else", "finally", "pass", "return", "try", "yield"
}  # fmt: skip
# Operators that need an operand after them in every language. Others (`>`, `*`, `!`, `&`, `?`) may end code in some.
_OPERATORS = frozenset(
    "= == != <= >= += -= *= /= + - / % | || && . .. :: ?. @ ( [ and or not in is := ** // << ^ ~ \\ === !==".split()  # noqa: SIM905
) | {"??", "<"}


@dataclass(frozen=True, slots=True)
class OfferPlace:
    """An offer in its document: ``inserted`` between ``before`` and ``after``, where the author wrote ``written``."""

    before: str
    inserted: str
    after: str
    written: str
    language: str

    @property
    def as_written(self) -> bool:
        """Whether the offer equals the author's text up to the end of a line."""
        rest = self.written[len(self.inserted) :]
        return self.written.startswith(self.inserted) and (not rest.strip(_BLANK) or rest.lstrip(_BLANK)[0] in "\r\n")

    def knows(self, word: str) -> bool:
        """Whether the author's document has ``word`` as a whole word."""
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.before + self.written + self.after) is not None


def end_is_whole(place: OfferPlace) -> bool:
    """Whether the offer has a complete end: no string or bracket is opened without content, no word is cut, and no
    operator lacks its operand. The end of the author's line is always complete."""
    if place.as_written:
        return True
    return not _word_is_cut(place) and not _is_hanging(place)


def joints_hold(place: OfferPlace) -> bool:
    """Whether the offer fits the text around it: no words are joined, no blank or line is repeated, and line ends and
    indentation are those of the document."""
    return not any(
        (
            _runs_together(place),
            _doubles_a_blank(place),
            _repeats_a_line(place),
            _mixes_white_space(place),
            "\ufffd" in place.inserted,
        )
    )


def _word_is_cut(place: OfferPlace) -> bool:
    """Whether the offer ends within a word.

    If the author's text starts with the offer, the author's word must be longer. Otherwise the offer's last word must
    be only the start of other words in the author's document.
    """
    last = _LAST_WORD.search(place.before[-200:] + place.inserted)
    if last is None or not place.inserted or is_word(place.after[:1]):
        return False
    if place.written.startswith(place.inserted):
        return is_word(place.written[len(place.inserted) : len(place.inserted) + 1])
    word = last.group()
    if place.knows(word):
        return False
    full = place.before + place.written + place.after
    return re.search(rf"(?<!\w){re.escape(word)}\w", full) is not None


def _is_hanging(place: OfferPlace) -> bool:
    """Whether the last token of the offer opens a string or needs a token after it, and nothing follows on the line.

    A string that the author has opened before the cursor, and in which the offer ends, is not the offer's to close.
    """
    rest = place.after.split("\n", 1)[0]
    if rest.strip(_CLOSING):
        return False  # the text after the offer may be the content or the operand; `parses` checks that
    if (quote := _open_quote(place)) and quote not in place.inserted:
        return False
    tokens = _python(place) if place.language == "python" else _lexed(place)
    text, opened = next(iter(deque(tokens, maxlen=1)), ("", False))
    return (
        (opened and text[0] not in rest) or text in _OPERATORS or (place.language == "python" and text in _PYTHON_NEEDY)
    )


def _open_quote(place: OfferPlace) -> str:
    """The quote of the string that the line before the cursor opens; "" if there is none."""
    found = before = ""
    for char in re.sub(r"\\.", "", place.before.rpartition("\n")[2]):
        apostrophe = char == "'" and (is_word(before) or place.language == "rust")  # there it marks lifetimes
        if char == found:
            found = ""
        elif not found and char in _QUOTES and not apostrophe:
            found = char
        before = char
    return found


def _python(place: OfferPlace) -> Iterator[tuple[str, bool]]:
    """Python's tokens up to the end of the offer, and whether each is a string that is opened and has no content. A
    comment, or a string with content in which the offer ends, is ""."""
    text = place.before + place.inserted
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.ERRORTOKEN and token.string in _QUOTES:
                yield token.string, True
                return
            if token.type == tokenize.COMMENT:
                yield "", False
            elif token.string.strip():
                yield token.string, False
    except tokenize.TokenError as error:  # an open bracket or multi-line string: the tokens before it count
        message, (row, column) = error.args
        if "string" in message:
            string = "\n".join(text.split("\n")[row - 1 :])[column:].lstrip("rRbBuUfF")
            yield ("", False) if string[3:].strip() else (string[:1], True)
    except IndentationError:
        return


def _lexed(place: OfferPlace) -> Iterator[tuple[str, bool]]:
    """The same for other languages, by a lexer. A string, a comment or prose is ""."""
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
    """Whether the offer joins two words of the author's document into one that the document does not have."""
    joints = (
        (place.before[-200:], place.inserted, place.written),
        (place.before[-200:] + place.inserted, place.after[:200], place.after),
    )
    for left, right, written in joints:
        first, second = _LAST_WORD.search(left), _FIRST_WORD.match(right)
        if not (place.inserted and first and second):
            continue
        one, other = first.group(), second.group()
        joined_by_author = written is place.written and is_word(written[:1])
        if not joined_by_author and place.knows(one) and not place.knows(one + other) and _is_whole(place, other):
            return True
    return False


def _is_whole(place: OfferPlace, word: str) -> bool:
    return place.knows(word) or (place.language == "python" and keyword.iskeyword(word))


def _doubles_a_blank(place: OfferPlace) -> bool:
    """Whether the offer adds a superfluous blank: at the cursor, where the author has none, or at its end."""
    before, inserted, written = place.before, place.inserted, place.written
    if before[-1:] in tuple(_BLANK) and inserted[:1] in tuple(_BLANK) and written[:1] not in tuple(_BLANK):
        return True
    return inserted[-1:] in tuple(_BLANK) and (place.after[:1] in tuple(_BLANK) or place.after[:1] in ("", "\r", "\n"))


def _repeats_a_line(place: OfferPlace) -> bool:
    """Whether the offer repeats the line up to the cursor or the next line with text, where the author does not."""
    so_far = place.before.rpartition("\n")[2].strip()
    inserted = place.inserted.strip()
    if (
        len(so_far) >= _SHORTEST_REPEATED
        and inserted.startswith(so_far)
        and not place.written.strip().startswith(so_far)
    ):
        return True
    below = next((line.strip() for line in place.after.split("\n")[1:] if line.strip()), "")
    lines = [line.strip() for line in place.inserted.split("\n")[1:]]
    return len(below) >= _SHORTEST_LINE and below in lines and below not in place.written


def _mixes_white_space(place: OfferPlace) -> bool:
    """Whether line ends or indentation are of another kind than the document's."""
    document = place.before + place.written + place.after
    if "\n" in place.inserted and ("\r\n" in document) != ("\r\n" in place.inserted):
        return True
    if re.search(r"\r(?!\n)", place.inserted):
        return True
    kinds = {line[0] for line in document.split("\n") if line[:1] in (" ", "\t")}
    mine = {line[0] for line in place.inserted.split("\n")[1:] if line[:1] in (" ", "\t")}
    return bool(kinds) and not mine <= kinds
