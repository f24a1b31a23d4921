"""The page's part about next edits: effort saved, what became of the edits, and how deep Tabs stayed instant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tabspec.replay.report import words
from tabspec.replay.report.drawing import charts
from tabspec.replay.report.drawing.charts import BarPart, BarRow
from tabspec.replay.results.edits import DepthResult, EditResult
from tabspec.replay.results.figures import ratio
from tabspec.replay.results.result import Run

# Deeper Tabs of one row are few: they are counted together.
DEEPEST = 5

FATES: tuple[tuple[str, str, Callable[[EditResult], int]], ...] = (
    ("e-jump", "Taken, away from the cursor", lambda edits: edits.jumps),
    ("e-here", "Taken, at the cursor", lambda edits: edits.accepted - edits.jumps),
    ("e-later", "Left, though the recording makes it", lambda edits: edits.shown - edits.accepted - edits.refused),
    ("e-refused", "Never made by the recording", lambda edits: edits.refused),
)
"""What can become of an edit that is shown: (class of page.css, name, count)."""

DEPTHS: tuple[tuple[str, str, Callable[[DepthResult], int]], ...] = (
    ("s-speculated", "The next suggestion, at once", lambda depth: depth.instant),
    ("s-model", "The next suggestion, after a wait", lambda depth: depth.tabs - depth.instant - depth.silent),
    ("s-none", "Nothing, or no answer", lambda depth: depth.silent),
)


def edit_view(runs: Sequence[Run]) -> Mapping[str, object] | None:
    """The part for these runs, for the template; None where no run measured effort. ``fates`` is empty where none
    offered next edits."""
    measured = [run for run in runs if run.effort is not None]
    if not measured:
        return None
    most = max((run.edits.shown for run in measured if run.edits), default=0)
    return dict(
        effort=tuple(_effort_row(run) for run in measured),
        fates=tuple(_fate_row(run, run.edits, most) for run in measured if run.edits),
        fate_legend=tuple((style, name, "") for style, name, _ in FATES),
        depths=tuple(dict(policy=run.name, rows=_depth_rows(run)) for run in measured if run.by_depth),
        depth_legend=tuple((style, name, "") for style, name, _ in DEPTHS),
    )


def saved_share(run: Run) -> float:
    """The part of the keys without Tab that Tab saved; each Tab costs one key."""
    assert run.effort is not None
    saved = run.effort.saved - run.accepted
    return ratio(saved, run.effort.keys + saved)


def _effort_row(run: Run) -> BarRow:
    assert run.effort is not None
    share = saved_share(run)
    saved = run.effort.saved - run.accepted
    title = f"{run.name}: {words.count(run.effort.keys)} keys pressed, {words.count(saved)} saved"
    style = "ahead" if run.policy in words.AHEAD else "plain"
    return BarRow(
        run.name, charts.bar(max(share, 0.0), style, title), words.percent(share), f"{words.count(saved)} keys"
    )


def _fate_row(run: Run, edits: EditResult, most: int) -> BarRow:
    parts = [BarPart(style, name, count(edits)) for style, name, count in FATES]
    title = f"{run.name}: what became of {words.plural(edits.shown, 'next edit')}"
    hint = f"of {words.count(edits.shown + edits.quiet)}"
    hint += f", {words.count(edits.reverted)} undone" if edits.reverted else ""
    hint += f", {words.count(edits.elsewhere)} in other files" if edits.elsewhere else ""
    return BarRow(run.name, charts.stacked(parts, most, title), words.count(edits.shown), hint)


def _depth_rows(run: Run) -> tuple[BarRow, ...]:
    shallow = [depth for depth in run.by_depth if depth.depth < DEEPEST]
    deep = [depth for depth in run.by_depth if depth.depth >= DEEPEST]
    named = [(f"Tab {depth.depth}", depth) for depth in shallow]
    if deep:
        counts = (sum(getattr(depth, name) for depth in deep) for name in ("tabs", "instant", "silent"))
        named.append((f"Tab {DEEPEST}+", DepthResult(DEEPEST, *counts)))
    rows = []
    for name, depth in named:
        parts = [BarPart(style, label, count(depth)) for style, label, count in DEPTHS]
        title = f"{run.name}, {name}: what followed {words.plural(depth.tabs, 'Tab')}"
        followed = depth.tabs - depth.silent
        value = words.percent(ratio(depth.instant, followed)) if followed else words.DASH
        rows.append(BarRow(name, charts.stacked(parts, depth.tabs, title), value, f"{words.count(depth.tabs)} Tabs"))
    return tuple(rows)
