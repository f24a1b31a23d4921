"""The source files that commits changed, with their hunks, and files beside them that stayed as they were."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tabspec.edits.step import lines_with_ends
from tabspec.errors import InputError
from tabspec.lab.converters.git_command import run_git
from tabspec.syntax.languages import grammar_of
from tabspec.text import Document

# More hunks in one file, or longer ones, come from rewriting or from a formatter, not from a chain of related edits.
MOST_HUNKS = 20
MOST_HUNK_LINES = 20
MOST_CHARS = 300_000
# Commits that change more files are a mechanical change, or one that was made by several people.
MOST_FILES = 5
# Files that are open and stay as they are. With those of the commit, these are the documents that the language server
# looks at (MOST_OTHERS of tabspec_lsp/state/edit_log.py).
UNCHANGED = 4
_COMMIT = re.compile(rb"(?m)^commit ([0-9a-f]{40,64})$")
_HUNK = re.compile(rb"(?m)^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# Grammars of prose, data, markup and styles.
_NOT_CODE = frozenset({"markdown", "json", "toml", "yaml", "xml", "css", "scss", "latex", "svelte"})
_NOT_WRITTEN = re.compile(r"\.min\.|(^|/)(vendor|dist|node_modules)/")


@dataclass(frozen=True)
class CommitHunk:
    """Lines ``start`` to ``stop`` of a text, and the lines that replace them (with line ends)."""

    start: int
    stop: int
    new: tuple[str, ...]


@dataclass(frozen=True)
class ChangedFile:
    """A file before a commit, and the commit's hunks in it, in order. None: the commit leaves it as it is."""

    path: str
    text: str
    hunks: tuple[CommitHunk, ...] = ()

    @property
    def uri(self) -> str:
        return f"file:///{self.path}"


@dataclass(frozen=True)
class _LoggedFile:
    """A file of the log: the names of its blobs, before and after, and the heads of its hunks."""

    path: str
    blobs: tuple[str, str]
    heads: Sequence[re.Match[bytes]]


def changed_files(
    repository: Path, commits: int, chance: random.Random
) -> Iterator[tuple[list[ChangedFile], list[ChangedFile]]]:
    """For each of the newest ``commits`` commits with two hunks or more: the files that it changed, and up to
    `UNCHANGED` others of the same folders and languages, chosen at random. Raises `InputError` if it is no repository.
    """
    log = _git(
        repository, "log", "-n", str(commits), "--no-merges", "--diff-filter=M", "--no-renames", "-p", "-U0",
        "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "--format=commit %H",
    )  # fmt: skip
    parts = _COMMIT.split(log)[1:]
    for name, patch in zip(parts[::2], parts[1::2], strict=True):
        found = [each for part in re.split(rb"(?m)^diff --git ", patch)[1:] if (each := _changed(part))]
        if not found or len(found) > MOST_FILES or sum(len(each.heads) for each in found) < 2:
            continue
        beside = _beside(repository, name.decode(), found, chance)
        texts = _texts(repository, [blob for each in found for blob in each.blobs] + list(beside.values()))
        files = [file for each in found if (file := _file(each, texts))]
        if sum(len(file.hunks) for file in files) >= 2:
            unchanged = [ChangedFile(path, texts[blob]) for path, blob in beside.items() if blob in texts]
            yield files, unchanged


def _changed(part: bytes) -> _LoggedFile | None:
    """A file of the log; None if it is no source file, or was rewritten."""
    name = re.search(rb"(?m)^\+\+\+ b/(.+)$", part)
    blobs = re.search(rb"(?m)^index ([0-9a-f]{40,64})\.\.([0-9a-f]{40,64})", part)
    heads = list(_HUNK.finditer(part))
    if not name or not blobs or not 1 <= len(heads) <= MOST_HUNKS:
        return None
    path = name[1].decode("utf-8", "replace").strip()
    return _LoggedFile(path, (blobs[1].decode(), blobs[2].decode()), heads) if _language(path) else None


def _language(path: str) -> str | None:
    """The grammar of a source file; None for another file, or one that no person writes."""
    grammar = grammar_of(Document("file:///" + path, ""))
    return None if grammar in _NOT_CODE or _NOT_WRITTEN.search(path) else grammar


def _beside(repository: Path, commit: str, found: Sequence[_LoggedFile], chance: random.Random) -> dict[str, str]:
    """Some files that the commit does not change, and their blobs."""
    changed = {each.path for each in found}
    folders = {str(PurePosixPath(path).parent) for path in changed}
    languages = {_language(path) for path in changed}
    listed = _git(repository, "ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8", "replace")
    blobs: dict[str, str] = {}
    for line in listed.split("\0"):
        about, _, path = line.partition("\t")
        if path in changed or str(PurePosixPath(path).parent) not in folders or not about.startswith("100"):
            continue
        if _language(path) in languages:
            blobs[path] = about.split()[2]
    return {path: blobs[path] for path in chance.sample(sorted(blobs), min(UNCHANGED, len(blobs)))}


def _file(changed: _LoggedFile, texts: dict[str, str]) -> ChangedFile | None:
    before, after = (texts.get(blob) for blob in changed.blobs)
    if before is None or after is None:
        return None
    hunks = _hunks(changed.heads, lines_with_ends(after))
    if any(max(len(hunk.new), hunk.stop - hunk.start) > MOST_HUNK_LINES for hunk in hunks):
        return None
    return ChangedFile(changed.path, before, hunks)


def _texts(repository: Path, blobs: Sequence[str]) -> dict[str, str]:
    """The blobs that are texts with simple line ends, and not too long."""
    data = _git(repository, "cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs).encode())
    texts: dict[str, str] = {}
    at = 0
    for blob in blobs:
        end = data.index(b"\n", at)
        head, at = data[at:end].split(), end + 1
        if head[1] != b"blob":  # a submodule: the line says that it is missing
            continue
        size = int(head[2])
        try:
            text = data[at : at + size].decode()
        except UnicodeDecodeError:
            text = "\r"
        at += size + 1
        if "\r" not in text and len(text) <= MOST_CHARS:
            texts[blob] = text
    return texts


def _hunks(heads: Sequence[re.Match[bytes]], after: Sequence[str]) -> tuple[CommitHunk, ...]:
    found = []
    for head in heads:
        start, size, new_start, new_size = (int(number) if number is not None else 1 for number in head.groups())
        first, new_first = start - 1 + (size == 0), new_start - 1 + (new_size == 0)
        found.append(CommitHunk(first, first + size, tuple(after[new_first : new_first + new_size])))
    return tuple(found)


def _git(repository: Path, *arguments: str, given: bytes = b"") -> bytes:
    done = run_git(repository, *arguments, given=given)
    if done.returncode:
        line = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(f"{repository}: not a git repository that can be read: {line[0] if line else 'git failed'}")
    return done.stdout
