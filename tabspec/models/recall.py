"""Recall: what followed the last few tokens elsewhere in the file, mixed into what the model expects.

A window shows a small model a part of its file; code repeats what the rest of the file says. As in cache models (Kuhn
and De Mori 1990; Grave et al. 2017, arXiv 1612.04426) and nested n-gram caches (Hellendoorn and Devanbu 2017), the
distribution is

    p(token) = (1 - w) * p_model(token) + w * p_model(text) * (how often the token came next, of the longest matches)

for tokens of text; p_model(text) is the probability that the model gives to all of them together. Control tokens keep
the model's own: whether a middle is complete no file can say, for it has no cursors. The longest matches are the places
in the file whose last n tokens are those just written, and the weight w grows with n. It is a function of the text
around the cursor and of the tokens before, never of the text still forced; so an answer stays a function of the
document (docs/architecture.md).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tabspec.models.logits import Row, logsumexp
from tabspec.models.protocol import GenerationRequest
from tabspec.models.writing import writable
from tabspec.prompt.window import MEMORY_BLOCK

RECALL = "recall 2"
"""Part of the fingerprint of models that recall: to be changed with what is done here."""

# Tokens that have to be equal: shorter matches brought 1 % of the bits that this brings, and no line.
LEAST = 3
# How much the longest match is trusted, by its length: fitted by expectation maximization on 600 held-out Python holes
# (docs/decisions/2026-11-25-ngram-mixture.md). Longer matches than the last are not told apart.
WEIGHTS = ((LEAST, 0.11), (4, 0.2), (8, 0.35), (10, 0.4), (12, 0.5), (16, 0.63), (32, 0.87))
_LENGTHS = tuple(length for length, _ in WEIGHTS)
LONGEST = _LENGTHS[-1]
# Matches that are looked at: the search must not take long where three tokens stand in every line of a table.
_MOST = 64

Ids = npt.NDArray[np.intp]

# A probability that has a logarithm.
_LEAST_CHANCE = 1e-30
_ITEM = array("I").itemsize
# Stands between texts that do not follow each other; no vocabulary has so many tokens.
_BORDER = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Recalled:
    """What came next at the longest matches, and their length. ``control`` holds the ids of control tokens, (n,)."""

    length: int
    counts: Counter[int]
    control: Ids

    @property
    def weight(self) -> float:
        return WEIGHTS[bisect_right(_LENGTHS, self.length) - 1][1]

    def mixed(self, logits: Row) -> Row:
        """Log-probabilities of the mixture, which sum to 1. ``logits`` has shape (vocabulary,)."""
        total = logsumexp(logits)
        result: Row = logits - (total - math.log1p(-self.weight))
        kept = logits[self.control] - total
        result[self.control] = kept
        share = self.weight * max(1.0 - float(np.exp(kept).sum()), 0.0) / self.counts.total()
        for token, count in self.counts.items():  # mostly one: cheaper than arrays of them
            result[token] = math.log(max(math.exp(float(result[token])) + share * count, _LEAST_CHANCE))
        return result


class Recall:
    """The tokens of a file around a cursor, to be searched. ``key`` tells it from those of other texts; ``control``:
    ids of control tokens."""

    def __init__(self, tokens: array[int], key: int, control: Ids) -> None:
        self._tokens, self.key, self._control = tokens, key, control
        self._bytes = tokens.tobytes()

    def after(self, before: Sequence[int]) -> Recalled | None:
        """What came next where the tokens before were those that ``before`` ends with; None if nowhere."""
        last = before[-LONGEST:]
        if len(last) < LEAST:
            return None
        tokens, best, counts = self._tokens, 0, Counter[int]()
        for at in self._matches(last[-LEAST:]):
            length, end = LEAST, at + LEAST
            while length < min(len(last), end) and tokens[end - 1 - length] == last[-1 - length]:
                length += 1
            if length > best:
                best, counts = length, Counter()
            if length == best:
                counts[tokens[end]] += 1
        return Recalled(best, counts, self._control) if counts else None

    def _matches(self, wanted: Sequence[int]) -> Iterator[int]:
        """The first places where ``wanted`` stands with a token of the same text behind it."""
        pattern, at, found = array("I", wanted).tobytes(), -1, 0
        while found < _MOST and (at := self._bytes.find(pattern, at + 1)) >= 0:
            place, beside = divmod(at, _ITEM)
            behind = place + LEAST
            if not beside and behind < len(self._tokens) and self._tokens[behind] != _BORDER:
                found += 1
                yield place


class Recaller:
    """Makes a request's `Recall`. ``encode`` turns text into tokens; what it gave for the text around the window is
    remembered, block by block, so that a request of the same file costs little. ``control``: ids of control tokens."""

    def __init__(self, encode: Callable[[str], Sequence[int]], control: Collection[int] = ()) -> None:
        def block(text: str) -> array[int]:
            return array("I", encode(text))

        self._encode = encode
        self._control = np.array(sorted(control), dtype=np.intp)
        # A hundred blocks are those of four files, and half a megabyte.
        self._block = lru_cache(maxsize=128)(block)
        self._recall = lru_cache(maxsize=4)(self._made)

    def of(self, request: GenerationRequest, head: str) -> Recall:
        """For ``request``, whose text before the line being written is ``head`` by now."""
        return self._recall(request.before, head, request.suffix, request.after)

    def _made(self, before: str, head: str, suffix: str, after: str) -> Recall:
        tokens: array[int] = array("I")
        # Blocks lie at fixed places of the document: `before` begins at one, `after` ends at one.
        for start in range(0, len(before), MEMORY_BLOCK):
            tokens += self._block(writable(before[start : start + MEMORY_BLOCK]))
        tokens.extend(self._encode(head))
        tokens.append(_BORDER)
        tokens.extend(self._encode(writable(suffix)))
        first = len(after) % MEMORY_BLOCK
        for start in range(first - MEMORY_BLOCK if first else 0, len(after), MEMORY_BLOCK):
            tokens += self._block(writable(after[max(start, 0) : start + MEMORY_BLOCK]))
        return Recall(tokens, hash((before, head, suffix, after)), self._control)
