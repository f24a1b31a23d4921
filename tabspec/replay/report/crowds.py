"""The page's part about many users on one service: servers needed, instant Tabs, waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tabspec.replay.report import words
from tabspec.replay.report.drawing import charts
from tabspec.replay.report.drawing.charts import BarRow
from tabspec.replay.report.sections import View, panel
from tabspec.replay.results.result import Run
from tabspec.replay.results.shared import Shared


def crowds(runs: Sequence[Run]) -> View | None:
    """The part for these runs; None if no run has many users."""
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
                    f"{_digits(shared.users_a_server)} users each" if shared.users_a_server else "",
                ),
            ),
        )
    about = f"Each user has an engine of its own and plays a part of a recording; all share the service: {services}."
    return dict(about=about, panels=panels, runs=[run for run, _ in pairs])


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
