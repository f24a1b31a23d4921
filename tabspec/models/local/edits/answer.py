"""The answer to one question, as it is decoded: the window's lines are the draft, so that copying costs no passes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from tabspec.models.local.choosing import choose, given
from tabspec.models.local.logits import Logits
from tabspec.models.local.ngram_cache import NgramCache
from tabspec.models.local.slots import Choice
from tabspec.models.protocol import Chunk, Usage
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.suggestion import Finish
from tabspec.text import common_prefix

# Tokens that an answer may have beyond the window's own. Nine in ten answers of the training data have fewer in all.
ROOM = 96
# Tokens of the window after which the draft goes on, once something else was written: as many as are compared.
_SAME = 3
# How far behind the first difference a single token is searched for.
_NEAR = 12
# How many of them are run in a pass then. With the compiled decoder, a pass of eight rows takes 1.5 times one of a row.
_AFTER_CHANGE = 8

_DECODED = Usage(decoded=1)


@dataclass
class AnswerSegment:
    """The tokens of an answer: ``end`` is its last one, ``same`` the only one where nothing changes.

    ``old`` are the tokens of the answer that writes the window again. The answer is whole if ``finish`` is END.
    """

    vocabulary: Vocabulary
    old: Sequence[int]
    same: int
    end: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Finish | None = None
    ngrams: NgramCache | None = None

    @property
    def over(self) -> bool:
        return self.finish is not None

    @property
    def room(self) -> int:
        """Where the window's own tokens are no draft, what followed the last tokens elsewhere may be."""
        return 0 if self.known_tokens() else len(self.old) + ROOM - len(self.tokens) - 1

    @property
    def text(self) -> str | None:
        """What is written; None if it is not whole, or no text. It begins with a line end, if it is not empty."""
        if self.finish is not Finish.END or self.tokens == [self.same]:
            return None
        try:
            text = b"".join(self.vocabulary.bytes_of[token] for token in self.tokens[:-1]).decode("utf-8")
        except UnicodeDecodeError:
            return None
        return text if not text or text[0] == "\n" else None

    def known_tokens(self) -> list[int]:
        """The window's tokens that follow the last ones written."""
        old, written = list(self.old), self.tokens
        copied = common_prefix(old, written)
        if copied == len(written):
            return old[copied:]
        for count in range(min(_SAME, len(written)), 0, -1):
            last = written[-count:]
            # A single token has to be near: a bracket or a line end stands anywhere.
            stop = len(old) - count if count > 1 else min(copied + _NEAR, len(old) - 1)
            for at in range(max(copied - count + 1, 0), stop):
                if old[at : at + count] == last:
                    return old[at + count : at + count + _AFTER_CHANGE]
        return []

    def holding(self, choices: Sequence[Choice | None]) -> int:
        """None: a choice that was made may have been given (`GivenAnswer`)."""
        return 0

    def choose(self, logits: Logits, before: array[int]) -> tuple[Choice, Chunk]:
        choice = self._choice(logits)
        return choice, self.take(choice)

    def _choice(self, logits: Logits) -> Choice:
        return choose(self.vocabulary, logits, b"")

    def take(self, choice: Choice, reused: bool = False) -> Chunk:
        token = choice.token
        self.tokens.append(token)
        self.logprobs.append(choice.logprob)
        ends = (self.end, self.same) if len(self.tokens) == 1 else (self.end,)
        if token in self.vocabulary.control:
            self.finish = Finish.END if token in ends else Finish.STOP
        elif len(self.tokens) >= len(self.old) + ROOM:
            self.finish = Finish.LENGTH
        return Chunk(tokens=(token,), logprobs=(choice.logprob,), usage=_DECODED)


@dataclass
class GivenAnswer(AnswerSegment):
    """An answer whose tokens are ``given``: how likely the model writes them. It costs one pass."""

    given: Sequence[int] = ()

    @property
    def room(self) -> int:
        return 0

    def known_tokens(self) -> list[int]:
        return list(self.given[len(self.tokens) : -1])  # the last one is only chosen

    def _choice(self, logits: Logits) -> Choice:
        return given(logits, self.given[len(self.tokens)])
