"""Stages of commits: a file after some hunks of a commit, and the remaining hunks."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabspec.edits.step import Step, lines_with_ends
from tabspec.errors import InputError
from tabspec.lab.converters.git_command import run_git
from tabspec.syntax.languages import grammar_of
from tabspec.text import Document

# More hunks in one file, or longer ones, come from rewriting or from a formatter, not from a chain of related edits.
MOST_HUNKS = 20
MOST_HUNK_LINES = 20
MOST_CHARS = 300_000
# The most stages from one file of a commit, so that large commits do not dominate the result.
MOST_STAGES = 6
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# Grammars of prose, data, markup and styles.
_NOT_CODE = frozenset({"markdown", "json", "toml", "yaml", "xml", "css", "scss", "latex", "svelte"})


@dataclass(frozen=True)
class CommitHunk:
    """Lines ``start`` to ``stop`` of a text, and the lines that replace them (with line ends)."""

    start: int
    stop: int
    new: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A document, the steps that led to it (oldest first), and the hunks of the commit that remain for it."""

    document: Document
    steps: tuple[Step, ...]
    left: tuple[CommitHunk, ...]

    @property
    def cursor(self) -> int:
        """The cursor after the last step: the end of its last line."""
        last = self.steps[-1]
        return last.offset + len(last.new.rstrip("\r\n"))


def stages(repository: Path, commits: int, seed: int = 0) -> Iterator[Stage]:
    """Stages of the newest ``commits`` commits of a git repository. Raises `InputError` if it is not a repository.

    The hunks of half of the files are applied from top to bottom, the others in random order, because a commit does not
    record the order.
    """
    chance = random.Random(seed)
    for path, before, hunks in _changed_files(repository, commits):
        order = list(range(len(hunks)))
        if chance.random() < 0.5:
            chance.shuffle(order)
        counts = range(1, len(hunks) + 1)
        chosen = set(chance.sample(counts, min(MOST_STAGES, len(hunks))))
        yield from (stage for count, stage in _walk(path, before, hunks, order) if count in chosen)


def _walk(path: str, before: str, hunks: Sequence[CommitHunk], order: Sequence[int]) -> Iterator[tuple[int, Stage]]:
    lines = lines_with_ends(before)
    uri = f"file:///{path}"
    steps: list[Step] = []
    made: list[int] = []
    for count, at in enumerate(order, 1):
        hunk = _moved(hunks, at, made)
        offset = sum(map(len, lines[: hunk.start]))
        steps.append(Step(uri, hunk.start, offset, "".join(lines[hunk.start : hunk.stop]), "".join(hunk.new)))
        lines[hunk.start : hunk.stop] = hunk.new
        made.append(at)
        left = tuple(_moved(hunks, other, made) for other in range(len(hunks)) if other not in made)
        yield count, Stage(Document(uri, "".join(lines)), tuple(steps), left)


def _moved(hunks: Sequence[CommitHunk], at: int, made: Sequence[int]) -> CommitHunk:
    """Hunk ``at``, with the line numbers that it has after the hunks ``made``."""
    grown = sum(len(hunks[i].new) - (hunks[i].stop - hunks[i].start) for i in made if i < at)
    hunk = hunks[at]
    return CommitHunk(hunk.start + grown, hunk.stop + grown, hunk.new)


def _changed_files(repository: Path, commits: int) -> Iterator[tuple[str, str, list[CommitHunk]]]:
    """The files that a commit changed in two or more places: path, text before the commit, hunks in order."""
    log = _git(
        repository, "log", "-n", str(commits), "--no-merges", "--diff-filter=M", "--no-renames", "-p", "-U0",
        "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "--format=",
    )  # fmt: skip
    for part in re.split(rb"(?m)^diff --git ", log)[1:]:
        name = re.search(rb"(?m)^\+\+\+ b/(.+)$", part)
        blobs = re.search(rb"(?m)^index ([0-9a-f]{40,64})\.\.([0-9a-f]{40,64})", part)
        heads = list(_HUNK.finditer(part))
        if not name or not blobs or not 2 <= len(heads) <= MOST_HUNKS:
            continue
        path = name[1].decode("utf-8", "replace").strip()
        grammar = grammar_of(Document("file:///" + path, ""))
        if grammar is None or grammar in _NOT_CODE or re.search(r"\.min\.|(^|/)(vendor|dist|node_modules)/", path):
            continue
        try:
            before, after = (_git(repository, "cat-file", "blob", blob.decode()).decode() for blob in blobs.groups())
        except UnicodeDecodeError:
            continue
        if "\r" in before + after or max(len(before), len(after)) > MOST_CHARS:
            continue
        hunks = _hunks(heads, lines_with_ends(after))
        if all(max(len(hunk.new), hunk.stop - hunk.start) <= MOST_HUNK_LINES for hunk in hunks):
            yield path, before, hunks


def _hunks(heads: Sequence[re.Match[bytes]], after: Sequence[str]) -> list[CommitHunk]:
    found = []
    for head in heads:
        start, size, new_start, new_size = (int(number) if number is not None else 1 for number in head.groups())
        first, new_first = start - 1 + (size == 0), new_start - 1 + (new_size == 0)
        found.append(CommitHunk(first, first + size, tuple(after[new_first : new_first + new_size])))
    return found


def _git(repository: Path, *arguments: str) -> bytes:
    done = run_git(repository, *arguments)
    if done.returncode:
        line = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(f"{repository}: not a git repository that can be read: {line[0] if line else 'git failed'}")
    return done.stdout
