"""Chooses one token: the likeliest that agrees with the known text."""

from __future__ import annotations

import math

from tabspec.errors import ModelError
from tabspec.models.local.logits import Logits, argmax_logsumexp, logsumexp
from tabspec.models.local.ngram_cache import NgramMatch
from tabspec.models.local.slots import Choice
from tabspec.models.tokens.vocabulary import Vocabulary


def choose(
    vocabulary: Vocabulary, row: Logits, rest: bytes, ngram_match: NgramMatch | None = None, ngram_key: int = 0
) -> Choice:
    """The most likely token that agrees with ``rest`` (any token if it is empty); the lowest id among equals.

    Its log-probability is the one among the tokens that agree: typed text is certain, however unlikely it was. More
    typing leaves fewer tokens, so a token that was likely enough stays so (`StopRule.min_logprob`). ``row``: the
    model's logits, (vocabulary,), into which ``ngram_match`` is mixed. Raises `ModelError` if they are not numbers.
    """
    if rest:
        allowed = vocabulary.agreeing(rest)
        row = (ngram_match.mixed(row) if ngram_match else row)[allowed]
        best, total = argmax_logsumexp(row)
        token, logprob = allowed[best], float(row[best]) - total
    elif ngram_match:
        token, logprob = ngram_match.best(row)
    else:
        token, total = argmax_logsumexp(row)
        logprob = float(row[token]) - total
    return Choice(token, rest, _number(logprob), ngram_key)


def given(row: Logits, token: int) -> Choice:
    """``token`` as a choice, however likely it is. ``row`` and errors as for `choose`."""
    return Choice(token, b"", _number(float(row[token]) - logsumexp(row)))


def _number(logprob: float) -> float:
    if math.isnan(logprob):
        raise ModelError("the model's output is not a number; try another dtype (--dtype float32)")
    return logprob
