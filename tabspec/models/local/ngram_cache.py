"""The n-gram cache of the open file: what followed the last tokens elsewhere in the file, and which tokens are near the
cursor, mixed into the distribution.

The window shows a model only a part of the file, code repeats what is in the rest, and people go on with the names that
they have just used. As in cache models (Kuhn and De Mori 1990; Grave et al. 2017, arXiv 1612.04426) and nested n-gram
caches (Hellendoorn and Devanbu 2017), the distribution is

    p(token) = (1 - w) * ((1 - v) * p_model(token) + v * p_model(text) * recent(token))
             + w * p_model(text) * (how often the token came next, of the longest matches)

for tokens of text; p_model(text) is the model's probability of all of them together. Control tokens keep the model's
probability: a file does not show where a middle ends. The longest matches are the places in the file after the same n
tokens, and the weight w grows with n. recent(token) is the share of a token among those of the file; the nearer to the
cursor, the more it counts. The mixture depends on the text around the cursor and on the tokens before, never on the
forced text; so an answer stays a function of the document (docs/design/decoding.md).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tabspec.models.local.logits import Logits, argmax_logsumexp, logsumexp
from tabspec.models.protocol import GenerationRequest
from tabspec.models.tokens.writing import writable
from tabspec.prompt.window import MEMORY_BLOCK

NGRAM_CACHE = "recall 4"
"""Part of the fingerprint of models with an n-gram cache: to be changed when the mixture changes."""

# How much the longest match is trusted, by its length in tokens. From 3 on fitted by expectation maximization on 600
# held-out Python holes (docs/decisions/2026-11-25-ngram-mixture.md), below chosen on recorded sessions
# (docs/decisions/2026-11-29-recent-tokens.md). Longer matches than the last count like it.
WEIGHTS = ((0, 0.0), (1, 0.08), (2, 0.1), (3, 0.13), (4, 0.2), (8, 0.35), (10, 0.4), (12, 0.5), (16, 0.63), (32, 0.87))
_LENGTHS = tuple(length for length, _ in WEIGHTS)
LONGEST = _LENGTHS[-1]
# How much the tokens of the file are trusted, whatever the tokens before.
RECENT = 0.1
# Tokens from the cursor at which one counts 1/e of what it counts at the cursor, and the least that it counts.
FADE, FLOOR = 300.0, 0.05
# Of matches of three tokens, so many are compared further, the nearest to the cursor: the search must be short even if
# every line of a table has the same tokens.
_MOST = 64
# Searches that are remembered: a guess is searched for when it is drafted, and again when it is verified. A line has
# fewer tokens.
_REMEMBERED = 256

TokenIndices = npt.NDArray[np.intp]
Chances = npt.NDArray[np.float64]

# The lowest probability, so that there is a logarithm.
_LEAST_CHANCE = 1e-30
# Separates texts that do not follow each other; no vocabulary has so many tokens.
_BORDER = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Recent:
    """The tokens of a file, (n,), ascending, and their shares of it, (n,), which sum to 1."""

    tokens: TokenIndices = field(default_factory=lambda: np.array([], np.intp))
    shares: Chances = field(default_factory=lambda: np.array([]))

    @classmethod
    def of(cls, tokens: npt.NDArray[np.uint32], cursor: int) -> Recent:
        """Of the tokens of a file, with the index of the first one after the cursor."""
        weights = FLOOR + (1 - FLOOR) * np.exp(np.abs(np.arange(len(tokens)) - cursor) / -FADE)
        text = tokens != _BORDER
        sums = np.bincount(tokens[text].astype(np.intp), weights[text])
        found = np.flatnonzero(sums)
        return cls(found, sums[found] / sums.sum()) if len(found) else cls()


@dataclass(frozen=True, slots=True, eq=False)
class NgramMatch:
    """What came next at the longest matches, how often, and their length (0: there is none). ``recent`` has all tokens
    of ``counts``. ``control`` holds the ids of control tokens, (n,), ascending."""

    length: int
    counts: Mapping[int, int]
    control: TokenIndices
    recent: Recent

    @property
    def weight(self) -> float:
        return WEIGHTS[bisect_right(_LENGTHS, self.length) - 1][1]

    def best(self, logits: Logits) -> tuple[int, float]:
        """The likeliest token of the mixture, the lowest id among equals, and its log-probability. The same as by
        `mixed`; but only those logits are computed that change the order."""
        top, total = argmax_logsumexp(logits)
        control, known, total = self._changed(logits, total)
        found = [(float(logits[top]), -top)]
        for values, tokens in ((control, self.control), (known, self.recent.tokens)):
            if len(values):
                first = int(values.argmax())
                found.append((float(values[first]), -int(tokens[first])))
        value, token = max(found)
        return -token, value - total

    def mixed(self, logits: Logits) -> Logits:
        """Logits of the mixture. ``logits`` has shape (vocabulary,)."""
        control, known, _ = self._changed(logits, logsumexp(logits))
        result: Logits = logits.copy()
        result[self.control] = control
        result[self.recent.tokens] = known
        return result

    def _changed(self, logits: Logits, total: float) -> tuple[Logits, Logits, float]:
        """Logits of the mixture where they differ from ``logits``: those of control tokens, those of the tokens of the
        file, and the `logsumexp` of the mixture. ``total`` is that of ``logits``.

        With p = exp(logit - total), the weights w and v, r(t) the share of token t, n(t) the times that it came next,
        and N their sum:

            text token      (1 - w) (1 - v) p(t) + p(text) ((1 - w) v r(t) + w n(t) / N)
            control token   p(t)

        All logits are taken relative to total' = total - log((1 - w) (1 - v)). Then a text token that is not in the
        file keeps its logit (exp(logit - total') is (1 - w) (1 - v) p), and no other logit becomes lower than it was.
        """
        weight, recent = self.weight, self.recent
        rise = -math.log1p(-weight) - math.log1p(-RECENT)
        mixed_total = total + rise
        control = logits[self.control]
        text = max(1.0 - float(np.add.reduce(np.exp(control - total))), 0.0)  # p(text)
        shares = (1 - weight) * RECENT * recent.shares
        if self.counts:
            times = sum(self.counts.values())
            places = np.searchsorted(recent.tokens, list(self.counts))
            shares[places] += np.array(list(self.counts.values())) * (weight / times)
        own = logits[recent.tokens]
        chances = np.exp(own - mixed_total) + text * shares
        known = np.maximum((np.log(np.maximum(chances, _LEAST_CHANCE)) + mixed_total).astype(np.float32), own)
        return control + np.float32(rise), known, mixed_total


class NgramCache:
    """The tokens of a file around a cursor, to be searched. ``key`` identifies the text; ``control``: ids of control
    tokens; ``cursor``: the index of the first token after the cursor (None: it is at the end)."""

    def __init__(self, tokens: array[int], key: int, control: TokenIndices, cursor: int | None = None) -> None:
        self._tokens, self.key, self._control = np.array(tokens, np.uint32), key, control
        self._cursor = len(tokens) if cursor is None else cursor
        self._recent = Recent.of(self._tokens, self._cursor)
        self._known: dict[bytes, NgramMatch] = {}

    def after(self, before: array[int]) -> NgramMatch | None:
        """What came next at the longest matches of the last tokens of ``before``, and what is near the cursor; None if
        the file is empty."""
        if not len(self._recent.tokens):
            return None
        last = before[-LONGEST:]
        key = last.tobytes()
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._search(last)
        return self._known[key]

    def _search(self, last: array[int]) -> NgramMatch:
        tokens, length = self._tokens, 0
        ends = np.flatnonzero(tokens[:-1] == last[-1]) + 1 if last else np.array([], np.intp)
        ends = ends[tokens[ends] != _BORDER]  # the tokens that came next
        while length < len(last):
            longer = ends[(ends > length) & (tokens[ends - 1 - length] == last[-1 - length])]
            if not len(longer):
                break
            ends, length = longer, length + 1
            if length == 3 and len(ends) > _MOST:
                ends = ends[np.argsort(np.abs(ends - self._cursor), kind="stable")[:_MOST]]
        counts = Counter(tokens[ends].tolist()) if length else {}
        return NgramMatch(length, counts, self._control, self._recent)


class NgramCaches:
    """Makes a request's `NgramCache`. ``encode`` turns text into tokens; the tokens of the text around the window are
    remembered in blocks, so that another request for the same file costs little. ``control``: ids of control tokens."""

    def __init__(self, encode: Callable[[str], array[int]], control: Collection[int] = ()) -> None:
        self._encode = encode
        self._control = np.array(sorted(control), dtype=np.intp)
        # A hundred blocks are those of four files, and half a megabyte.
        self._block = lru_cache(maxsize=128)(encode)
        self._cache = lru_cache(maxsize=4)(self._made)

    def of(self, request: GenerationRequest, head: str) -> NgramCache:
        """For ``request``; ``head`` is its text up to the last canonical cut."""
        return self._cache(request.before, head, request.suffix, request.after)

    def _made(self, before: str, head: str, suffix: str, after: str) -> NgramCache:
        tokens: array[int] = array("I")
        # Blocks are at fixed places of the document: `before` begins with a whole block, `after` ends with one.
        for start in range(0, len(before), MEMORY_BLOCK):
            tokens += self._block(writable(before[start : start + MEMORY_BLOCK]))
        tokens += self._encode(head)
        cursor = len(tokens)
        tokens.append(_BORDER)
        tokens += self._encode(writable(suffix))
        first = len(after) % MEMORY_BLOCK
        for start in range(first - MEMORY_BLOCK if first else 0, len(after), MEMORY_BLOCK):
            tokens += self._block(writable(after[max(start, 0) : start + MEMORY_BLOCK]))
        return NgramCache(tokens, hash((before, head, suffix, after)), self._control, cursor)
