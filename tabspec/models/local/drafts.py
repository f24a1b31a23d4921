"""Draft tokens: guesses at what follows a token, run in the same pass, and kept as far as they are right.

There are three sources. Prompt lookup: what followed the last few tokens in the prompt
(github.com/apoorvumang/prompt-lookup-decoding). The n-gram cache of the open file, if it is mixed into the model's
distribution (`tabspec.models.local.ngram_cache`). A table of what mostly follows in code, if a model's folder has one
(`tabspec.models.files.ngram_table`). Each source's share of right guesses is measured while decoding, and a draft is as
long as pays. Drafts are verified in one pass and change only the speed (the verification is that of speculative
sampling, arXiv 2302.01318, for the greedy case).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from tabspec.models.files.ngram_table import NgramTable
from tabspec.models.local.ngram_cache import NgramCache
from tabspec.models.local.slots import RowCost

GuessSource = tuple[str, int] | tuple[str, int, int]
"""A guess's source, and how sure that source is, in its own measures."""


class Guess(NamedTuple):
    """A token that may follow. ``prior``: how often such guesses are right, before any was verified here."""

    token: int
    source: GuessSource
    prior: float


class Draft(NamedTuple):
    """Tokens to run. ``guesses`` has one for each, and possibly one more that was not worth its row."""

    tokens: tuple[int, ...] = ()
    guesses: tuple[Guess, ...] = ()


# How often guesses of prompt lookup are right, by the number of equal tokens and by how many places agree: counted on
# recorded sessions (docs/decisions/2026-11-28-drafts.md). One equal token (a bracket, an indentation) predicts too
# little.
_ALONE, _AGREED, _SPLIT = 0, 1, 2
_MOSTLY = 0.7
_LOOKUP = {
    2: (0.48, 0.79, 0.26),
    3: (0.6, 0.75, 0.28),
    4: (0.75, 0.95, 0.5),
    6: (0.9, 0.9, 0.7),
    8: (0.96, 0.99, 0.82),
}
# The same for guesses of the n-gram cache, if they are the likeliest.
_RECALL = {
    3: (0.53, 0.72, 0.16),
    4: (0.62, 0.7, 0.16),
    6: (0.7, 0.75, 0.2),
    8: (0.81, 0.9, 0.4),
    12: (0.98, 0.98, 0.6),
}
# The table's chances are those of texts. They are multiplied by this, since a model may write something else.
_TABLE = 0.85
# The weight of a new observation: some twenty guesses decide.
_LEARN = 0.05


class NgramDrafts:
    """Drafts by prompt lookup, by the n-gram cache and, if there is one, by ``table``, as long as they pay.

    A row's marginal cost is ``cost.share`` of a pass, and it saves a pass if its token and all before it are right. So
    a draft ends where the chance of that falls below the cost. Never proposes ``barred`` tokens (control tokens).
    """

    def __init__(
        self, barred: Collection[int] = (), cost: RowCost | None = None, table: NgramTable | None = None
    ) -> None:
        self._barred, self._cost, self._table = frozenset(barred), cost or RowCost(), table
        self._right: dict[GuessSource, float] = {}

    def propose(self, tokens: Sequence[int], most: int, ngrams: NgramCache | None = None) -> Draft:
        """At most ``most`` tokens that may follow ``tokens`` (the prompt and the tokens after it). ``ngrams``: the
        cache that is mixed into the model's distribution."""
        written, guesses, chance = array("I", tokens), list[Guess](), 1.0
        while guess := self._guess(written, ngrams):
            guesses.append(guess)
            chance *= self.chance(guess)
            if chance < self._cost.share or len(guesses) > min(most, self._cost.rows - 1):
                return Draft(tuple(guess.token for guess in guesses[:-1]), tuple(guesses))
            written.append(guess.token)
        return Draft(tuple(guess.token for guess in guesses), tuple(guesses))

    def verified(self, draft: Draft, chosen: Sequence[int]) -> None:
        """Learn from the tokens that were chosen after a draft was run."""
        for guess, token in zip(draft.guesses, chosen, strict=False):
            known = self.chance(guess)
            self._right[guess.source] = known + _LEARN * ((guess.token == token) - known)
            if guess.token != token:  # the next guesses followed another token
                return

    def chance(self, guess: Guess) -> float:
        """How often such guesses are right, by the observations here and the prior."""
        return self._right.get(guess.source, guess.prior)

    def _guess(self, written: array[int], ngrams: NgramCache | None) -> Guess | None:
        """The likeliest guess."""
        asked = looked_up(written), cached_ngram(written, ngrams) if ngrams else None, self._of_table(written)
        found = [guess for guess in asked if guess]
        best = max(found, key=self.chance, default=None)
        return None if best is None or best.token in self._barred else best

    def _of_table(self, written: array[int]) -> Guess | None:
        if self._table is None or not (found := self._table.after(written)):
            return None
        token, chance = found
        tenths = round(10 * chance)
        return Guess(token, ("table", tenths), _TABLE * tenths / 10)


# How many of the last tokens are searched for, and how many places are compared, the latest first.
_SEARCHED, _PLACES = 4, 16
_FEWEST, _MOST = min(_LOOKUP), max(_LOOKUP)


def looked_up(tokens: array[int]) -> Guess | None:
    """What followed the last tokens at an earlier place: the last four, else three, else two. Of several places, the
    one with the most equal tokens before it counts; of equals, the latest."""
    seen, size = tokens.tobytes(), tokens.itemsize
    for count in range(min(_SEARCHED, len(tokens) - 1), _FEWEST - 1, -1):
        if places := list(islice(_places(seen, seen[-count * size :], size), _PLACES)):
            equal = [_equal(tokens, at, count) for at in places]
            longest = max(equal)
            token = tokens[places[equal.index(longest)] + count]
            agree = sum(tokens[at + count] == token for at in places)
            return _match("lookup", _LOOKUP, token, longest, agree, len(places))
    return None


def cached_ngram(tokens: array[int], ngrams: NgramCache) -> Guess | None:
    """The token that followed most often at the longest matches in the n-gram cache, the first of equals."""
    found = ngrams.after(tokens)
    if found is None or found.length < min(_RECALL):
        return None
    token = max(found.counts, key=lambda token: found.counts[token])
    return _match("recall", _RECALL, token, found.length, found.counts[token], sum(found.counts.values()))


def _match(
    name: str, right: Mapping[int, tuple[float, float, float]], token: int, equal: int, agree: int, places: int
) -> Guess:
    """A guess after ``equal`` tokens that are in so many ``places``, in ``agree`` of which ``token`` follows."""
    agreement = _ALONE if places == 1 else _AGREED if agree > _MOSTLY * places else _SPLIT
    lengths = tuple(right)
    length = lengths[bisect_right(lengths, equal) - 1]
    return Guess(token, (name, length, agreement), right[length][agreement])


def _equal(tokens: array[int], at: int, count: int) -> int:
    """How many of the last tokens are also before ``at + count``, of which ``count`` are known to be; up to `_MOST`."""
    end = at + count
    while count < min(end, _MOST) and tokens[end - 1 - count] == tokens[-count - 1]:
        count += 1
    return count


def _places(seen: bytes, wanted: bytes, size: int) -> Iterator[int]:
    """Where ``wanted`` is in ``seen`` with a token after it, the latest place first."""
    end = len(seen) - size
    while (at := seen.rfind(wanted, 0, end)) >= 0:
        if at % size == 0:
            yield at // size
        end = at + len(wanted) - 1  # later places were found, or begin within a token
