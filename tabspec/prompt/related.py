"""Related code: which pieces of other documents a model is shown with a window.

A piece scores by the names that it shares with the code around the cursor; rare names count more. The names are taken
from before a *canonical place*, which moves in steps, so that the choice stays the same while a few lines are typed:
related code is at the beginning of the prompt, and a change of it makes the whole prompt new.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from tabspec.prompt.pieces import Piece, names
from tabspec.prompt.window import Window, WindowSize

# Characters of the longest document that is divided: longer ones are data, and dividing this many takes 16 ms.
MOST_CHARS = 400_000
# Characters of the longest piece: a definition of 25 lines. Longer texts leave too little room for the window.
LONGEST_PIECE = 900
# Two pieces of a thousand characters help more than five of a few lines.
MOST_PIECES = 2
# Characters of room below which no further piece is chosen: a smaller one holds no definition.
LEAST_ROOM = 150
# Characters by which the canonical place moves: the step of the default window, so that both change together (at 256
# the choice changed every ten lines). In shorter heads it moves each time their length has doubled.
STEP = WindowSize().step
# Characters before the canonical place whose names are used.
ASKED_CHARS = 1500


def asked_with(window: Window) -> tuple[str, str]:
    """The texts whose names select pieces: before the canonical place, and the suffix.

    They are equal for two states of one scope of the window, unless a `STEP` lies between them.
    """
    length = len(window.head)
    place = length // STEP * STEP if length >= STEP else 1 << length.bit_length() >> 1
    place = window.head.rfind("\n", 0, place) + 1
    return window.head[max(place - ASKED_CHARS, 0) : place], window.suffix


class Pieces:
    """Pieces to choose from, indexed by their names. Made once for each set of documents."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = tuple(pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    @cached_property
    def _with(self) -> dict[str, list[int]]:
        """The numbers of the pieces that have each name."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for number, piece in enumerate(self._pieces):
            for name in piece.names:
                found[name].append(number)
        return dict(found)

    def best(self, texts: Sequence[str], chars: int) -> tuple[Piece, ...]:
        """The pieces that share most names with ``texts``, at most ``chars`` characters together. The best is last,
        nearest to the cursor; of equal ones the earlier is chosen."""
        scores: defaultdict[int, float] = defaultdict(float)
        for name in sorted(frozenset[str]().union(*map(names, texts))):  # in order: sums of floats depend on it
            having = self._with.get(name, ())
            for number in having:
                scores[number] += _rarity(len(having), len(self._pieces))
        chosen = list[Piece]()
        for number in sorted(scores, key=lambda number: (-scores[number], number)):
            piece = self._pieces[number]
            if len(piece.text) <= chars and piece not in chosen:
                chosen.append(piece)
                chars -= len(piece.text)
            if chars < LEAST_ROOM or len(chosen) == MOST_PIECES:
                break
        return tuple(reversed(chosen))


def _rarity(having: int, count: int) -> float:
    """Score of a name that ``having`` of ``count`` pieces have (inverse document frequency)."""
    return math.log(1 + count / having)
