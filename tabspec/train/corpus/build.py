"""Builds a corpus: reads sources, drops unsuitable files and duplicates, and separates the held-out projects."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xxhash

from tabspec.errors import InputError
from tabspec.train.corpus.dedupe import THRESHOLD, Deduplicator, Fingerprint, fingerprint
from tabspec.train.corpus.filters import reason_to_drop
from tabspec.train.corpus.licences import is_permissive
from tabspec.train.corpus.origins import Project, SourceFile, read_origin
from tabspec.train.corpus.store import CorpusWriter

_TEST = re.compile(r"(^|/)(tests?|testing|__tests__|spec)/|(^|/)test_[^/]*$|[._-](test|spec)s?\.\w+$")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a corpus.

    ``project_chars``: the most characters of one project, so that no single style dominates.
    ``tests_kept``: the share of test files that are kept. Tests are repetitive, but users request completions in tests,
    too.
    ``permissive_only``: drop packages whose metadata does not name a permissive licence. Folders are kept, because they
    are the user's own code.
    """

    project_chars: int = 12_000_000
    tests_kept: float = 0.6
    permissive_only: bool = True


@dataclass
class BuildReport:
    """Contents of a corpus: characters kept by language and dropped by reason, and projects with their licences."""

    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The content of the manifest file."""
        return {
            "format": "tabspec-corpus",
            "version": 1,
            "built": datetime.now(UTC).date().isoformat(),
            "near_duplicate_threshold": THRESHOLD,
            "chars_by_language": dict(self.kept.most_common()),
            "chars_dropped": dict(self.dropped.most_common()),
            "refused_for_licence": sorted(self.refused),
            "projects": [self.projects[name] for name in sorted(self.projects)],
        }


@dataclass(frozen=True, slots=True)
class _CheckedFile:
    file: SourceFile
    reason: str | None
    fingerprint: Fingerprint | None


def build_corpus(
    origins: Sequence[Path],
    out: Path,
    held_out: Sequence[str] = (),
    limits: Limits | None = None,
    processes: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[BuildReport, BuildReport]:
    """Build ``out/train`` and, if projects are held out, ``out/held_out``. Returns the reports of both.

    ``held_out``: names of projects, as in their metadata. ``progress`` gets the number of origins done.
    Raises `InputError` if an origin cannot be read, or if no file is kept for training.
    """
    limits = limits or Limits()
    seen = Deduplicator()
    # Held-out projects come first, so that copies of their files in other projects are dropped as duplicates.
    ordered = sorted(origins, key=lambda path: not _is_named(path, held_out))
    reports = {True: BuildReport(), False: BuildReport()}
    with CorpusWriter(out / "train") as train:
        with CorpusWriter(out / "held_out") as test:
            for done, judged in enumerate(_judge_all(ordered, limits, processes), 1):
                for item in judged:
                    apart = item.file.project.name in held_out
                    _take(item, test if apart else train, reports[apart], seen, limits)
                progress(done)
            if not reports[False].kept:
                raise InputError("nothing is left to train on: no source files, or all of them were filtered out")
            test.manifest = reports[True].as_json()
        train.manifest = reports[False].as_json()
    return reports[False], reports[True]


def _is_named(path: Path, names: Sequence[str]) -> bool:
    """Whether an origin may contain one of the named projects, by its file name. This is used for the order only."""
    start = re.split(r"-\d", path.name)[0].replace("_", "-").lower()
    return any(start == name.lower().replace("@", "").replace("/", "-") for name in names)


def _judge_all(origins: Sequence[Path], limits: Limits, processes: int) -> Iterator[list[_CheckedFile]]:
    if processes <= 1:
        for origin in origins:
            yield _judge(origin, limits)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_judge, origins, [limits] * len(origins))


def _judge(origin: Path, limits: Limits) -> list[_CheckedFile]:
    """The results for the files of one origin, as far as they do not depend on other origins."""
    judged = []
    room: defaultdict[Project, int] = defaultdict(lambda: limits.project_chars)
    for file in _shuffled(read_origin(origin)):
        reason = _reason(file, limits)
        if reason is None and len(file.text) > room[file.project]:
            reason = "project is large"
        if reason is None:
            room[file.project] -= len(file.text)
        judged.append(_CheckedFile(file, reason, None if reason else fingerprint(file.text)))
    return judged


def _shuffled(files: Iterable[SourceFile]) -> list[SourceFile]:
    """The files, sorted by a digest of their paths, so that a limit keeps a sample of all folders."""
    return sorted(files, key=lambda file: xxhash.xxh32_intdigest(file.path.encode()))


def _reason(file: SourceFile, limits: Limits) -> str | None:
    if limits.permissive_only and file.project.ecosystem != "folder" and not is_permissive(file.project.licence):
        return "licence"
    if reason := reason_to_drop(file.path, file.text):
        return reason
    if _TEST.search(file.path):
        # A digest of the path makes the same choice on every machine and in every run.
        share = xxhash.xxh32_intdigest(file.path.encode(), seed=1) / 2**32
        return None if share < limits.tests_kept else "tests"
    return None


def _take(item: _CheckedFile, writer: CorpusWriter, report: BuildReport, seen: Deduplicator, limits: Limits) -> None:
    file, reason = item.file, item.reason
    if item.fingerprint is not None and not seen.is_new(item.fingerprint):
        reason = "duplicate"
    if reason == "licence" and file.project.name not in report.refused:
        report.refused.append(file.project.name)
    if reason:
        report.dropped[reason] += len(file.text)
        return
    writer.add(file.project.name, file.path, file.language, file.text)
    report.kept[file.language] += len(file.text)
    about = report.projects.setdefault(
        file.project.name,
        {
            "name": file.project.name,
            "version": file.project.version,
            "ecosystem": file.project.ecosystem,
            "licence": file.project.licence[:120],
            "files": 0,
            "chars": 0,
        },
    )
    about["files"] += 1
    about["chars"] += len(file.text)
