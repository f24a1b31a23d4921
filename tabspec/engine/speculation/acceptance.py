"""How likely it is that the user takes a suggestion: from what it is, corrected by what this user does."""

from __future__ import annotations

import math
from typing import Protocol

from tabspec.engine.generation import Link
from tabspec.fitting.truncation import rest_of_line

# Log-odds that a suggestion is taken, by a logistic regression on 2,078 suggestions of six development sessions, of
# which the simulated user took 335; on six others it has a log loss of 0.403, the model's probability alone 0.419, and
# none of them 0.456 (docs/decisions/2026-11-25-price.md).
BIAS = -1.79
MODEL = 0.41  # times the log-odds of the model's calibrated probability of being right
LENGTH = -0.37  # times the logarithm of its characters: more of them can be wrong
LINE_END = 0.54  # nothing but blanks stand behind the cursor on its line
FOLLOWS_ACCEPT = 0.34  # it stands where an accept has led

# The middle of those suggestions: its characters.
TYPICAL = 6


class Predictor(Protocol):
    """Says how likely accepts are."""

    def probability(self, link: Link, follows_accept: bool = False) -> float:
        """Probability that the user takes this suggestion; ``follows_accept``: it stands where an accept has led."""

    def again(self) -> float:
        """Probability that a typical suggestion is taken that stands where an accept has led."""

    def observe(self, link: Link, accepted: bool, follows_accept: bool = False) -> None:
        """The user has taken or refused it."""


class Acceptance:
    """Online logistic regression: of what was fitted beforehand only the shift is learned, for suggestions that came by
    an accept and for all others (stochastic gradient descent on the log loss; Bottou 2010).

    Its steps shrink from a half, as those of a mean do, to ``rate``: then a user who takes ten suggestions in a row
    doubles their odds.
    """

    def __init__(self, rate: float = 0.1) -> None:
        self._rate = rate
        self._shift, self._seen = {False: 0.0, True: 0.0}, {False: 0, True: 0}

    def probability(self, link: Link, follows_accept: bool = False) -> float:
        if link.suggestion.edit is not None:  # calibrated by its proposer
            return link.suggestion.edit.probability
        # Where the model says nothing, one half; and nothing is certain: log-odds stay finite.
        own = 0.5 if link.suggestion.probability is None else link.suggestion.probability
        own = min(max(own, 0.001), 0.999)
        blank = not rest_of_line(link.context)[link.suggestion.replace_after :].strip()
        return self._odds(math.log(own / (1 - own)), len(link.suggestion.text), blank, follows_accept)

    def again(self) -> float:
        return self._odds(0.0, TYPICAL, True, True)

    def observe(self, link: Link, accepted: bool, follows_accept: bool = False) -> None:
        if link.suggestion.edit is not None:
            return
        error = (1.0 if accepted else 0.0) - self.probability(link, follows_accept)
        self._seen[follows_accept] += 1
        shift = self._shift[follows_accept] + max(self._rate, 1 / (1 + self._seen[follows_accept])) * error
        # Three units of log-odds are a factor of twenty, from one suggestion of six taken to three of four.
        self._shift[follows_accept] = min(max(shift, -3.0), 3.0)

    def _odds(self, model: float, length: int, blank: bool, follows_accept: bool) -> float:
        fitted = (
            BIAS
            + MODEL * model
            + LENGTH * math.log(max(length, 1))
            + LINE_END * blank
            + FOLLOWS_ACCEPT * follows_accept
        )
        return 1 / (1 + math.exp(-(fitted + self._shift[follows_accept])))
