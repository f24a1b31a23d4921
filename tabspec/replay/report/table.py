"""The table for the terminal: one for each session, with a row for each policy, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tabspec.replay.report import words
from tabspec.replay.report.grouping import Group, groups, leading
from tabspec.replay.results.result import ReplayResult, Run

# What the columns mean that their headings do not say.
_LEGEND = (
    "hits: requests that the completion cache answers. Tabs: after each, the next suggestion is there at once, comes "
    "late, or there is none; or the user types on before an answer comes. wait: for the next suggestion after Tab. by "
    "Tab: share of the characters. reward: keys that accepts saved, less what refused suggestions cost."
)

_PLAIN_SPACES = str.maketrans({"\u2009": ",", "\u202f": " "})  # terminals show thin spaces in different ways


def print_result(result: ReplayResult, console: Console | None = None) -> None:
    """Print all sessions (and, if there are several, all together). Colours only on a terminal (`rich`)."""
    console = console or Console(highlight=False)
    sections = groups(result)
    for section in sections:
        title = Text(plain(section.title), style="bold")
        console.print(title.append(plain(f"  {section.subtitle}"), style="not bold dim"))
        console.print(_table(section))
        for note in section.notes:
            console.print(Text(f"  {note}", style="dim"))
        console.print()
    if sections:
        console.print(Text(_LEGEND, style="dim"))
        console.print()
    if warning := words.stale(result.runs):
        console.print(Text(warning, style="bold red"))
    for section in leading(sections):
        if section.latency:
            console.print(Text(plain(f"\nPace of the model: {section.latency}")))
        console.print(Text(plain(words.headline(section.runs)), style="bold"))
        if rest := words.other_tabs(section.runs):
            console.print(Text(plain(rest)))
    if not sections:
        console.print("No runs.")


def plain(text: str) -> str:
    """``text`` with spaces that all terminals show alike."""
    return text.translate(_PLAIN_SPACES)


def _table(section: Group) -> Table:
    """A row for each policy. The columns after "Tabs" divide them by what followed, then come waits, gains, tokens."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("policy", no_wrap=True)
    headings = ("hits", "Tabs", "at\nonce", "\nlate", "\nnone", "no\nanswer", "wait\np50", "\np99")
    for heading in (*headings, "by\nTab", "re-\nward", "tokens\nused", "tokens\nunused"):
        table.add_column(heading, justify="right", no_wrap=True)
    top = words.best(section.runs)
    for run in section.runs:
        table.add_row(*map(plain, _row(run)), style="bold green" if run is top and len(section.runs) > 1 else None)
    return table


def narrow_percent(rate: float) -> str:
    """A percentage without a space, to save width."""
    return words.percent(rate).replace("\u202f", "")


def _row(run: Run) -> Sequence[str]:
    followed = run.tabs > run.silent_tabs
    tabs = (run.tabs, run.instant_next, run.waited_tabs, run.nothing_tabs, run.unanswered_tabs)
    return (
        run.name,
        narrow_percent(run.hit_rate),
        *map(words.short_count, tabs),
        words.milliseconds(run.next_latency_ms.p50) if followed else words.DASH,
        words.milliseconds(run.next_latency_ms.p99) if followed else words.DASH,
        narrow_percent(run.keystrokes_saved),
        words.signed(run.reward),
        words.short_count(run.tokens.decoded_used),
        words.short_count(run.tokens.decoded_unused),
    )
