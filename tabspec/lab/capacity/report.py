"""Many users on one service, in reports: servers needed, instant Tabs, waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tabspec.replay.report import words
from tabspec.replay.report.drawing import charts
from tabspec.replay.report.drawing.charts import BarRow
from tabspec.replay.report.sections import View, panel
from tabspec.replay.report.table import narrow_percent, plain
from tabspec.replay.results.result import Run
from tabspec.replay.results.shared import Shared


def crowds(runs: Sequence[Run]) -> View | None:
    """The page's part for these runs; None if no run has many users."""
    pairs = [(run, run.shared) for run in runs if run.shared is not None]
    if not pairs:
        return None
    bounds = ", ".join(dict.fromkeys(words.milliseconds(shared.bound_ms) for _, shared in pairs))
    services = "; ".join(dict.fromkeys(shared.service for _, shared in pairs))
    most = max((shared.servers_needed or 0 for _, shared in pairs), default=0)
    longest = max((shared.wait_ms.p90 or 0.0 for _, shared in pairs), default=0.0)
    panels = [
        _panel(
            "Next suggestion at once",
            "Of the Tabs after which there was something to suggest.",
            pairs,
            lambda run, _: (run.instant_next_rate, words.percent(run.instant_next_rate), ""),
        ),
        _panel(
            "How long the foreground waits",
            "90 % of the generations that an editor waited for took no longer.",
            pairs,
            lambda _, shared: (
                1.0 if shared.wait_ms.p90 is None else shared.wait_ms.p90 / (longest or 1.0),
                words.wait(shared.wait_ms.p90),
                "",
            ),
        ),
    ]
    if most:
        panels.insert(
            0,
            _panel(
                "Servers needed",
                f"As few as keep 90 % of the foreground's waits below {bounds}. The scale is logarithmic.",
                pairs,
                lambda _, shared: (
                    _log(shared.servers_needed or 0, most),
                    words.count(shared.servers_needed) if shared.servers_needed else "none is enough",
                    f"{_digits(shared.users / shared.servers_needed)} users each" if shared.servers_needed else "",
                ),
            ),
        )
    about = f"Each user has an engine of its own and plays a part of a recording; all share the service: {services}."
    return dict(about=about, panels=panels, runs=[run for run, _ in pairs])


def print_crowds(runs: Sequence[Run]) -> None:
    """Print the table of the runs with many users on one service, if there are such runs."""
    runs = [run for run in runs if run.shared is not None]
    if not runs:
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in ("users", "policy"):
        table.add_column(heading, no_wrap=True)
    for heading in ("at\nonce", "wait\np50", "\np90", "queue\np90", "tokens\n/ s", "busy", "servers", "needed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        shared = run.shared
        assert shared is not None
        known = shared.servers > 0
        table.add_row(
            *map(
                plain,
                (
                    words.count(shared.users),
                    run.name,
                    narrow_percent(run.instant_next_rate),
                    words.wait(shared.wait_ms.p50),
                    words.wait(shared.wait_ms.p90),
                    words.wait(shared.queue_ms.p90),
                    words.count(round(shared.tokens_per_s)),
                    narrow_percent(shared.busy_rate) if known else words.DASH,
                    words.count(shared.servers) if known else words.DASH,
                    (words.count(shared.servers_needed) if shared.servers_needed else "none") if known else words.DASH,
                ),
            )
        )
    console = Console(highlight=False)
    console.print(table)
    console.print()


def _panel(
    heading: str,
    hint: str,
    pairs: Sequence[tuple[Run, Shared]],
    value: Callable[[Run, Shared], tuple[float, str, str]],
) -> View:
    rows = []
    for run, shared in pairs:
        share, text, comparison = value(run, shared)
        name = f"{words.count(shared.users)} · {run.name}"
        rows.append(BarRow(name, charts.bar(share, "t-ahead", f"{name}: {text}"), text, comparison))
    return panel(heading, hint, tuple(rows))


def _log(number: int, most: int) -> float:
    """Length on a logarithmic scale, on which 1 is still visible."""
    return math.log10(number + 1) / math.log10(most + 1) if number else 0.0


def _digits(number: float) -> str:
    return words.count(round(number)) if number >= 10 else f"{number:.1f}"
