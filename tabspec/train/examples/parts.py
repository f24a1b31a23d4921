"""The part of an example that each token belongs to, for the loss.

In suffix-first order, nothing marks where the prefix ends and the middle begins. When serving, the prefix is given. If
``<|eom|>`` competed after each of the prefix's 700 tokens in training, the model would learn that stopping is rare
(docs/decisions/2026-11-23-bundled-model.md). So a row stores the part of each token, and `Network.choices` excludes
``<|eom|>`` from the softmax within the prefix.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

# An element of a row: the token in the lower 16 bits (which limits the vocabulary), its part in the higher ones.
Rows = NDArray[np.uint32]
SHIFT = 16
TOKEN = (1 << SHIFT) - 1


class Part(IntEnum):
    """The parts of an example that the loss distinguishes."""

    OTHER = 0  # names, related text, suffixes, markers: the usual loss
    PREFIX = 1  # the text certainly continues: <|eom|> is excluded
    MIDDLE = 2  # from the first token that extends beyond the prefix to <|eom|>
    CONTEXT = 3  # what an edit example is given: no loss
    COPIED = 4  # tokens of an answer that are in the old window at the same place
    WRITTEN = 5  # the others, the first one of each copied stretch (also at the start), and the token that ends it
    # Unlike the others, these mark the input token at which a line's tag is stated (tabspec.prompt.edit_format). There,
    # the loss is that of choosing one of the three tags.
    TAG_STAYS = 6
    TAG_CHANGES = 7
    TAG_INSERTS = 8

    def mark(self, ids: list[int]) -> list[int]:
        """The tokens ``ids`` as elements of a row, marked with this part."""
        high = self << SHIFT
        return [token | high for token in ids] if high else ids


# The weight of middles in the loss. They are the model's purpose, but only one token in thirty. With weight four they
# are an eighth of the loss. With more, a batch's few middle tokens would dominate its gradient.
MIDDLE_WEIGHT = 4.0
# The weight of each part. In answers, most tokens are copied, which is soon learned. Nineteen lines of twenty stay, so
# that the other tags weigh more.
_WEIGHTS = {
    Part.OTHER: 1.0,
    Part.PREFIX: 1.0,
    Part.MIDDLE: MIDDLE_WEIGHT,
    Part.CONTEXT: 0.0,
    Part.COPIED: 1.0,
    Part.WRITTEN: 4.0,
    Part.TAG_STAYS: 0.5,
    Part.TAG_CHANGES: 4.0,
    Part.TAG_INSERTS: 4.0,
}
LOSS_WEIGHTS = tuple(_WEIGHTS[part] for part in Part)


def tokens_of(rows: Rows) -> NDArray[np.int32]:
    """The token ids of rows."""
    return (rows & TOKEN).astype(np.int32)


def parts_of(rows: Rows) -> NDArray[np.int32]:
    """The parts (values of `Part`) of rows."""
    return (rows >> SHIFT).astype(np.int32)
