"""How likely it is that the user accepts a suggestion: from its properties, adapted to this user."""

from __future__ import annotations

import math
from typing import Protocol

from tabspec.engine.generation import Link

# Log-odds that a suggestion is accepted, by a logistic regression on 514 suggestions of four development sessions (400
# edits each), of which the simulated user accepted 208. If each session is predicted by a fit on the others, the log
# loss is 0.611. With the suggestion's length and whether the line ends after the cursor as well it is 0.607, with the
# mean rate 0.675 (docs/decisions/2026-11-29-unknown-words.md).
BIAS = -1.13
MODEL = 0.37  # times the log-odds of the suggestion's probability (`tabspec.fitting.postprocess.likely_part`)
IN_WORD = 0.69  # if a letter or a digit is before the cursor: a word that was begun is often finished as suggested
FOLLOWS_ACCEPT = 1.16  # at a place that an accept has led to

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
        at = link.context.offset
        in_word = link.context.document.text[max(at - 1, 0) : at].isalnum()
        return self._odds(math.log(own / (1 - own)), in_word, follows_accept)

    def again(self) -> float:
        return self._odds(0.0, False, True)

    def observe(self, link: Link, accepted: bool, follows_accept: bool = False) -> None:
        if link.suggestion.edit is not None:
            return
        error = (1.0 if accepted else 0.0) - self.probability(link, follows_accept)
        self._seen[follows_accept] += 1
        shift = self._shift[follows_accept] + max(RATE, 1 / (1 + self._seen[follows_accept])) * error
        # Three units of log-odds are a factor of twenty: from one suggestion of six accepted to three of four.
        self._shift[follows_accept] = min(max(shift, -3.0), 3.0)

    def _odds(self, model: float, in_word: bool, follows_accept: bool) -> float:
        fitted = BIAS + MODEL * model + IN_WORD * in_word + FOLLOWS_ACCEPT * follows_accept
        return 1 / (1 + math.exp(-(fitted + self._shift[follows_accept])))
