"""The part of an example that each token belongs to, for the loss.

In suffix-first order, the model cannot see where the prefix ends and the middle begins. When serving, the prefix is
given. If ``<|eom|>`` competed at each of the prefix's 700 places, the model would learn that stopping is rare
(docs/decisions/2026-11-23-bundled-model.md). So a row has the part of each token, and `Network.losses` leaves
``<|eom|>`` out within the prefix.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

# A row's element: the token in the lower 16 bits (hence the largest vocabulary), its part above.
Rows = NDArray[np.uint32]
SHIFT = 16
TOKEN = (1 << SHIFT) - 1


class Part(IntEnum):
    """The parts of an example that the loss distinguishes."""

    OTHER = 0  # names, related text, suffixes, markers: an ordinary loss
    PREFIX = 1  # the text goes on for sure: <|eom|> is no choice
    MIDDLE = 2  # from the first token that reaches beyond the prefix, up to and with <|eom|>

    def mark(self, ids: list[int]) -> list[int]:
        """Tokens as elements of a row that belong to this part."""
        high = self << SHIFT
        return [token | high for token in ids] if high else ids


# Middles are one token in thirty, and what the model is for. Four times as heavy they are an eighth of the loss; more
# would let the few tokens of a batch's middles speak too loudly for the rest.
MIDDLE_WEIGHT = 4.0


def tokens_of(rows: Rows) -> NDArray[np.int32]:
    """The token ids of rows."""
    return (rows & TOKEN).astype(np.int32)


def parts_of(rows: Rows) -> NDArray[np.int32]:
    """The parts (values of `Part`) of rows."""
    return (rows >> SHIFT).astype(np.int32)
