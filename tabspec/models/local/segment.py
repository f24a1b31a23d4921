"""The part of a generation between two canonical cuts: the tokens it chooses, and what they write. Runs no decoder."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tabspec.models.local.beginnings import beginnings
from tabspec.models.local.choosing import choose
from tabspec.models.local.logits import Logits
from tabspec.models.local.ngram_cache import NgramCache
from tabspec.models.local.slots import Choice
from tabspec.models.protocol import Chunk, Usage
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.models.tokens.writing import Event, Writing
from tabspec.suggestion import Finish

_REUSED, _PREFILLED, _DECODED = Usage(reused=1), Usage(prefill=1), Usage(decoded=1)


class Choosing(Protocol):
    """What decodes tokens after one prompt. `Segment` writes completions."""

    finish: Finish | None
    ngrams: NgramCache | None

    @property
    def over(self) -> bool: ...

    @property
    def room(self) -> int:
        """How many tokens a draft may have; 0 or less for none."""
        ...

    def known_tokens(self) -> list[int] | None:
        """Tokens that are probably chosen next."""
        ...

    def holding(self, choices: Sequence[Choice | None]) -> int:
        """How many of ``choices``, which were made after this prompt before, would be made again."""
        ...

    def choose(self, logits: Logits, before: array[int]) -> tuple[Choice, Chunk]:
        """Choose a token by ``logits`` after the last tokens ``before``, and write it."""
        ...

    def take(self, choice: Choice, reused: bool = False) -> Chunk:
        """Write a token that was chosen before."""
        ...


@dataclass
class Segment:
    """One prompt, and the tokens chosen after it.

    ``rest`` is the known text that is still to be repeated; ``ahead`` of its bytes are before the cursor. ``spent``
    counts the suggestion's tokens. The segment ends when ``finish`` is set (the generation ends, too) or ``cut`` (the
    token that moved the canonical cut). ``likely`` is a token that is probably chosen first. If ``beginnings`` is not
    0, the segment ends where the suggestion begins, with so many ways to begin it.
    """

    vocabulary: Vocabulary
    writing: Writing
    rest: bytes
    ahead: int
    spent: int
    finish: Finish | None = None
    cut: int | None = None
    ngrams: NgramCache | None = None
    beginnings: int = 0
    likely: int | None = None

    @classmethod
    def start(cls, vocabulary: Vocabulary, writing: Writing, beginnings: int = 0, likely: int | None = None) -> Segment:
        """Suggestion text before the cut counts as many tokens as the tokenizer makes of it."""
        known = writing.known.encode("utf-8")
        ahead = len(writing.text[len(writing.head) : writing.cursor].encode("utf-8"))
        spent = len(vocabulary.encode(writing.head[writing.cursor :]))
        finish = Finish.STOP if writing.stopped() else Finish.LENGTH if spent >= writing.stop.max_tokens else None
        return cls(vocabulary, writing, known, ahead, spent, finish, beginnings=beginnings, likely=likely)

    @property
    def over(self) -> bool:
        return self.cut is not None or self.finish is not None

    @property
    def room(self) -> int:
        return 0 if self.beginnings else self.writing.stop.max_tokens - self.spent - 1

    def known_tokens(self) -> list[int] | None:
        """Tokens for the known text; None if it begins within a character."""
        if not self.rest:
            return []
        if self.likely is not None and self.vocabulary.bytes_of[self.likely].startswith(self.rest):
            return [self.likely]  # a line end and the next line's indentation, of which only the line end is known
        try:
            return self.vocabulary.encode(self.rest.decode("utf-8"))
        except UnicodeDecodeError:
            return None

    def holding(self, choices: Sequence[Choice | None]) -> int:
        """How many of ``choices``, which were made after this prompt before, would be made again.

        A choice made while less text was known holds if it agrees with what is known now: it was the best of more
        tokens than are allowed now. The token that begins the suggestion is chosen again if more of it is known now:
        its log-probability is another one.
        """
        rest = self.rest
        for count, choice in enumerate(choices):
            if choice is None or not rest.startswith(choice.rest) or choice.ngrams != self._ngram_key:
                return count
            data = self.vocabulary.bytes_of[choice.token]
            if self._begins(choice, rest) or not (rest.startswith(data) or data.startswith(rest)):
                return count
            if len(data) > len(rest) and rest != choice.rest:
                return count
            rest = rest[len(data) :]
        return len(choices)

    def choose(self, logits: Logits, before: array[int]) -> tuple[Choice, Chunk]:
        """Choose a token by ``logits`` after the last tokens ``before``, and write it."""
        ngram_match = self.ngrams.after(before) if self.ngrams else None
        choice = choose(self.vocabulary, logits, self.rest, ngram_match, self._ngram_key)
        if not self._begins(choice, self.rest):
            return choice, self.take(choice)
        self.finish = Finish.LENGTH
        mixed = ngram_match.mixed(logits) if ngram_match else logits
        return choice, Chunk(beginnings=beginnings(self.vocabulary, mixed, self.rest, self.beginnings))

    def take(self, choice: Choice, reused: bool = False) -> Chunk:
        """Write a chosen token; ``reused``: it is in the KV cache already. One that only repeats known text counts as
        a part of the prompt."""
        stop = self.writing.stop
        data = b"" if choice.token in self.vocabulary.control else self.vocabulary.bytes_of[choice.token]
        if not data:  # any control token ends the middle
            self.finish = Finish.END
            return Chunk()
        fresh, self.rest = data[len(self.rest) :], self.rest[len(data) :]
        least = stop.min_logprob if self.writing.suggestion else stop.min_first_logprob
        if fresh and least is not None and choice.logprob < least:
            self.finish = Finish.doubt(self.writing.suggestion, fresh.decode("utf-8", "ignore"))
            return Chunk()
        self.spent += len(data) > self.ahead
        self.ahead = max(self.ahead - len(data), 0)
        text, event = self.writing.write(fresh) if fresh else ("", Event.GOES_ON)
        if event is Event.CUT:
            self.cut = choice.token
        elif event is not Event.GOES_ON:
            self.finish = Finish.STOP if event is Event.STOP else Finish.END
        elif not self.rest and self.spent >= stop.max_tokens:
            self.finish = Finish.LENGTH
        if not fresh:
            return Chunk(usage=_REUSED if reused else _PREFILLED)
        return Chunk(text, (choice.token,), (choice.logprob,), _REUSED if reused else _DECODED)

    @property
    def _ngram_key(self) -> int:
        return self.ngrams.key if self.ngrams else 0

    def _begins(self, choice: Choice, rest: bytes) -> bool:
        """Whether only the ways to begin are wanted, and this token, chosen with ``rest`` left, begins the
        suggestion."""
        return bool(self.beginnings) and (not rest or len(self.vocabulary.bytes_of[choice.token]) > len(rest))
