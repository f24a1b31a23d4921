"""The evaluation of one or more contestants (models or the baseline), as a table and as JSON.

JSON: ``{"format": "tabspec-evaluation", "version": 1, "git_commit", "machine", "date", "corpus", "seed", "contestants":
[...]}``. A contestant has ``name``, ``bits_per_byte`` by language, ``infill`` by language and kind (the fields of
`Score`), ``typing`` by language (the fields of `Keystrokes`), and ``calibration`` (``expected_error``, ``bins``). With
``--ablate`` the list of contestants is empty, and ``ablation`` has the rows of the table
(`tabspec.lab.evaluation.ablation.AblationRow`). If ``off`` is null, all steps are on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from tabspec.lab.evaluation.ablation import AblationRow
from tabspec.lab.evaluation.bits import Bits
from tabspec.lab.evaluation.calibration import Bin
from tabspec.lab.evaluation.infilling.infill import Mark, Score, score
from tabspec.lab.evaluation.infilling.snippets import HoleKind
from tabspec.lab.evaluation.typing import Keystrokes

FORMAT = "tabspec-evaluation"


@dataclass
class Contestant:
    """The results of a model or a baseline."""

    name: str
    bits: dict[str, Bits] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    typing: dict[str, Keystrokes] = field(default_factory=dict)
    bins: list[Bin] = field(default_factory=list)
    calibration_error: float = math.nan

    def scores(self) -> dict[tuple[str, HoleKind], Score]:
        """Scores by language and kind."""
        keys = dict.fromkeys((mark.language, mark.kind) for mark in self.marks)
        return {key: score([m for m in self.marks if (m.language, m.kind) == key]) for key in keys}

    def as_json(self) -> dict[str, Any]:
        """The contestant's part of the file."""
        return {
            "name": self.name,
            "bits_per_byte": {
                language: {"bits_per_byte": _number(b.per_byte), "bytes": b.bytes, "tokens": b.tokens}
                for language, b in self.bits.items()
            },
            "infill": [
                {"language": language, "kind": kind.value, **{k: _number(v) for k, v in asdict(found).items()}}
                for (language, kind), found in self.scores().items()
            ],
            "typing": [
                {"language": language, **{k: _number(v) for k, v in asdict(found).items()}}
                for language, found in self.typing.items()
            ],
            "calibration": {
                "expected_error": _number(self.calibration_error),
                "bins": [asdict(b) for b in self.bins],
            },
        }


def _number(value: float) -> float | None:
    """The number, rounded. None for NaN, which JSON does not have."""
    return None if isinstance(value, float) and math.isnan(value) else round(value, 5)


def as_json(
    contestants: Sequence[Contestant], about: Mapping[str, Any], rows: Sequence[AblationRow] = ()
) -> dict[str, Any]:
    """The whole file."""
    found = [contestant.as_json() for contestant in contestants]
    ablation = {"ablation": [_row_as_json(row) for row in rows]}
    return {"format": FORMAT, "version": 1, **about, "contestants": found, **(ablation if rows else {})}


def _row_as_json(row: AblationRow) -> dict[str, Any]:
    shares = {name: value for name, value in asdict(row).items() if isinstance(value, float)}
    return {"off": row.off, "kind": row.kind, "count": row.count, **{name: _number(v) for name, v in shares.items()}}


def ablation_table(rows: Sequence[AblationRow]) -> Table:
    """The table of an ablation, for a terminal."""
    table = Table(title="Post-processing with one step left out: shares in percent", title_justify="left")
    table.add_column("what", no_wrap=True)
    table.add_column("left out", no_wrap=True)
    for name in ("holes", "shown", "agree", "exact", "parses", "finishes", "2nd )", "whole", "joined", "saved"):
        table.add_column(name, justify="right")
    for kind in dict.fromkeys(row.kind for row in rows):
        for row in rows:
            if row.kind is kind:
                names = ("shown", "right", "exact", "parses", "finishes", "bracket", "whole", "joined", "saved")
                shown = [f"{100 * getattr(row, name):.1f}" for name in names]
                table.add_row(kind.value, row.off.value if row.off else "nothing", str(row.count), *shown)
    return table


def tables(contestants: Sequence[Contestant]) -> list[Table]:
    """Tables for a terminal: bits per byte, infilling, typing and calibration. Empty ones are left out."""
    made = (table(contestants) for table in (_bits_table, _infill_table, _typing_table, _calibration_table))
    return [table for table in made if table.row_count]


def _bits_table(contestants: Sequence[Contestant]) -> Table:
    languages = list(dict.fromkeys(language for c in contestants for language in c.bits))
    table = Table(title="Bits per byte of held-out code (lower is better)", title_justify="left")
    table.add_column("")
    for language in languages:
        table.add_column(language, justify="right")
    for c in contestants:
        if c.bits:
            table.add_row(c.name, *(_shown(c.bits[x].per_byte, 3) if x in c.bits else "" for x in languages))
    return table


def _infill_table(contestants: Sequence[Contestant]) -> Table:
    table = Table(title="Filling in the middle", title_justify="left")
    for name in ("language", "what", ""):
        table.add_column(name)
    for name in ("holes", "exact", "similarity", "parses", "silent", "median ms"):
        table.add_column(name, justify="right")
    keys = list(dict.fromkeys(key for c in contestants for key in c.scores()))
    for language, kind in keys:
        for c in contestants:
            found = c.scores().get((language, kind))
            if found:
                shares = (found.exact, found.similarity, found.parses, found.silent)
                shown = [f"{100 * share:.0f} %" if not math.isnan(share) else "" for share in shares]
                row = (language, kind.value, c.name, str(found.count), *shown, f"{found.median_ms:.0f}")
                table.add_row(*row)
    return table


def _typing_table(contestants: Sequence[Contestant]) -> Table:
    table = Table(title="Held-out code typed by a user who presses Tab", title_justify="left")
    for name in ("language", ""):
        table.add_column(name)
    for name in ("stretches", "characters", "saved", "standard error", "Tabs", "shown"):
        table.add_column(name, justify="right")
    for language in dict.fromkeys(language for c in contestants for language in c.typing):
        for c in contestants:
            if found := c.typing.get(language):
                shares = (f"{100 * found.saved:.1f} %", f"{100 * found.error:.1f} %")
                counts = (f"{found.characters:,}", *shares, str(found.tabs), str(found.shown))
                table.add_row(language, c.name, str(found.stretches), *counts)
    return table


def _calibration_table(contestants: Sequence[Contestant]) -> Table:
    table = Table(title="Calibration: predicted / actual percentage right (holes)", title_justify="left")
    table.add_column("")
    table.add_column("error", justify="right")
    table.add_column("bins")
    for c in contestants:
        if c.bins:
            bins = "  ".join(f"{100 * b.predicted:.0f}/{100 * b.right:.0f} ({b.count})" for b in c.bins)
            table.add_row(c.name, _shown(c.calibration_error, 3), bins)
    return table


def _shown(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
