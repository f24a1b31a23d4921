"""How likely it is that the user accepts a suggestion: from its properties, adapted to this user."""

from __future__ import annotations

import math
from typing import Protocol

from tabspec.engine.generation import Link
from tabspec.fitting.truncation import rest_of_line

# Log-odds that a suggestion is accepted, by a logistic regression on 1,164 suggestions of six development sessions (800
# edits each), of which the simulated user accepted 376. If each session is predicted by a fit on the five others, the
# log loss is 0.552. Without the letter before the cursor it is 0.566, and with the mean rate 0.629
# (docs/decisions/2026-11-29-bursts.md).
BIAS = -1.92
MODEL = 0.50  # times the log-odds of the model's calibrated probability of being right
LENGTH = -0.06  # times the logarithm of its length in characters
LINE_END = 0.41  # if only white space follows the cursor on its line
IN_WORD = 0.92  # if a letter or a digit is before the cursor: a word that was begun is often finished as suggested
FOLLOWS_ACCEPT = 0.74  # at a place that an accept has led to

# The median length of those suggestions, in characters.
TYPICAL = 6

RATE = 0.1  # the least step of learning: ten accepts in a row double the odds


class Predictor(Protocol):
    """Predicts accepts."""

    def probability(self, link: Link, follows_accept: bool = False) -> float:
        """Probability that the user accepts this suggestion; ``follows_accept``: it is at a place that an accept has
        led to."""

    def again(self) -> float:
        """Probability that the user accepts a typical suggestion at a place that an accept has led to."""

    def observe(self, link: Link, accepted: bool, follows_accept: bool = False) -> None:
        """The user has accepted or refused it."""


class Acceptance:
    """Online logistic regression. The fitted coefficients stay; only an intercept is learned for this user, one for
    suggestions that follow an accept and one for all others (stochastic gradient descent on the log loss; Bottou 2010).

    The step shrinks from 1/2, as in a running mean, to `RATE`.
    """

    def __init__(self) -> None:
        self._shift, self._seen = {False: 0.0, True: 0.0}, {False: 0, True: 0}

    def probability(self, link: Link, follows_accept: bool = False) -> float:
        if link.suggestion.edit is not None:  # calibrated by its proposer
            return link.suggestion.edit.probability
        # 0.5 if the probability is unknown; bounded, so that the log-odds stay finite.
        own = 0.5 if link.suggestion.probability is None else link.suggestion.probability
        own = min(max(own, 0.001), 0.999)
        blank = not rest_of_line(link.context)[link.suggestion.replace_after :].strip()
        at = link.context.offset
        in_word = link.context.document.text[max(at - 1, 0) : at].isalnum()
        return self._odds(math.log(own / (1 - own)), len(link.suggestion.text), blank, in_word, follows_accept)

    def again(self) -> float:
        return self._odds(0.0, TYPICAL, True, False, True)

    def observe(self, link: Link, accepted: bool, follows_accept: bool = False) -> None:
        if link.suggestion.edit is not None:
            return
        error = (1.0 if accepted else 0.0) - self.probability(link, follows_accept)
        self._seen[follows_accept] += 1
        shift = self._shift[follows_accept] + max(RATE, 1 / (1 + self._seen[follows_accept])) * error
        # Three units of log-odds are a factor of twenty: from one suggestion of six accepted to three of four.
        self._shift[follows_accept] = min(max(shift, -3.0), 3.0)

    def _odds(self, model: float, length: int, blank: bool, in_word: bool, follows_accept: bool) -> float:
        fitted = (
            BIAS
            + MODEL * model
            + LENGTH * math.log(max(length, 1))
            + LINE_END * blank
            + IN_WORD * in_word
            + FOLLOWS_ACCEPT * follows_accept
        )
        return 1 / (1 + math.exp(-(fitted + self._shift[follows_accept])))
