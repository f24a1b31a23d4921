"""Builds the release part of the data of edit examples: pairs of successive versions of files, from packages."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import xxhash

from tabspec.errors import InputError
from tabspec.train.corpus.filters import reason_to_drop
from tabspec.train.corpus.licences import is_permissive
from tabspec.train.corpus.origins import SourceFile, read_origin
from tabspec.train.corpus.store import MANIFEST, Corpus, CorpusWriter, DocumentEntry
from tabspec.train.edits.hunks import LineHunk, small_hunks
from tabspec.train.edits.pack import HUNKS

_VERSION = re.compile(r"(^|/)_?version[^/]*$")
_TEST = re.compile(r"(^|/)(tests?|testing|__tests__)/|(^|/)test_[^/]*$|[._-](test|spec)s?\.\w+$")
_BUNDLED = re.compile(r"(^|/)(dist|build|cjs|es|esm|umd|bundles?|out|browser)/")  # in npm packages: made from sources
_ONLY_VERSION = re.compile(r"version|copyright|\b20[12]\d\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PairLimits:
    """What is taken of a project, so that none dominates.

    ``chars``: of a file; a longer one is seldom edited by people at many places. ``files``: changed files of a pair of
    releases that are compared. ``most``: hunks of a file; more are mostly a new format. Of files with 41 to 80 hunks,
    39 % of the hunks repeat an earlier replacement, of those with 2 to 15 19 % (measured). ``project_hunks`` and
    ``project_chars``: of a project. ``single``: the share of files with one hunk that are kept. ``tests``: the share of
    tests that are kept.
    """

    chars: int = 60_000
    files: int = 100
    most: int = 80
    project_hunks: int = 4_000
    project_chars: int = 6_000_000
    single: float = 0.2
    tests: float = 1.0


@dataclass(frozen=True, slots=True)
class FilePair:
    """A file of a release, and the hunks of at most a dozen lines that lead to the next release."""

    project: str
    path: str
    language: str
    old: str
    new: str
    hunks: tuple[LineHunk, ...]


def packages_by_project(folder: Path) -> dict[str, list[Path]]:
    """The wheels and npm tarballs under ``folder``, by project, old releases first."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted([*folder.rglob("*.whl"), *folder.rglob("*.tgz")]):
        match = re.match(r"(.+?)-(?=\d)", path.name)
        if match:
            found[match.group(1).replace("_", "-").lower()].append(path)
    return {name: sorted(paths, key=_version) for name, paths in sorted(found.items())}


def _version(path: Path) -> list[int]:
    version = re.split(r"-(?=\d)", path.name, maxsplit=1)[1].split("-")[0]
    return [int(number) for number in re.findall(r"\d+", version.removesuffix(".tgz"))]


def release_pairs(packages: Sequence[Path], limits: PairLimits) -> Iterator[list[FilePair]]:
    """The changed files of each two successive releases. Packages that are not permissive have none."""
    for old, new in pairwise(_files(path) for path in packages):
        changed = [path for path in old.keys() & new.keys() if old[path].text != new[path].text]
        pairs: list[FilePair] = []
        for path in sorted(changed, key=_digest):
            if len(pairs) >= limits.files:
                break
            pair = _pair(old[path], new[path], limits)
            if pair is not None:
                pairs.append(pair)
        yield pairs


def _files(path: Path) -> dict[str, SourceFile]:
    try:
        found = [file for file in read_origin(path) if is_permissive(file.project.licence)]
    except InputError:
        return {}
    return {file.path: file for file in found}


def _pair(old: SourceFile, new: SourceFile, limits: PairLimits) -> FilePair | None:
    if max(len(old.text), len(new.text)) > limits.chars or reason_to_drop(old.path, old.text):
        return None
    if old.project.ecosystem == "npm" and _BUNDLED.search(old.path):
        return None
    if _VERSION.search(old.path) or (_TEST.search(old.path) and _digest(old.path) / 2**32 > limits.tests):
        return None
    before, after = old.text.split("\n"), new.text.split("\n")
    base, hunks = small_hunks(before, after)
    # a hunk of the version or the year leads to no other one: it is taken as made before
    kept = [hunk for hunk in hunks if not _ONLY_VERSION.search("\n".join((*base[hunk.start : hunk.stop], *hunk.new)))]
    if len(kept) < len(hunks):
        base, kept = _without(base, hunks, kept)
    if not kept or len(kept) > limits.most:
        return None
    if len(kept) == 1 and _digest(old.text) / 2**32 > limits.single:
        return None
    return FilePair(old.project.name, old.path, old.language, "\n".join(base), new.text, tuple(kept))


def _without(
    base: Sequence[str], hunks: Sequence[LineHunk], kept: Sequence[LineHunk]
) -> tuple[list[str], list[LineHunk]]:
    """The base with the hunks applied that are not kept, and the kept ones in it."""
    lines: list[str] = []
    found: list[LineHunk] = []
    at = 0
    left = set(kept)
    for hunk in hunks:
        lines += base[at : hunk.start]
        at = hunk.stop
        if hunk in left:
            found.append(hunk.moved(len(lines) - hunk.start))
            lines += base[hunk.start : hunk.stop]
        else:
            lines += hunk.new
    return lines + list(base[at:]), found


def _digest(text: str) -> int:
    return xxhash.xxh32_intdigest(text.encode("utf-8", "surrogatepass"))


def build_releases(
    folder: Path,
    out: Path,
    held_out: Iterable[str],
    limits: PairLimits | None = None,
    processes: int = 1,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, int]:
    """Write ``out`` from the packages in ``folder``. Returns the number of hunks of each project.

    Raises `InputError` if nothing is left.
    """
    apart = {name.lower().lstrip("@").replace("/", "-") for name in held_out}  # as in the names of packages
    projects = {name: paths for name, paths in packages_by_project(folder).items() if name not in apart}
    counts: dict[str, int] = {}
    rows: list[str] = []
    number = 0
    with CorpusWriter(out) as writer, ProcessPoolExecutor(processes) as pool:
        chosen = pool.map(_project, projects.values(), [limits or PairLimits()] * len(projects))
        for name, found in zip(projects, chosen, strict=True):
            progress(name)
            counts[name] = sum(len(pair.hunks) for _, pair in found)
            for at, pair in found:
                writer.add(pair.project, pair.path, pair.language, pair.old)
                hunks = [[hunk.start, hunk.stop, list(hunk.new)] for hunk in pair.hunks]
                rows.append(json.dumps({"pair": number + at, "hunks": hunks}, ensure_ascii=False))
            number += 1 + max((at for at, _ in found), default=0)
        writer.manifest = {"format": "tabspec-edits", "version": 1, "hunks": counts}
        if not rows:
            raise InputError(f"{folder}: no two releases of a package with permissive licence and changed files")
    (out / HUNKS).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return counts


def _project(packages: Sequence[Path], limits: PairLimits) -> list[tuple[int, FilePair]]:
    """A sample of a project's pairs with the number of the two releases, successive versions of a file together."""
    found = [(at, pair) for at, pairs in enumerate(release_pairs(packages, limits)) for pair in pairs]
    found.sort(key=lambda item: _digest(f"{item[0]}/{item[1].path}"))
    hunks = chars = 0
    kept: list[tuple[int, FilePair]] = []
    for at, pair in found:
        if hunks + len(pair.hunks) > limits.project_hunks or chars + len(pair.old) > limits.project_chars:
            continue
        hunks += len(pair.hunks)
        chars += len(pair.old)
        kept.append((at, pair))
    kept.sort(key=lambda item: (item[1].path, item[0]))
    return kept


def sample_texts(corpus: Corpus, out: Path, project_chars: int) -> int:
    """Write to ``out`` at most about ``project_chars`` bytes of each project of a corpus. Returns the bytes taken."""
    left: defaultdict[str, int] = defaultdict(lambda: project_chars)
    taken = 0
    chosen: list[int] = []
    for index in sorted(range(len(corpus)), key=lambda n: _digest(f"{corpus[n].project}/{corpus[n].path}")):
        entry: DocumentEntry = corpus[index]
        if left[entry.project] > 0:
            left[entry.project] -= entry.end - entry.start
            taken += entry.end - entry.start
            chosen.append(index)
    with CorpusWriter(out) as writer:
        for index in sorted(chosen):
            entry = corpus[index]
            writer.add(entry.project, entry.path, entry.language, corpus.text(index))
        manifest = corpus.folder / MANIFEST
        writer.manifest = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    return taken
