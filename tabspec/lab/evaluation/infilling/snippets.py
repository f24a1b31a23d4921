"""Holes in held-out code, with the text that the author wrote there. The same seed gives the same holes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tabspec.context import EditContext
from tabspec.errors import InputError
from tabspec.text import Document
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples import cuts

_MOST_TRIES = 60  # random places per hole, before none is made
_SHORTEST = 3  # non-blank characters of a middle: a single bracket is not worth completing


class HoleKind(StrEnum):
    """The kind of text that is missing. The values are names in results."""

    REST = "rest of line"
    LINE = "whole line"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A hole in a held-out document. ``middle`` is the text that the author wrote there."""

    kind: HoleKind
    project: str
    path: str
    language: str
    prefix: str
    middle: str
    suffix: str

    @property
    def name(self) -> str:
        """The file's base name."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def context(self) -> EditContext:
        """The document with the hole, and the cursor in it."""
        document = Document(f"file:///{self.path}", self.prefix + self.suffix, self.language)
        return EditContext(document, len(self.prefix))


def sample(corpus: Corpus, language: str, count: int, seed: int = 0) -> list[Snippet]:
    """``count`` snippets of each kind in ``language``, from each project in turn. No two of a kind start at one place.

    Raises `InputError` if the corpus has no file of that language.
    """
    by_project: defaultdict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(corpus):
        if entry.language == language:
            by_project[entry.project].append(index)
    if not by_project:
        raise InputError(f"{corpus.folder}: holds no {language}")
    rng = Random(f"{seed}/{language}")
    projects = sorted(by_project)
    found: list[Snippet] = []
    for kind in HoleKind:
        taken: set[tuple[int, int]] = set()
        for number in range(count):
            snippet = _one(corpus, by_project[projects[number % len(projects)]], kind, rng, taken)
            if snippet:
                found.append(snippet)
    return found


def _one(corpus: Corpus, files: list[int], kind: HoleKind, rng: Random, taken: set[tuple[int, int]]) -> Snippet | None:
    for _ in range(_MOST_TRIES):
        index = files[rng.randrange(len(files))]
        text = corpus.text(index)
        start, end = _HOLES[kind](text, rng.randrange(len(text)), rng)
        if len(text[start:end].strip()) >= _SHORTEST and (index, start) not in taken:
            taken.add((index, start))
            entry = corpus[index]
            return Snippet(kind, entry.project, entry.path, entry.language, text[:start], text[start:end], text[end:])
    return None


def _rest(text: str, at: int, rng: Random) -> cuts.Span:
    """From a place within a line, after its indentation, to the end of the line."""
    start = text.rfind("\n", 0, at) + 1
    indented = start + len(text[start:]) - len(text[start:].lstrip(" \t"))
    return cuts.rest_of_line(text, max(at, min(indented + 1, len(text))), rng)


def _line(text: str, at: int, rng: Random) -> cuts.Span:
    """A line without its indentation, which editors insert."""
    start = text.rfind("\n", 0, at) + 1
    first = start + len(text[start:]) - len(text[start:].lstrip(" \t"))
    return cuts.rest_of_line(text, first, rng)


def _block(text: str, at: int, rng: Random) -> cuts.Span:
    """The body of a block without its first indentation. Empty if it has more than 10 lines."""
    start, end = cuts.block(text, at, Random(0))
    first = start + len(text[start:end]) - len(text[start:end].lstrip())
    return (first, end) if text.count("\n", first, end) < 10 else (first, first)


_HOLES: dict[HoleKind, Callable[[str, int, Random], cuts.Span]] = {
    HoleKind.REST: _rest,
    HoleKind.LINE: _line,
    HoleKind.BLOCK: _block,
}
