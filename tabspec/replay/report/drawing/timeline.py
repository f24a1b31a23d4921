"""The session as a timeline: a column for each request, in rows like lines of text.

In long sessions a column shows several requests (`Fold.each`), which bounds the page's size.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tabspec.replay.report import words
from tabspec.replay.report.drawing.svg import short, tag
from tabspec.replay.results.result import RequestRecord
from tabspec.suggestion import Source

COLUMNS = 120  # a row: 9 px each on a wide page, 3 on a telephone
PAUSE = 30.0  # seconds without a request that are marked as a pause
HEIGHT = 42  # of a row, in px; the lowest 8 are for the marks of Tab
FULL = 32
LOW = 9  # of an instant answer: low, but with a visible colour
SLOW_MS = 3000.0  # full height

ORDER = tuple(words.SOURCES)


@dataclass(frozen=True, slots=True)
class Fold:
    """Requests in columns and rows."""

    rows: tuple[tuple[tuple[RequestRecord, ...], ...], ...]
    each: int  # requests a column


def fold(timeline: Sequence[RequestRecord], columns: int) -> Fold:
    """At most ``columns`` columns (rounded up to whole rows), each with the same number of requests."""
    limit = max(math.ceil(columns / COLUMNS), 1) * COLUMNS
    each = max(math.ceil(len(timeline) / limit), 1)
    cells = [tuple(timeline[i : i + each]) for i in range(0, len(timeline), each)]
    return Fold(tuple(tuple(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)), each)


def row(cells: Sequence[Sequence[RequestRecord]], before: float | None) -> Markup:
    """One row. ``before`` is the time of the last request of the row above (None in the first row).

    A column of one request is as high as its wait, on a logarithmic scale. A column of several has full height, divided
    by sources, and no mark for Tab, because nearly all would have one.
    """
    paths: dict[str, list[str]] = defaultdict(list)
    for column, cell in enumerate(cells):
        if before is not None and cell[0].t - before > PAUSE:
            paths["pause"].append(f"M{column} 0V{HEIGHT - 8}")
        before = cell[-1].t
        if mark := _edit_mark(cell):
            drop = 3 if mark == "edit-shown" else 7
            paths[mark].append(f"M{short(column + 0.05)} 0h.9l-.45 {drop}z")
        if len(cell) == 1 and cell[0].tab:
            paths["tab-mark"].append(f"M{short(column + 0.2)} {HEIGHT - 6}h.6v5h-.6z")
        for source, bottom, tall in _pieces(cell):
            y = HEIGHT - 8 - bottom - tall
            paths[source].append(f"M{short(column + 0.08)} {short(y)}h.84v{short(tall)}h-.84z")
    drawn = [tag("path", class_=name, d="".join(paths[name])) for name in sorted(paths)]
    return tag(
        "svg",
        tag("title", describe([record for cell in cells for record in cell])),
        *drawn,
        class_="strip",
        viewBox=f"0 0 {COLUMNS} {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
        role="img",
    )


def _edit_mark(cell: Sequence[RequestRecord]) -> str:
    """The mark of a column's next edits: the one that is worth most; empty where none was shown."""
    shown = [record for record in cell if record.edit and record.shown]
    taken = [record for record in shown if record.accepted]
    if taken:
        return "edit-jump" if any(record.jump for record in taken) else "edit-taken"
    return "edit-shown" if shown else ""


def _pieces(cell: Sequence[RequestRecord]) -> list[tuple[str, float, float]]:
    """(class, distance from the ground, height) of a column's coloured pieces."""
    if len(cell) == 1:
        wait = math.log10(max(cell[0].ms, 1.0)) / math.log10(SLOW_MS)
        return [(style(cell[0].source), 0.0, LOW + (FULL - LOW) * min(wait, 1.0))]
    found = Counter(record.source for record in cell)
    pieces, ground = [], 0.0
    for source in ORDER:
        if tall := found[source] / len(cell) * FULL:
            pieces.append((style(source), ground, tall))
            ground += tall
    return pieces


def style(source: str) -> str:
    return "s-" + source.replace("_", "-")


def describe(records: Sequence[RequestRecord]) -> str:
    """A description of a row."""
    instant = sum(record.instant for record in records)
    tabs = sum(record.tab for record in records)
    return (
        f"{words.moment(records[0].t)} to {words.moment(records[-1].t)}: "
        f"{words.plural(len(records), 'request')}, {words.count(instant)} answered at once, "
        f"{words.count(tabs)} after a Tab"
    )


def details(folded: Fold) -> list[list[str]]:
    """Hover texts: one for each column of each row."""
    return [[_request(cell[0]) if len(cell) == 1 else _several(cell) for cell in cells] for cells in folded.rows]


def _request(record: RequestRecord) -> str:
    place = f"{record.file} line {record.line}".strip()
    lines = [f"{words.moment(record.t)}  {place}" + ("  after Tab" if record.tab else "")]
    ending = f" ({record.reason.replace('_', ' ')})" if record.reason else ""
    lines.append(f"{words.source(record.source)}{ending}, {words.milliseconds(record.ms)}")
    if record.tab and not record.instant_tab:
        lines.append(f"Why not at once: {words.miss(record.miss or 'unknown')}")
    if record.edit:
        where = f", in {record.edit_file}" if record.edit_file else ""
        lines.append(f"Next edit ({record.edit})" + (", away from the cursor" if record.jump else "") + where)
    if record.text:
        lines.append(record.text + ("  ⇥ taken" if record.accepted else ""))
    return "\n".join(lines)


def _several(cell: Sequence[RequestRecord]) -> str:
    found = Counter(record.source for record in cell)
    lines = [describe(cell)]
    lines += [f"{words.source(source)}: {found[source]}" for source in ORDER if found[source]]
    return "\n".join(lines)


def embedded(data: object) -> Markup:
    """JSON for a `<script>` element. It cannot end the element or start a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # the characters with a meaning in HTML have been replaced


def waiting_tabs(timeline: Sequence[RequestRecord], number: int) -> list[RequestRecord]:
    """The Tabs that waited longest."""
    found = [record for record in timeline if record.tab and not record.instant_tab]
    return sorted(found, key=lambda record: -record.ms)[:number]


def legend(sources: dict[str, int]) -> list[tuple[str, str, str]]:
    """(class, name, meaning) of the sources that occur."""
    return [(style(source), *words.SOURCES[Source(source)]) for source in ORDER if sources.get(source)]
