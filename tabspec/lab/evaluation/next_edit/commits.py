"""Stages of commits: documents after some hunks of a commit, and the remaining hunks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabspec.edits.step import Step, lines_with_ends
from tabspec.lab.evaluation.next_edit.changed_files import ChangedFile, CommitHunk, changed_files
from tabspec.text import Document

# The most stages from one file of a commit, so that large commits do not dominate the result.
MOST_STAGES = 6


@dataclass(frozen=True)
class Stage:
    """A document, the steps that led to it (oldest first), and the hunks of the commit that remain, by document (URI).

    ``others`` are the other open documents, the one used last first: files of the commit, and some that it does not
    change.
    """

    document: Document
    steps: tuple[Step, ...]
    left: Mapping[str, tuple[CommitHunk, ...]]
    others: tuple[Document, ...] = ()

    @property
    def cursor(self) -> int:
        """The cursor after the last step: the end of its last line."""
        last = self.steps[-1]
        return last.offset + len(last.new.rstrip("\r\n"))

    @property
    def due(self) -> bool:
        """Whether hunks remain."""
        return any(self.left.values())


@dataclass
class _OpenFile:
    """A file of a commit while its hunks are made. ``made`` are those that are made already."""

    uri: str
    lines: list[str]
    hunks: Sequence[CommitHunk]
    made: list[int]

    @property
    def document(self) -> Document:
        return Document(self.uri, "".join(self.lines))

    @property
    def left(self) -> tuple[CommitHunk, ...]:
        return tuple(self._moved(at) for at in range(len(self.hunks)) if at not in self.made)

    def make(self, at: int) -> Step:
        """Make a hunk."""
        hunk = self._moved(at)
        offset = sum(map(len, self.lines[: hunk.start]))
        old, new = "".join(self.lines[hunk.start : hunk.stop]), "".join(hunk.new)
        self.lines[hunk.start : hunk.stop] = hunk.new
        self.made.append(at)
        return Step(self.uri, hunk.start, offset, old, new)

    def _moved(self, at: int) -> CommitHunk:
        """Hunk ``at``, with the line numbers that it has after the hunks that are made."""
        grown = sum(len(self.hunks[i].new) - (self.hunks[i].stop - self.hunks[i].start) for i in self.made if i < at)
        hunk = self.hunks[at]
        return CommitHunk(hunk.start + grown, hunk.stop + grown, hunk.new)


def stages(repository: Path, commits: int, seed: int = 0) -> Iterator[Stage]:
    """Stages of the newest ``commits`` commits of a git repository. Raises `InputError` if it is not a repository.

    A commit does not record the order of its hunks. So in half of the commits they are made file by file, and in half
    of the files from top to bottom; the others in random order. All files are open from the start.
    """
    chance = random.Random(seed)
    for files, unchanged in changed_files(repository, commits, chance):
        chance.shuffle(files)
        yield from _walk(files, unchanged, chance)


def _walk(files: Sequence[ChangedFile], unchanged: Sequence[ChangedFile], chance: random.Random) -> Iterator[Stage]:
    opened = [_OpenFile(file.uri, lines_with_ends(file.text), file.hunks, []) for file in files]
    beside = [Document(file.uri, file.text) for file in unchanged]
    order = [(file, at) for file in opened for at in _order(len(file.hunks), chance)]
    if chance.random() < 0.5:
        chance.shuffle(order)
    chosen = {
        (file.uri, count)
        for file in opened
        for count in chance.sample(range(len(file.hunks)), min(MOST_STAGES, len(file.hunks)))
    }
    steps: list[Step] = []
    used = list(opened)  # the last one first
    for file, at in order:
        steps.append(file.make(at))
        used.remove(file)
        if (file.uri, len(file.made) - 1) in chosen:
            others = *(each.document for each in used), *beside
            yield Stage(file.document, tuple(steps), {each.uri: each.left for each in opened}, others)
        used.insert(0, file)


def _order(hunks: int, chance: random.Random) -> list[int]:
    order = list(range(hunks))
    if chance.random() < 0.5:
        chance.shuffle(order)
    return order
