"""A suggestion, its source, and how its request ended."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import StrEnum

from tabspec.edits.edit import ProposedEdit
from tabspec.text import is_word

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+|$)")
_LINE = re.compile(r"(?:\r\n|\n|\r)?[^\r\n]*(?:\r\n|\n|\r)?")


class Finish(StrEnum):
    """Why a generation stopped."""

    END = "end"  # the model emitted its end token: the middle is complete
    STOP = "stop"  # a stop rule held (end of the line or block)
    LENGTH = "length"  # the token budget was used up
    CONFIDENCE = "confidence"  # the next token was too unlikely
    MID_WORD = "mid_word"  # the same, and that token would have continued the last word
    CANCELLED = "cancelled"  # the request was cancelled

    @classmethod
    def doubt(cls, text: str, following: str) -> Finish:
        """How ``text`` ends if ``following`` is what the model is in doubt about."""
        joined = is_word(text[-1:]) and is_word(following[:1])
        return cls.MID_WORD if joined else cls.CONFIDENCE


class Source(StrEnum):
    """How a request was answered. The values are fields of the replay result (its `sources`)."""

    EXACT = "exact"  # from the completion cache, computed for an earlier request at exactly this state
    TYPE_THROUGH = "type_through"  # from the completion cache: the rest of a suggestion being typed
    SPECULATED = "speculated"  # from the completion cache, put there by speculation
    JOINED = "joined"  # from a generation that was already in flight
    MODEL = "model"  # from a generation started for this request
    NONE = "none"  # not answered with a suggestion; `Reason` is why


class Reason(StrEnum):
    """Why a request was not answered with a suggestion."""

    EMPTY = "empty"  # the model suggests nothing
    WITHHELD = "withheld"  # its suggestion is too unlikely to be shown
    REJECTED = "rejected"  # the user has rejected this suggestion at this place
    SUPERSEDED = "superseded"  # the document changed before the answer came
    CANCELLED = "cancelled"  # the client cancelled the request
    FAILED = "failed"  # the model failed
    UNAVAILABLE = "unavailable"  # the model is loading or has stopped
    EXCLUDED = "excluded"  # the file is not to be read (ignore rules, too large, binary)


class Miss(StrEnum):
    """Why a request had to wait for the model although the policy asks ahead."""

    NOT_SPECULATED = "not_speculated"  # the policy does not ask ahead
    NOT_PREDICTED = "not_predicted"  # no speculation was for this state
    NO_TIME = "no_time"  # its speculation was running
    MODEL_BUSY = "model_busy"  # its speculation was queued
    CANCELLED = "cancelled"  # its speculation was cancelled
    FAILED = "failed"  # its speculation failed
    EVICTED = "evicted"  # its speculation ended, and the completion cache has dropped the answer
    NO_SUGGESTION = "no_suggestion"  # there was nothing to suggest at this place
    UNRECORDED = "unrecorded"  # a recorded assistant was never asked at this place
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text offered at a cursor.

    Accepting it replaces ``replace_before`` code points before the cursor and ``replace_after`` after it by
    ``text``, and puts the cursor after ``text``. ``probability`` is that of its tokens, lowered for unknown words
    (`tabspec.fitting.postprocess.power`); of a next edit, the chance that a user takes it. None: unknown. ``logprob``
    is the sum of the token log-probabilities (natural logarithm).

    With ``edit``, it is a next edit: accepting it makes this change, wherever that is in the document, and puts the
    cursor where it says. ``text`` is then what the change inserts; nothing is replaced around the cursor.
    """

    text: str
    replace_before: int = 0
    replace_after: int = 0
    finish: Finish = Finish.END
    logprob: float | None = None
    probability: float | None = None
    edit: ProposedEdit | None = None

    def __bool__(self) -> bool:
        return bool(self.text) or self.replace_before > 0 or self.replace_after > 0 or self.edit is not None

    @classmethod
    def of(cls, edit: ProposedEdit) -> Suggestion:
        """A next edit as a suggestion."""
        return cls(edit.change.insert, probability=edit.probability, edit=edit)

    def after_typing(self, typed: str) -> Suggestion | None:
        """What is left of it once ``typed`` has been typed at the cursor; None if it does not begin so.

        Only pure continuations survive typing: with ``replace_before`` the text does not start at the cursor.
        """
        if self.edit is not None:
            return None if typed else self
        if self.replace_before or not self.text.startswith(typed):
            return None
        return replace(self, text=self.text[len(typed) :])

    def first_word(self) -> Suggestion:
        """The part that "accept word" takes: white space and the word or the punctuation after it."""
        return self._part(_WORD)

    def first_line(self) -> Suggestion:
        """The part that "accept line" takes: up to the first line end after some text, including that line end."""
        return self._part(_LINE)

    def _part(self, pattern: re.Pattern[str]) -> Suggestion:
        match = pattern.match(self.text)
        length = match.end() if match else len(self.text)
        if self.edit is not None or length in (0, len(self.text)):
            return self
        # Only the whole suggestion replaces text after the cursor.
        return replace(self, text=self.text[:length], replace_after=0)


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """What a model wrote at a place, before post-processing.

    ``ends[i]`` is the length of the text once token ``i`` was written, ``logprobs[i]`` that token's log-probability. A
    token that ends where the one before does holds the first bytes of the character that follows. ``begun``: the user
    has typed the beginning of the first token, so that a new generation would find it more likely than
    ``logprobs[0]``.
    """

    text: str
    finish: Finish
    ends: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    begun: bool = False

    def after_typing(self, typed: str) -> GeneratedText | None:
        """What is left of it once ``typed`` has been typed; None if it does not begin so, or if nothing is left.

        White space alone at a stop is not a rest: a new request lets the model continue with the next line.
        """
        if not typed:
            return self if self.text else None
        rest = self.text[len(typed) :]
        if not self.text.startswith(typed) or not rest or (self.finish is Finish.STOP and rest.isspace()):
            return None
        kept = bisect_left(self.ends, len(typed))
        # The token that ends here goes, but not one after it that holds the first bytes of the next character.
        kept += self.ends[kept : kept + 1] == (len(typed),)
        return GeneratedText(
            rest,
            self.finish,
            tuple(end - len(typed) for end in self.ends[kept:]),
            self.logprobs[kept:],
            begun=kept < len(self.ends) and (self.ends[kept - 1] if kept else 0) != len(typed),
        )

    def stopped_at(self, end: int, finish: Finish = Finish.STOP) -> GeneratedText:
        """Its first ``end`` characters, and its tokens up to the one that reaches them, as if it had finished there."""
        kept = bisect_left(self.ends, end) + 1
        ends = tuple(min(at, end) for at in self.ends[:kept])
        return GeneratedText(self.text[:end], finish, ends, self.logprobs[:kept], self.begun)

    @property
    def logprob(self) -> float:
        """Sum of the tokens' log-probabilities."""
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended: exactly one of these for each request.

    ``waited`` is in seconds, from the request to this answer; ``reason`` is set where there is no suggestion, ``miss``
    where there is one that had to be waited for. ``cached``: the answer is from the completion cache, also if it is
    that there is nothing to suggest.
    """

    source: Source
    suggestions: tuple[Suggestion, ...] = ()
    reason: Reason | None = None
    waited: float = 0.0
    detail: str = ""
    miss: Miss | None = None
    cached: bool = False

    @property
    def suggestion(self) -> Suggestion | None:
        return self.suggestions[0] if self.suggestions else None

    @property
    def instant(self) -> bool:
        """Answered with a suggestion, without waiting for the model."""
        return self.source in (Source.EXACT, Source.TYPE_THROUGH, Source.SPECULATED)
