"""Text to tokens in pieces, which are remembered: for a text that grows at its end, only the new part is tokenized.

While a user types, the same thousands of characters come again and again, each time a line longer. Most tokenizers
never join characters across the beginning of a line. With those, the tokens of the pieces between line beginnings are
the tokens of the whole.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import product

from tabspec.models.tokens.vocabulary import Vocabulary

# Characters of a piece, at least: some hundred tokens, which take a tenth of a millisecond; a window has a dozen.
PIECE = 384
# Pieces that are remembered: those of some twenty windows, of two to four documents with their related texts; and
# whole texts, which come again as they are while a line is typed.
_REMEMBERED, _WHOLE = 256, 64
# Where a piece may end, the more frequent places first: before a line's indentation (which Qwen and Llama 3 split from
# the line end), after it (which is one token with the line end for our own models), and where a line without
# indentation follows a line that is not empty (GPT-2 looks ahead from there). ASCII only: a normalizer joins some other
# characters with those before them.
RULES = tuple(map(re.compile, (r"\n(?=[ \t]*[!-~])", r"\n[ \t]*(?=[!-~])", r"(?<=\S)\n(?=[!-~])")))
_BEFORE = ("", "a", "a1", "é", "a;", "{ ", "a\n", "a\r")
_INDENTED = ("", " ", "    ", "\t")
_AFTER = ("b", "b c", "_", "1", "'s", "}", "- ")


class Encoder:
    """`Vocabulary.encode` with a memory for pieces of at least ``least`` characters."""

    def __init__(self, vocabulary: Vocabulary, least: int = PIECE) -> None:
        self._vocabulary, self._least = vocabulary, least
        self._piece = lru_cache(maxsize=_REMEMBERED)(self._tokens)
        self._text = lru_cache(maxsize=_WHOLE)(self._in_pieces)

    @cached_property
    def rule(self) -> re.Pattern[str] | None:
        """Where pieces may end; None if the tokenizer has to see the whole."""
        return next((rule for rule in RULES if _holds(rule, self._vocabulary)), None)

    def __call__(self, text: str) -> array[int]:
        """The tokenizer's own tokens for ``text``. Not to be changed: they are remembered."""
        return self._text(text) if self.rule else self._piece(text)

    def _in_pieces(self, text: str) -> array[int]:
        assert self.rule
        tokens = array("I")
        for piece in pieces(text, self.rule, self._least):
            tokens += self._piece(piece)
        return tokens

    def _tokens(self, text: str) -> array[int]:
        return array("I", self._vocabulary.encode(text))


def pieces(text: str, rule: re.Pattern[str], least: int) -> Iterator[str]:
    """``text`` in pieces of at least ``least`` characters that end where ``rule`` does. What is added at the end
    changes none but the last."""
    start = 0
    for match in rule.finditer(text):
        if match.end() - start >= least:
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]


def _holds(rule: re.Pattern[str], vocabulary: Vocabulary) -> bool:
    """Whether the tokenizer splits lines at this place in any surroundings."""
    around = product(_BEFORE, _INDENTED, _AFTER)
    texts = (f"{before}\n{indented}{after}" for before, indented, after in around)
    return all(
        vocabulary.apart(text[: match.end()], text[match.end() :]) for text in texts for match in rule.finditer(text)
    )
