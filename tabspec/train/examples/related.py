"""Related code for examples: pieces of other files of the project, chosen as they are when serving.

When serving, the pieces that share most names with the code around the cursor are shown (tabspec.prompt). Searching
a whole project for each example would cost more than the example, so a few pieces are drawn and the best of them taken.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random

from tabspec.train.corpus.store import Corpus

Related = tuple[tuple[str, str], ...]  # (base name, text) of each piece

PIECE_CHARS = 900  # of the longest piece, as when serving: a definition of 25 lines
PIECES = 2
# Enough draws that the best has something to do with the example, few enough to cost a tenth of its tokenization.
FROM_FOLDER, FROM_PROJECT = 5, 3
TWO_SHARE = 0.6
# When serving, too, the best piece sometimes has nothing to say: the model must be able to look past it.
RANDOM_SHARE = 0.2
ASKED_CHARS = 1_500  # before the cursor, whose names are looked for
TOP_SHARE = 0.15  # pieces from a file's first line: imports and constants

_NAME = re.compile(r"[^\W\d]\w{2,}")  # shorter names say nothing about what is spoken of


class ProjectFiles:
    """Other files of each file's folder and project, in its language."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._folders: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._projects: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for index, entry in enumerate(corpus):
            self._folders[entry.project, entry.folder, entry.language].append(index)
            self._projects[entry.project, entry.language].append(index)

    def around(self, index: int, before: str, after: str, rng: Random) -> Related:
        """Pieces that have names in common with the texts ``before`` and ``after`` a hole in document ``index``, the
        best last; sometimes any piece. Empty if the document is alone."""
        entry = self._corpus[index]
        folder = self._folders[entry.project, entry.folder, entry.language]
        project = self._projects[entry.project, entry.language]
        drawn = rng.choices(folder, k=FROM_FOLDER) + rng.choices(project, k=FROM_PROJECT)
        others = [other for other in dict.fromkeys(drawn) if other != index]
        if not others:
            return ()
        count = PIECES if rng.random() < TWO_SHARE else 1
        if rng.random() < RANDOM_SHARE:
            others = others[:count]
        pieces = [(self._corpus[other].name, self._piece(other, rng)) for other in others]
        asked = names(before[-ASKED_CHARS:]) | names(after)
        ranked = by_common_names([text for _, text in pieces], asked)
        chosen = [pieces[number] for number in ranked[:count] if pieces[number][1]]
        return tuple(reversed(chosen))

    def _piece(self, index: int, rng: Random) -> str:
        """Whole lines from somewhere in a document, starting after a blank line and ending at one if possible."""
        entry = self._corpus[index]
        longest = rng.randint(PIECE_CHARS // 3, PIECE_CHARS)
        start = 0 if rng.random() < TOP_SHARE else rng.randrange(entry.end - entry.start)
        text = self._corpus.piece(index, start, start + 2 * PIECE_CHARS)
        begin = 0
        if start:
            blank = text.find("\n\n", 0, PIECE_CHARS)
            begin = blank + 2 if blank >= 0 else text.find("\n", 0, PIECE_CHARS) + 1
        piece = text[begin : begin + longest]
        if begin + longest < len(text):
            blank = piece.rfind("\n\n", longest // 2)
            end = blank if blank >= 0 else piece.rfind("\n", longest // 2)
            piece = piece[:end] if end >= 0 else piece
        return piece.strip("\r\n")


def names(text: str) -> frozenset[str]:
    """The identifiers of three characters and more in a text."""
    return frozenset(_NAME.findall(text))


def by_common_names(texts: Sequence[str], asked: frozenset[str]) -> list[int]:
    """Numbers of ``texts``, the one first that has most names with ``asked`` in common; rare names count more."""
    own = [names(text) & asked for text in texts]
    having = Counter(name for found in own for name in found)
    scores = [sum(sorted(math.log(1 + len(texts) / having[name]) for name in found)) for found in own]
    return sorted(range(len(texts)), key=lambda number: -scores[number])
