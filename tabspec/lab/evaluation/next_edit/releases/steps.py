"""Steps between releases: a file with some of its hunks made, the next edit, and all that remain.

Successive releases do not show the order of edits. Half of the orders are from top to bottom, half are random.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tabspec.errors import InputError
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty, kind_of
from tabspec.prompt.edit_format import PastLines
from tabspec.train.edits.build import FilePair, PairLimits, packages_by_project, release_pairs
from tabspec.train.edits.hunks import LineHunk, after
from tabspec.train.edits.moment import as_past

# Of two releases of a project, so that no large release dominates. The ends are as frequent as in the first measurement
# of such models (389 beside 1,694 steps).
MOST_STEPS, MOST_ENDS = 25, 6
MOST_HISTORY = 20
# Those of the first measurements, so that later figures are of the same steps. A file with one hunk has no step after
# its first edit.
LIMITS = PairLimits(files=30, most=40, single=0.0, tests=0.3)


@dataclass(frozen=True, slots=True)
class ReleaseStep:
    """A moment. ``due``: the hunks of ``lines`` that remain, the next one first. ``last``: the first line of the newest
    past edit."""

    project: str
    path: str
    lines: tuple[str, ...]
    history: tuple[PastLines, ...]
    due: tuple[LineHunk, ...]
    kind: Novelty
    last: int = 0

    @property
    def hunk(self) -> LineHunk | None:
        """The next edit."""
        return self.due[0] if self.due else None

    def as_json(self) -> dict[str, Any]:
        """A line of a file of steps."""
        return {
            "project": self.project,
            "path": self.path,
            "text": "\n".join(self.lines),
            "history": [{"old": edit.old, "new": edit.new, "path": edit.path} for edit in self.history],
            "due": [[hunk.start, hunk.stop, list(hunk.new)] for hunk in self.due],
            "kind": self.kind.value,
            "last": self.last,
        }


def steps_of(pair: FilePair, rng: Random) -> list[ReleaseStep]:
    """All moments of a file between two releases, after its first edit."""
    lines, due = pair.old.split("\n"), list(pair.hunks)
    if rng.random() < 0.5:
        rng.shuffle(due)
    history: list[PastLines] = []
    made: list[tuple[list[str], LineHunk]] = []
    found: list[ReleaseStep] = []
    last = 0
    while due or made:
        if made:
            kind = kind_of((lines, due[0]), made) if due else Novelty.END
            recent = tuple(history[-MOST_HISTORY:])
            found.append(ReleaseStep(pair.project, pair.path, tuple(lines), recent, tuple(due), kind, last))
        if not due:
            break
        hunk = due.pop(0)
        last = hunk.start
        history.append(as_past(lines, hunk))
        made.append((lines, hunk))
        lines = [*lines[: hunk.start], *hunk.new, *lines[hunk.stop :]]
        due = [after(other, hunk) for other in due]
    return found


def release_steps(folder: Path, projects: Iterable[str], seed: int = 0) -> Iterator[ReleaseStep]:
    """Steps of the packages in ``folder`` that belong to ``projects``, at most `MOST_STEPS` and `MOST_ENDS` of a pair.

    Projects without two releases there have none.
    """
    packages = packages_by_project(folder)
    chosen = [name for name in projects if len(packages.get(name, ())) > 1]
    for name in chosen:
        for number, pairs in enumerate(release_pairs(packages[name], LIMITS)):
            rng = Random(f"{seed}/{name}/{number}")
            yield from _sample([step for pair in pairs for step in steps_of(pair, rng)], rng)


def _sample(steps: Sequence[ReleaseStep], rng: Random) -> list[ReleaseStep]:
    by_end: defaultdict[bool, list[ReleaseStep]] = defaultdict(list)
    for step in steps:
        by_end[step.kind is Novelty.END].append(step)
    inner, ends = by_end[False], by_end[True]
    return rng.sample(inner, min(len(inner), MOST_STEPS)) + rng.sample(ends, min(len(ends), MOST_ENDS))


def write_steps(steps: Sequence[ReleaseStep], path: Path) -> None:
    """Write steps as compressed JSON lines."""
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=9) as file:
        for step in steps:
            file.write(json.dumps(step.as_json()) + "\n")


def read_steps(path: Path) -> list[ReleaseStep]:
    """Read what `write_steps` wrote. Raises `InputError` if the file is not such a one."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return [_step(json.loads(line)) for line in file]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a file of release steps: {error}") from error


def _step(data: dict[str, Any]) -> ReleaseStep:
    return ReleaseStep(
        data["project"],
        data["path"],
        tuple(data["text"].split("\n")),
        tuple(PastLines(edit["old"], edit["new"], edit["path"]) for edit in data["history"]),
        tuple(LineHunk(start, stop, tuple(new)) for start, stop, new in data["due"]),
        Novelty(data["kind"]),
        int(data["last"]),
    )
