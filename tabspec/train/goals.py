"""What is learned at the positions of rows: the next token, or the tag of a line, and how much it weighs.

Most positions of edit examples have nothing to learn. So the goals are listed, and the output layer is computed at
their positions only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tabspec.prompt.edit_format import SAME, Tag
from tabspec.train.examples.parts import LOSS_WEIGHTS, Part, Rows, parts_of, tokens_of
from tabspec.train.examples.tokenizer import EOM, special_id

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of the tokens that the loss distinguishes. ``tags`` has those of the tags, in the order of their parts."""

    end: int
    same: int
    tags: tuple[int, int, int]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> SpecialIds:
        """Raises `InputError` if the tokenizer lacks a token."""
        stays, changes, inserts = (special_id(tokenizer, tag) for tag in (Tag.STAYS, Tag.CHANGES, Tag.INSERTS))
        return cls(special_id(tokenizer, EOM), special_id(tokenizer, SAME.token), (stays, changes, inserts))


@dataclass(frozen=True, slots=True)
class Goals:
    """Arrays with an element for each goal, in the order of positions.

    ``places``: the index of the input position, in the rows one after another (without their last tokens, which are
    only targets). ``targets``: the token. ``parts``: the `Part`. ``weights``: in the loss.
    """

    places: Ints
    targets: Ints
    parts: Ints
    weights: NDArray[np.float32]

    def filled(self, multiple: int) -> Goals:
        """With goals of weight 0 at its end, so that their number is a multiple of ``multiple``, and not 0."""
        count = len(self.places)
        missing = (0, -count % multiple if count else multiple)
        return Goals(
            np.pad(self.places, missing),
            np.pad(self.targets, missing),
            np.pad(self.parts, missing),
            np.pad(self.weights, missing),
        )


def goals_of(rows: Rows, special: SpecialIds, middles: float = 1.0) -> Goals:
    """The goals of rows of shape (rows, length + 1). Those of rows that fill in the middle weigh ``middles`` times as
    much as usual.

    A `Part` belongs to the token that is predicted, except those of tags, which belong to the input position. A
    position with a tag has no other goal.
    """
    tokens, marks = tokens_of(rows), parts_of(rows)
    targets, parts, tagged = tokens[:, 1:], marks[:, 1:], marks[:, :-1] >= Part.TAG_STAYS
    no_goal = (targets == 0) | (parts == Part.CONTEXT) | (parts >= Part.TAG_STAYS)  # 0 is the pad token
    tags = np.take(special.tags, np.maximum(marks[:, :-1] - Part.TAG_STAYS, 0))
    targets = np.where(tagged, tags, targets).ravel()
    parts = np.where(tagged, marks[:, :-1], parts).ravel()
    places = np.flatnonzero(tagged | ~no_goal)
    chosen = parts[places].astype(np.int64)
    weights = np.take(LOSS_WEIGHTS, chosen) * np.where(chosen < Part.CONTEXT, middles, 1.0)
    return Goals(places, targets[places].astype(np.int64), chosen, weights.astype(np.float32))
