"""A table of the tokens that mostly follow two or three tokens in code, for draft tokens.

The file `DRAFTS` in a model's folder has three arrays, with an entry for each context that is followed by the same
token often enough: ``contexts`` (uint32, ascending) its hash, ``tokens`` (uint16 or uint32) the token that follows,
``percent`` (uint8) how often. If two contexts have the same hash, a guess is wrong, which costs a row.
"""

from __future__ import annotations

import zipfile
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tabspec.errors import ModelNotUsable

DRAFTS = "drafts.npz"
"""The file's name."""

ORDERS = (3, 2)
"""Tokens of a context, the longer ones first."""

# Fibonacci hashing: 2^32 divided by the golden ratio, made odd (Knuth, The Art of Computer Programming, volume 3, 6.4).
_FACTOR, _MASK = 0x9E3779B1, 0xFFFFFFFF

HashWidth = TypeVar("HashWidth", np.uint16, np.uint32)


@dataclass(frozen=True, slots=True)
class NgramTable:
    """A table in memory, some MB: ``contexts`` ascend, and all three have an entry each."""

    contexts: array[int]
    tokens: array[int]
    percent: array[int]

    def after(self, tokens: Sequence[int]) -> tuple[int, float] | None:
        """The token that follows the last of ``tokens`` by the longest known context, and how often it does."""
        for order in ORDERS:
            if len(tokens) >= order:
                context = hashed(tokens[-order:])
                at = bisect_left(self.contexts, context)
                if at < len(self.contexts) and self.contexts[at] == context:
                    return self.tokens[at], self.percent[at] / 100
        return None


def hashed(context: Sequence[int]) -> int:
    """A context's hash."""
    value = len(context)
    for token in context:
        value = (value * _FACTOR + token + 1) & _MASK
    return value


def all_hashed(tokens: npt.NDArray[HashWidth], order: int) -> npt.NDArray[HashWidth]:
    """The hash of each ``order`` tokens that stand side by side: (n,) to (n - order + 1,). With fewer than 32 bits to a
    token, as many of the hash's lowest bits."""
    kind = tokens.dtype.type
    factor, raised = kind(_FACTOR & np.iinfo(kind).max), tokens + kind(1)
    count = max(len(tokens) - order + 1, 0)
    value = np.full(count, order, kind)
    for at in range(order):
        value = value * factor + raised[at : at + count]
    return value


def load_table(file: Path, vocabulary: int) -> NgramTable | None:
    """The table in ``file``; None if there is no file. Raises `ModelNotUsable` if it is not a table, or has more tokens
    than ``vocabulary``."""
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            contexts, tokens, percent = (arrays[name].astype(np.uint32) for name in ("contexts", "tokens", "percent"))
        fits = contexts.shape == tokens.shape == percent.shape == (len(contexts),)
        if not fits or (contexts[1:] <= contexts[:-1]).any() or (tokens >= vocabulary).any() or (percent > 100).any():
            raise ValueError
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        raise ModelNotUsable(f"{file} is no table of draft tokens for this model; remove or replace it") from None
    return NgramTable(array("I", contexts.tobytes()), array("I", tokens.tobytes()), array("B", percent.tolist()))
