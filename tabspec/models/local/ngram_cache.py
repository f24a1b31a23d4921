"""The n-gram cache of the open file: what followed the last tokens elsewhere in the file, mixed into the distribution.

The window shows a model only a part of the file, and code repeats what is in the rest. As in cache models (Kuhn and De
Mori 1990; Grave et al. 2017, arXiv 1612.04426) and nested n-gram caches (Hellendoorn and Devanbu 2017), the
distribution is

    p(token) = (1 - w) * p_model(token) + w * p_model(text) * (how often the token came next, of the longest matches)

for tokens of text; p_model(text) is the model's probability of all of them together. Control tokens keep the model's
probability: a file does not show where a middle ends. The longest matches are the places in the file after the same n
tokens, and the weight w grows with n. The mixture depends on the text around the cursor and on the tokens before, never
on the forced text; so an answer stays a function of the document (docs/design/decoding.md).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tabspec.models.files.ngram_table import all_hashed, hashed
from tabspec.models.local.logits import Logits, argmax_logsumexp, logsumexp
from tabspec.models.protocol import GenerationRequest
from tabspec.models.tokens.writing import writable
from tabspec.prompt.window import MEMORY_BLOCK

NGRAM_CACHE = "recall 3"
"""Part of the fingerprint of models with an n-gram cache: to be changed when the mixture changes."""

# Tokens that have to be equal: shorter matches brought 1 % of the bits that these bring, and no exact line.
LEAST = 3
# How much the longest match is trusted, by its length: fitted by expectation maximization on 600 held-out Python holes
# (docs/decisions/2026-11-25-ngram-mixture.md). Longer matches than the last count like it.
WEIGHTS = ((LEAST, 0.11), (4, 0.2), (8, 0.35), (10, 0.4), (12, 0.5), (16, 0.63), (32, 0.87))
_LENGTHS = tuple(length for length, _ in WEIGHTS)
LONGEST = _LENGTHS[-1]
# Matches that are compared: the search must be short even if every line of a table has the same three tokens.
_MOST = 64
# Searches that are remembered: a guess is searched for when it is drafted, and again when it is verified. A line has
# fewer tokens.
_REMEMBERED = 256

Ids = npt.NDArray[np.intp]

# The lowest probability, so that there is a logarithm.
_LEAST_CHANCE = 1e-30
# Separates texts that do not follow each other; no vocabulary has so many tokens.
_BORDER = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class NgramMatch:
    """What came next at the longest matches, how often, and their length. ``control`` holds the ids of control tokens,
    (n,), ascending."""

    length: int
    counts: Mapping[int, int]
    control: Ids

    @property
    def weight(self) -> float:
        return WEIGHTS[bisect_right(_LENGTHS, self.length) - 1][1]

    def best(self, logits: Logits) -> tuple[int, float]:
        """The likeliest token of the mixture, the lowest id among equals, and its log-probability. The same as by
        `mixed`; but only those logits are computed that change the order."""
        top, total = argmax_logsumexp(logits)
        control, counted, total = self._changed(logits, total)
        found = [(float(logits[top]), -top), *((value, -token) for token, value in counted.items())]
        if len(control):
            first = int(control.argmax())
            found.append((float(control[first]), -int(self.control[first])))
        value, token = max(found)
        return -token, value - total

    def mixed(self, logits: Logits) -> Logits:
        """Logits of the mixture. ``logits`` has shape (vocabulary,)."""
        control, counted, _ = self._changed(logits, logsumexp(logits))
        result: Logits = logits.copy()
        result[self.control] = control
        for token, value in counted.items():
            result[token] = value
        return result

    def _changed(self, logits: Logits, total: float) -> tuple[Logits, dict[int, float], float]:
        """Logits of the mixture where they differ from ``logits``: those of control tokens, those of the tokens that
        came next, and the `logsumexp` of the mixture. ``total`` is that of ``logits``.

        With p = exp(logit - total), the weight w, n(t) the times that token t came next, and N their sum:

            text token      (1 - w) p(t) + w p(text) n(t) / N
            control token   p(t)

        All logits are taken relative to total' = total - log(1 - w). Then a text token that never came next keeps its
        logit (exp(logit - total') is (1 - w) p), and no other logit becomes lower than it was.
        """
        weight = self.weight
        rise = -math.log1p(-weight)
        mixed_total = total + rise
        control = logits[self.control]
        text = max(1.0 - float(np.add.reduce(np.exp(control - total))), 0.0)  # p(text)
        share = weight * text / sum(self.counts.values())  # probability that one occurrence adds
        counted = {}
        for token, count in self.counts.items():  # mostly one: cheaper than arrays of them
            own = float(logits[token])
            chance = math.exp(own - mixed_total) + share * count
            mixed = math.log(max(chance, _LEAST_CHANCE)) + mixed_total
            counted[token] = float(np.float32(max(mixed, own)))
        return control + np.float32(rise), counted, mixed_total


class NgramCache:
    """The tokens of a file around a cursor, to be searched. ``key`` identifies the text; ``control``: ids of control
    tokens."""

    def __init__(self, tokens: array[int], key: int, control: Ids) -> None:
        self._tokens, self.key, self._control = tokens, key, control
        # Two bytes for each place: searching them takes a fifth of the time that searching tokens takes. In 17,000
        # places, one search of four meets a false match.
        self._hashes = all_hashed(np.array(tokens, np.uint32).astype(np.uint16), LEAST)[:-1]
        self._known: dict[bytes, NgramMatch | None] = {}

    def after(self, before: array[int]) -> NgramMatch | None:
        """What came next at the longest matches of the last tokens of ``before``; None if there is no match."""
        last = before[-LONGEST:]
        key = last.tobytes()
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._search(last)
        return self._known[key]

    def _search(self, last: array[int]) -> NgramMatch | None:
        if len(last) < LEAST:
            return None
        tokens, best = self._tokens, LEAST
        counts: dict[int, int] = {}
        for end in self._matches(last[-LEAST:]):
            if end < best or tokens[end - best : end] != last[-best:]:
                continue
            length, most = best, min(len(last), end)
            while length < most and tokens[end - 1 - length] == last[-1 - length]:
                length += 1
            if length > best:
                best, counts = length, {}
            counts[tokens[end]] = counts.get(tokens[end], 0) + 1
        return NgramMatch(best, counts, self._control) if counts else None

    def _matches(self, wanted: array[int]) -> Iterator[int]:
        """Where the first places end that have ``wanted``, with a token of the same text after it."""
        places = (self._hashes == np.uint16(hashed(wanted) & 0xFFFF)).tobytes()
        at, found = -1, 0
        while found < _MOST and (at := places.find(1, at + 1)) >= 0:
            end = at + LEAST
            if self._tokens[at:end] == wanted and self._tokens[end] != _BORDER:
                found += 1
                yield end


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
        tokens.append(_BORDER)
        tokens += self._encode(writable(suffix))
        first = len(after) % MEMORY_BLOCK
        for start in range(first - MEMORY_BLOCK if first else 0, len(after), MEMORY_BLOCK):
            tokens += self._block(writable(after[max(start, 0) : start + MEMORY_BLOCK]))
        return NgramCache(tokens, hash((before, head, suffix, after)), self._control)
