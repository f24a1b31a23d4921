"""Passages of held-out code that a simulated user types, with the rest of the file around them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from random import Random

from tabspec.errors import InputError
from tabspec.train.corpus.store import Corpus

# About a function: long enough that its first lines help to predict its last ones, short enough to type many of them.
LINES = 12
# Characters. Passages of 12 lines with fewer are tables or brackets; with more, data or prose.
SHORTEST, LONGEST = 150, 900
_MOST_TRIES = 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole lines of a held-out file to type. The file is ``before + written + after``; ``written`` is typed."""

    project: str
    path: str
    language: str
    before: str
    written: str
    after: str


def stretches(corpus: Corpus, language: str, count: int, seed: int = 0) -> list[Stretch]:
    """``count`` stretches in ``language``, from each project in turn, at most one of a file. ``seed`` decides which.

    Raises `InputError` if no file of that language has a suitable passage.
    """
    rng = Random(f"{seed}/{language}/typing")
    by_project: defaultdict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(corpus):
        if entry.language == language:
            by_project[entry.project].append(index)
    for files in by_project.values():
        rng.shuffle(files)
    found: list[Stretch] = []
    while len(found) < count and any(by_project.values()):
        for project in sorted(by_project):
            if by_project[project] and len(found) < count:
                stretch = _cut(corpus, by_project[project].pop(), rng)
                if stretch:
                    found.append(stretch)
    if not found:
        raise InputError(f"{corpus.folder}: holds no {language} with {LINES} lines to type")
    return found


def _cut(corpus: Corpus, index: int, rng: Random) -> Stretch | None:
    """Random lines of a document, the first of them not blank. None if no lines of a suitable size are found."""
    text = corpus.text(index)
    lines = text.splitlines(keepends=True)
    for _ in range(_MOST_TRIES if len(lines) > LINES else 0):
        first = rng.randrange(len(lines) - LINES)
        written = "".join(lines[first : first + LINES])
        if lines[first].strip() and len("".join(written.split())) >= SHORTEST and len(written) <= LONGEST:
            entry, before = corpus[index], "".join(lines[:first])
            after = text[len(before) + len(written) :]
            return Stretch(entry.project, entry.path, entry.language, before, written, after)
    return None
