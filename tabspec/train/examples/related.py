"""Related code for examples: pieces of other files of the project, chosen as for requests.

A request gets the pieces that share most names with the code around the cursor (tabspec.prompt). For an example,
searching a whole project would take too long. So a few random pieces are ranked, and the best of them are used.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random

from tabspec.train.corpus.store import Corpus

RelatedFiles = tuple[tuple[str, str], ...]  # (base name, text) of each piece

PIECE_CHARS = 900  # of the longest piece, as in requests: a definition of 25 lines
PIECES = 2
# Random files for an example: enough that the best is often relevant; ranking them takes a tenth of tokenization.
FROM_FOLDER, FROM_PROJECT = 5, 3
TWO_SHARE = 0.6
# The share of examples with random pieces. In requests, the best piece is sometimes irrelevant, and the model must
# learn to ignore it.
RANDOM_SHARE = 0.2
ASKED_CHARS = 1_500  # before the cursor, from which names are taken
TOP_SHARE = 0.15  # of pieces start at a file's first line (imports and constants)

_NAME = re.compile(r"[^\W\d]\w{2,}")  # shorter names carry little information


class ProjectFiles:
    """Draws pieces of other files from a document's folder and project, in its language."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._folders: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._projects: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for index, entry in enumerate(corpus):
            self._folders[entry.project, entry.folder, entry.language].append(index)
            self._projects[entry.project, entry.language].append(index)

    def around(self, index: int, before: str, after: str, rng: Random) -> RelatedFiles:
        """Pieces that share names with the texts ``before`` and ``after`` a hole in document ``index``, the best last.
        Sometimes random pieces. Empty if no other file is drawn."""
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
        """Whole lines from a random place in a document, from one blank line to another if possible."""
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
    """The identifiers in a text that have three or more characters."""
    return frozenset(_NAME.findall(text))


def by_common_names(texts: Sequence[str], asked: frozenset[str]) -> list[int]:
    """Indices of ``texts``, sorted by the names that they share with ``asked``, most first. Rare names weigh more."""
    own = [names(text) & asked for text in texts]
    having = Counter(name for found in own for name in found)
    scores = [sum(sorted(math.log(1 + len(texts) / having[name]) for name in found)) for found in own]
    return sorted(range(len(texts)), key=lambda number: -scores[number])
