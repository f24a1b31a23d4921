"""How likely it is that the user takes a suggestion: the model's own probability, corrected by what this user does."""

from __future__ import annotations

import math

from tabspec.suggestion import Suggestion


class Acceptance:
    """An online logistic regression with one weight, the shift of the log-odds (stochastic gradient descent on the log
    loss; Bottou 2010).

    With the default rate of 0.1, a user who refuses ten likely suggestions in a row halves their odds, and one who
    comes back to accepting is believed as quickly.
    """

    def __init__(self, rate: float = 0.1) -> None:
        self._rate, self._shift = rate, 0.0

    def probability(self, suggestion: Suggestion) -> float:
        """Probability in (0, 1) that the user takes it; one half where the model says nothing."""
        own = 0.5 if suggestion.probability is None else suggestion.probability
        own = min(max(own, 0.001), 0.999)  # nothing is certain: log-odds stay finite
        return 1 / (1 + math.exp(-(math.log(own / (1 - own)) + self._shift)))

    def observe(self, suggestion: Suggestion, accepted: bool) -> None:
        """The user has taken or refused it."""
        error = (1.0 if accepted else 0.0) - self.probability(suggestion)
        # Two units of log-odds are a factor of seven: beyond that the model is better believed than the mood.
        self._shift = min(max(self._shift + self._rate * error, -2.0), 2.0)
