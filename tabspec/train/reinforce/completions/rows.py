"""A hole as tokens: one row with all of its text, and a branch for each cursor.

The prompts of all cursors in a hole are beginnings of one row, because a suffix-first prompt ends with the prefix. A
branch leaves the row before the token that holds the last typed character: decoding under the constraint of the typed
text may choose a longer token there (docs/design/decoding.md).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.examples.tokenizer import FILE, PAD, PREFIX, SUFFIX, special_id
from tabspec.train.reinforce.completions.holes import Hole

# Tokens that are a beginning of the typed text and do not hold all of it. They share the probability.
MOST_SHORTER = 16


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a suggestion begins: ``start`` is the index of the row's token that is chosen anew, of which the bytes
    ``rest`` are typed. ``cursor``: as in `Hole.cursors`."""

    cursor: int
    start: int
    rest: bytes


@dataclass(frozen=True, slots=True)
class HoleRow:
    """The tokens of a hole. From ``first`` on they reach into its text."""

    hole: Hole
    tokens: tuple[int, ...]
    first: int
    branches: tuple[Branch, ...]


class SortedTokens:
    """The tokens of a vocabulary in the order of their bytes: those that begin with a text are neighbours."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.bytes_of = vocabulary.bytes_of
        pairs = sorted((data, token) for token, data in enumerate(self.bytes_of) if data)
        self._sorted = [data for data, _ in pairs]
        self.rank = np.full(len(self.bytes_of), -1, np.int64)
        self.rank[[token for _, token in pairs]] = np.arange(len(pairs))
        self.pad = special_id(tokenizer, PAD)
        self._marks = {name: special_id(tokenizer, name) for name in (FILE, SUFFIX, PREFIX)}
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer

    def beginning(self, rest: bytes) -> tuple[int, int]:
        """The ranks of the tokens that begin with ``rest``: from the first up to but not including the second."""
        return bisect_left(self._sorted, rest), bisect_left(self._sorted, rest + b"\xff" * 8)

    def shorter(self, rest: bytes) -> list[int]:
        """The tokens that are a beginning of ``rest``, but not all of it."""
        return [token for token in self.vocabulary.agreeing(rest) if len(self.bytes_of[token]) < len(rest)]

    def rows(self, holes: Sequence[Hole], limit: int) -> list[HoleRow]:
        """The rows of ``holes`` that have at most ``limit`` tokens and at least one branch."""
        texts = [part for hole in holes for part in (hole.name, hole.suffix, hole.before + hole.text)]
        parts = iter(self._tokenizer.encode_batch(texts, add_special_tokens=False))
        found = []
        for hole in holes:
            name, suffix, written = next(parts), next(parts), next(parts)
            marks = self._marks
            front = [marks[FILE], *name.ids, marks[SUFFIX], *suffix.ids, marks[PREFIX]]
            ends = [end for _, end in written.offsets]
            first = len(front) + bisect_left(ends, len(hole.before) + 1)
            branches = []
            for cursor in hole.cursors:
                at = len(hole.before) + cursor
                index = bisect_left(ends, at)  # of the token that holds the last typed character
                if at == 0 or index >= len(ends):
                    continue
                rest = (hole.before + hole.text)[written.offsets[index][0] : at].encode("utf-8")
                if rest and self.bytes_of[written.ids[index]].startswith(rest):
                    branches.append(Branch(cursor, len(front) + index, rest))
            tokens = (*front, *written.ids)
            if branches and len(tokens) <= limit:
                found.append(HoleRow(hole, tokens, first, tuple(branches)))
        return found


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as arrays. ``ids`` (rows, length), padded; ``first`` and ``length`` (rows,). The others are
    (rows, branches, ...): ``start`` and ``valid``; the ranks ``low`` to ``high`` of the tokens that begin with the
    typed bytes, of which there are ``typed``; and ``shorter`` tokens (-1: none)."""

    rows: tuple[HoleRow, ...]
    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    length: NDArray[np.int64]
    start: NDArray[np.int64]
    valid: NDArray[np.bool_]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    typed: NDArray[np.int64]
    shorter: NDArray[np.int64]


def batch_of(rows: Sequence[HoleRow], words: SortedTokens, copies: int = 1, multiple: int = 16) -> Batch:
    """The rows as one batch. Each branch occurs ``copies`` times, side by side."""
    length = max(len(row.tokens) for row in rows)
    length = -(-length // multiple) * multiple
    width = max(len(row.branches) for row in rows) * copies
    size = (len(rows), width)
    ids = np.full((len(rows), length), words.pad, np.int64)
    start, valid = np.ones(size, np.int64), np.zeros(size, np.bool_)
    low, high, typed = np.zeros(size, np.int64), np.ones(size, np.int64), np.zeros(size, np.int64)
    shorter = np.full((*size, MOST_SHORTER), -1, np.int64)
    for r, row in enumerate(rows):
        ids[r, : len(row.tokens)] = row.tokens
        for b, branch in enumerate(row.branches):
            own = slice(b * copies, (b + 1) * copies)
            start[r, own], valid[r, own], typed[r, own] = branch.start, True, len(branch.rest)
            low[r, own], high[r, own] = words.beginning(branch.rest)
            less = words.shorter(branch.rest)[:MOST_SHORTER]
            shorter[r, own, : len(less)] = less
    first = np.array([row.first for row in rows])
    lengths = np.array([len(row.tokens) for row in rows])
    return Batch(tuple(rows), ids, first, lengths, start, valid, low, high, typed, shorter)
