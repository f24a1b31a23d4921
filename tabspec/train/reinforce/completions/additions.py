"""What releases of packages added, as places where a person typed: from pairs of successive releases.

Text in finished files is easy to complete: all that it refers to is there. What a release adds is nearer to what a
person writes. Before it stands the new text, after it the old one: as when a file is changed from top to bottom.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random

from tabspec.errors import InputError
from tabspec.train.corpus.filters import reason_to_drop
from tabspec.train.corpus.licences import is_permissive
from tabspec.train.corpus.origins import SourceFile, read_origin
from tabspec.train.reinforce.completions.holes import FITTED_AFTER, SERVED, Addition

# Characters. Shorter additions are signs; of longer ones, a part is kept.
SHORTEST, LONGEST = 4, 1_200
# Characters of a changed file, as many as a comparison of lines takes 50 ms for.
MOST_CHARS = 100_000


@dataclass(frozen=True, slots=True)
class AdditionLimits:
    """Bounds, so that no project dominates: ``pairs`` of releases, ``files`` of a pair, additions of a ``file`` and of
    a ``project``."""

    pairs: int = 3
    files: int = 25
    file: int = 10
    project: int = 160


def write_additions(
    releases: Sequence[Path],
    out: Path,
    hold_out: Collection[str],
    limits: AdditionLimits | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, int]:
    """Write what the releases (.whl, .tgz) of each project added to ``out``, and return how many of each project.

    Projects in ``hold_out`` and those without a permissive licence are left out. Raises `InputError` if nothing is
    left.
    """
    limits = limits or AdditionLimits()
    projects: dict[str, list[tuple[list[int], Path]]] = {}
    for path in releases:
        name, version = _named(path)
        projects.setdefault(name, []).append((version, path))
    counts: dict[str, int] = {}
    lines: list[str] = []
    for name, found in sorted(projects.items()):
        progress(name)
        if name in hold_out:
            continue
        additions = _of_project(name, [path for _, path in sorted(found)], limits)
        counts[name] = len(additions)
        lines += [json.dumps(asdict(each)) + "\n" for each in additions]
    if not lines:
        raise InputError("the releases added nothing that can be used; give two or more releases of a project")
    aside = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text("".join(lines), encoding="utf-8")
        aside.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error
    return counts


def added(old: str, new: str) -> Iterator[tuple[int, int, int]]:
    """Where ``new`` has text that ``old`` lacks: its start and end in ``new``, and where the old text goes on after it.

    Changes are found by lines, and narrowed to the characters that differ."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [[0, *accumulate(map(len, lines))] for lines in (before, after)]
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind in ("equal", "delete"):
            continue
        was, now = old[starts[0][i1] : starts[0][i2]], new[starts[1][j1] : starts[1][j2]]
        same = _same(was, now)
        tail = _same(was[same:][::-1], now[same:][::-1])
        yield starts[1][j1] + same, starts[1][j2] - tail, starts[0][i2] - tail


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _of_project(name: str, releases: Sequence[Path], limits: AdditionLimits) -> list[Addition]:
    rng = Random(name)
    pairs = list(pairwise(releases))
    rng.shuffle(pairs)
    found: dict[str, Addition] = {}  # by text: the same is added in many places
    for earlier, later in pairs[: limits.pairs]:
        before = {file.path: file for file in _files(earlier)}
        changed = [file for file in _files(later) if file.path not in before or before[file.path].text != file.text]
        rng.shuffle(changed)
        for file in changed[: limits.files]:
            old = before[file.path].text if file.path in before else ""
            for each in _of_file(name, file, old, rng, limits.file):
                found.setdefault(each.text.strip(), each)
    chosen = list(found.values())
    rng.shuffle(chosen)
    return sorted(chosen[: limits.project], key=lambda each: each.path)


def _files(release: Path) -> Iterable[SourceFile]:
    for file in read_origin(release):
        if not is_permissive(file.project.licence):
            return
        if len(file.text) <= MOST_CHARS and reason_to_drop(file.path, file.text) is None:
            yield file


def _of_file(name: str, file: SourceFile, old: str, rng: Random, most: int) -> Iterator[Addition]:
    kept = 0
    for begin, end, rest in added(old, file.text):
        start, text = begin, file.text[begin:end]
        if len(text.strip()) < SHORTEST or not text.isascii():
            continue
        if len(text) > LONGEST:
            lines = [m.end() for m in re.finditer("\n", text) if m.end() < len(text) - LONGEST // 2]
            at = rng.choice([0, *lines])
            start, text = start + at, text[at : at + LONGEST]
        before = file.text[max(start - SERVED.prefix_chars, 0) : start]
        yield Addition(name, file.path, file.language, before, text, old[rest : rest + FITTED_AFTER])
        kept += 1
        if kept >= most:
            return


def _named(path: Path) -> tuple[str, list[int]]:
    """The project of a release and the numbers of its version, from the file's name."""
    stem = path.name.removesuffix(path.suffix)
    match = re.match(r"(.+?)-v?(\d[^-]*)", stem)
    if match is None or path.suffix not in (".whl", ".tgz"):
        raise InputError(f"{path}: not a release (NAME-VERSION... .whl or .tgz)")
    return re.sub(r"[-_.]+", "-", match[1]).lower(), [int(n) for n in re.findall(r"\d+", match[2])]
