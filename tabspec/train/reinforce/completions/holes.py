"""Places where a user types: holes in documents of a corpus whose true text is known, with cursors inside them."""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from tabspec.context import EditContext
from tabspec.errors import InputError
from tabspec.prompt.window import WindowSize
from tabspec.text import Document
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.cuts import choose_middle

SERVED = WindowSize()
# Characters of a hole's text. The cursors of a longer one would be spread thinly, and its prompt is computed once.
LONGEST = 400
# Characters after the cursor that fitting sees. It compares a suggestion with lines within 1,200 characters.
FITTED_AFTER = 1_600
# In this share of the holes, the rest of the block after the hole is not written yet, as when a person writes new code.
UNWRITTEN = 0.5
# Bytes of a document around the hole that are read.
_READ = 16_000


@dataclass(frozen=True, slots=True)
class Hole:
    """``text`` is what the user types between ``before`` and ``after``, character by character. ``cursors``: how many
    characters of it are typed at each place where the model is asked."""

    name: str
    language: str
    before: str
    text: str
    after: str
    cursors: tuple[int, ...]

    @property
    def suffix(self) -> str:
        """The text after the cursor that the model sees (as `tabspec.prompt.window.window`)."""
        seen = self.after[: SERVED.suffix_chars]
        line_end = seen.rfind("\n", len(seen) // 2) if len(self.after) > SERVED.suffix_chars else -1
        return seen[: line_end + 1] if line_end >= 0 else seen

    def context(self, cursor: int) -> EditContext:
        """The document with the first ``cursor`` characters typed."""
        before = self.before + self.text[:cursor]
        return EditContext(Document(f"file:///{self.name}", before + self.after, self.language), len(before))


class HoleMaker:
    """Draws holes: from a corpus of files, or from a file of commits' additions (`additions`), of which ``share`` holes
    come. Hole ``number`` depends on these, ``seed`` and it alone.

    Languages are drawn in proportion to the square root of their size, so that the small ones count; their documents
    in proportion to size. ``cursors``: of a hole, one after another.
    """

    def __init__(self, corpus: Path | None, additions: Path | None, share: float, seed: int, cursors: int) -> None:
        self._corpus = Corpus(corpus) if corpus else None
        self._additions = Additions(additions) if additions else None
        self._share = share if self._corpus and self._additions else float(self._additions is not None)
        self._seed, self._cursors = seed, cursors
        if self._corpus:
            sizes = [entry.end - entry.start for entry in self._corpus]
            self._files = _cumulated([entry.language for entry in self._corpus], sizes)
        if self._additions:
            self._added = _cumulated(self._additions.languages, self._additions.sizes)

    def hole(self, number: int) -> Hole:
        """One hole; another place is drawn until one has text to type."""
        rng = Random(f"{self._seed}/{number}")
        while True:
            found = self._added_hole(rng) if rng.random() < self._share else self._file_hole(rng)
            if found is not None:
                return found

    def _file_hole(self, rng: Random) -> Hole | None:
        assert self._corpus is not None
        index = _drawn(self._files, rng)
        entry = self._corpus[index]
        at = rng.randrange(entry.end - entry.start)
        text = self._corpus.piece(index, max(at - _READ, 0), at + _READ)
        first, last = choose_middle(text, min(at, _READ), min(at, _READ) + 1, rng)
        after = _after_block(text, first, last) if rng.random() < UNWRITTEN else last
        return self._typed(entry.name, entry.language, text[:first], text[first:last], text[after:], rng)

    def _added_hole(self, rng: Random) -> Hole | None:
        assert self._additions is not None
        each = self._additions[_drawn(self._added, rng)]
        return self._typed(each.name, each.language, each.before, each.text, each.after, rng)

    def _typed(self, name: str, language: str, before: str, text: str, after: str, rng: Random) -> Hole | None:
        """The hole when a part of its text is typed, with cursors from there on."""
        if not text.strip() or "\r" in text or not text.isascii():
            return None
        done = rng.randrange(len(text))
        before, text = before + text[:done], text[done:]
        begin = _window_start(before, len(before), rng)
        kept = text[:LONGEST]
        cursors = range(min(self._cursors, len(kept) + (kept == text)))
        return Hole(name, language, before[begin:], kept, after[:FITTED_AFTER], tuple(cursors))


@dataclass(frozen=True, slots=True)
class Addition:
    """What a commit added between ``before`` and ``after``, which are cut."""

    project: str
    path: str
    language: str
    before: str
    text: str
    after: str

    @property
    def name(self) -> str:
        """The file's base name."""
        return self.path.rsplit("/", 1)[-1]


class Additions:
    """A file of additions, a JSON object a line, opened for reading. Raises `InputError` if it is not one."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._starts = [0]
            self.languages: list[str] = []
            self.sizes: list[int] = []
            while line := self._text.readline():
                found = Addition(**json.loads(line))
                self.languages.append(found.language)
                self.sizes.append(len(found.text))
                self._starts.append(self._text.tell())
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: not a file made by 'tabspec train additions': {error}") from error

    def __getitem__(self, index: int) -> Addition:
        return Addition(**json.loads(self._text[self._starts[index] : self._starts[index + 1]]))


def _cumulated(languages: Sequence[str], sizes: Sequence[int]) -> NDArray[np.float64]:
    """The cumulated weights of documents: see `HoleMaker`."""
    weights, names = np.array(sizes, dtype=np.float64), np.array(languages)
    for name in np.unique(names):
        weights[names == name] /= weights[names == name].sum() ** 0.5
    return np.cumsum(weights)


def _drawn(cumulated: NDArray[np.float64], rng: Random) -> int:
    place = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
    return min(place, len(cumulated) - 1)


def _window_start(text: str, first: int, rng: Random) -> int:
    """Where the prefix window begins: a request's moves in steps, so that the place within a step is random."""
    wanted = SERVED.prefix_chars - rng.randrange(SERVED.step)
    if wanted >= first:
        return 0
    line = text.find("\n", first - wanted - 1, first) + 1
    return line if line > 0 else first - wanted


def _after_block(text: str, first: int, last: int) -> int:
    """The start of the line end before the first line after ``last`` that is indented less than the line of
    ``first``."""
    start = text.rfind("\n", 0, first) + 1
    own = len(text[start:]) - len(text[start:].lstrip(" \t"))
    at = text.find("\n", last)
    while at >= 0:
        stop = text.find("\n", at + 1)
        line = text[at + 1 : stop if stop >= 0 else len(text)]
        if stop < 0 or (line.strip() and len(line) - len(line.lstrip(" \t")) < own):
            return at
        at = stop
    return last
