"""A suggestion, where it came from, and how the request for it ended."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import StrEnum

from tabspec.edits.edit import ProposedEdit

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+|$)")
_LINE = re.compile(r"(?:\r\n|\n|\r)?[^\r\n]*(?:\r\n|\n|\r)?")


class Finish(StrEnum):
    """Why a generation stopped."""

    END = "end"  # the model said that the middle is complete
    STOP = "stop"  # a stop rule held (end of the line or block)
    LENGTH = "length"  # the token budget was used up
    CONFIDENCE = "confidence"  # the next token was too unlikely
    MID_WORD = "mid_word"  # the same, and it would have gone on with the last word
    CANCELLED = "cancelled"  # the request was taken back

    @property
    def in_doubt(self) -> bool:
        """Whether the model stopped because what comes next was too unlikely."""
        return self in (Finish.CONFIDENCE, Finish.MID_WORD)

    @classmethod
    def doubt(cls, text: str, following: str) -> Finish:
        """How ``text`` ends if ``following`` is what the model is in doubt about."""
        joined = _is_word(text[-1:]) and _is_word(following[:1])
        return cls.MID_WORD if joined else cls.CONFIDENCE


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


class Source(StrEnum):
    """How a request was answered. The values are fields of the replay result (its `sources`)."""

    EXACT = "exact"  # from the completion cache, asked for earlier at this very place
    TYPE_THROUGH = "type_through"  # from the completion cache: the rest of a suggestion being typed
    SPECULATED = "speculated"  # from the completion cache, put there by speculation
    JOINED = "joined"  # from a generation that was already in flight
    MODEL = "model"  # from a generation started for this request
    NONE = "none"  # not answered with a suggestion; `Reason` says why


class Reason(StrEnum):
    """Why a request was not answered with a suggestion."""

    EMPTY = "empty"  # the model had nothing to say
    WITHHELD = "withheld"  # it had, but not good enough to show
    REJECTED = "rejected"  # the user has refused just this at this place
    SUPERSEDED = "superseded"  # the document moved on before the answer came
    CANCELLED = "cancelled"  # the client took the request back
    FAILED = "failed"  # the model failed
    UNAVAILABLE = "unavailable"  # the model is loading, down or gone
    EXCLUDED = "excluded"  # the file is not to be read (ignore rules, too large, binary)


class Miss(StrEnum):
    """Why a request had to wait for the model although the policy asks ahead."""

    NOT_SPECULATED = "not_speculated"  # the policy does not ask ahead
    NOT_PREDICTED = "not_predicted"  # what the user did was none of the futures asked for
    NO_TIME = "no_time"  # speculation had begun, and was not done
    MODEL_BUSY = "model_busy"  # it was queued, the model was at other work
    CANCELLED = "cancelled"  # it was asked for, and stopped
    FAILED = "failed"  # it was asked for, and the model failed
    EVICTED = "evicted"  # the answer was there, and was dropped from the completion cache
    NO_SUGGESTION = "no_suggestion"  # there was nothing to suggest at this place
    UNRECORDED = "unrecorded"  # a recorded assistant was never asked at this place: nobody knows what it would say
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text offered at a cursor.

    Accepting it replaces ``replace_before`` code points before the cursor and ``replace_after`` behind it by
    ``text`` and leaves the cursor behind ``text``. ``probability`` is the calibrated chance that a user would
    accept it (None: unknown); ``logprob`` the sum of the token log-probabilities (natural logarithm).

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
        """What is left of it once ``typed`` has been typed at the cursor; None if it says something else.

        Only pure continuations survive typing: with ``replace_before`` the text does not start at the cursor.
        """
        if self.edit is not None:
            return None if typed else self
        if self.replace_before or not self.text.startswith(typed):
            return None
        return replace(self, text=self.text[len(typed) :])

    def first_word(self) -> Suggestion:
        """The part that "accept word" takes: white space and the word or the punctuation behind it."""
        return self._part(_WORD)

    def first_line(self) -> Suggestion:
        """The part that "accept line" takes: up to the first line end behind some text, that line end included."""
        return self._part(_LINE)

    def _part(self, pattern: re.Pattern[str]) -> Suggestion:
        match = pattern.match(self.text)
        length = match.end() if match else len(self.text)
        if self.edit is not None or length in (0, len(self.text)):
            return self
        # What stands behind the cursor is replaced by the whole suggestion only; a part leaves it alone.
        return replace(self, text=self.text[:length], replace_after=0)


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """What a model wrote at a place, before post-processing.

    ``ends[i]`` is the length of the text once token ``i`` was written, ``logprobs[i]`` that token's log-probability. A
    token that ends where the one before does holds the first bytes of the character that follows.
    """

    text: str
    finish: Finish
    ends: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()

    def after_typing(self, typed: str) -> GeneratedText | None:
        """What is left of it once ``typed`` has been typed; None if it says something else, or no more.

        A token of which only a part was typed still counts with its whole log-probability: so it does in a
        generation that starts behind the typed text, where that token is decoded under a constraint. Blanks alone that
        the stop rule has left over are no rest: asked anew, the model goes on to the next line.
        """
        if not typed:
            return self if self.text else None
        rest = self.text[len(typed) :]
        if not self.text.startswith(typed) or not rest or (self.finish is Finish.STOP and rest.isspace()):
            return None
        kept = bisect_left(self.ends, len(typed))
        kept += self.ends[kept : kept + 1] == (
            len(typed),
        )  # the token that ends here, but not the next one's first bytes
        return GeneratedText(
            rest,
            self.finish,
            tuple(end - len(typed) for end in self.ends[kept:]),
            self.logprobs[kept:],
        )

    def stopped_at(self, end: int) -> GeneratedText:
        """Its first ``end`` characters, and its tokens up to the one that reached them: what there would be if a stop
        rule had held there."""
        kept = bisect_left(self.ends, end) + 1
        ends = tuple(min(at, end) for at in self.ends[:kept])
        return GeneratedText(self.text[:end], Finish.STOP, ends, self.logprobs[:kept])

    @property
    def logprob(self) -> float:
        """Sum of the tokens' log-probabilities."""
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended: exactly one of these for each request.

    ``waited`` is in seconds, from the request to this answer; ``reason`` is set where there is no suggestion, ``miss``
    where there is one that had to be waited for. ``cached`` tells that the completion cache knew the answer, be it that
    there is nothing to suggest.
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
