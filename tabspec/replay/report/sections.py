"""The page's section about a group of runs: rows of numbers with charts, ready for the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from tabspec.replay.report import words
from tabspec.replay.report.drawing import charts, timeline, waits
from tabspec.replay.report.drawing.charts import BarPart, BarRow
from tabspec.replay.report.edits import edit_view
from tabspec.replay.report.grouping import Group
from tabspec.replay.results.figures import ratio
from tabspec.replay.results.result import Run
from tabspec.suggestion import Source

WAITING_TABS = 12  # length of the list of slow Tabs


View = Mapping[str, object]
"""Values for the template, by the names that it uses."""


def section(group: Group, key: str, columns: int, hover: dict[str, list[list[str]]], leading: bool) -> View:
    """The section of ``group``. Adds the hover texts of its timelines to ``hover``. ``leading``: it is shown in full;
    other sections can be unfolded."""
    runs = group.runs
    scale = waits.LogScale.over(run.latency_ms.max for run in runs)
    legend = timeline.legend({source: sum(run.sources[source] for run in runs) for source in Source})
    return dict(
        group=group,
        headline=words.headline(runs),
        rest=words.other_tabs(runs),
        best=words.best(runs).policy,
        leading=leading,
        facts=_facts(runs),
        after_tab=tuple(_after_tab_row(run, max(run.tabs for run in runs)) for run in runs if run.tabs),
        after_tab_legend=tuple((style, name, "") for style, name, _ in AFTER_TAB),
        edits=edit_view(runs),
        panels=_panels(runs),
        sources=tuple(_source_row(run) for run in runs),
        legend=tuple(legend),
        short_legend=tuple((style, name, "") for style, name, _ in legend),
        waits=tuple(_wait_row(run, scale) for run in runs if run.timeline),
        wait_axis=waits.wait_axis(scale),
        views=_views(group, key, columns, hover) if group.sessions == 1 else (),
        tokens=_token_rows(runs),
        prompts=_prompt_rows(runs),
        kinds=tuple(_kinds(run, runs) for run in runs if any(kind.asked for kind in run.kinds.values())),
        misses=tuple(
            _misses(run, group.sessions == 1)
            for run in runs
            if run.policy in words.AHEAD and run.tabs > run.instant_tabs
        ),
    )


def _facts(runs: tuple[Run, ...]) -> tuple[tuple[str, str, str], ...]:
    """The main numbers of the best policy: (name, value, comparison)."""
    top, base = words.best(runs), words.baseline(runs)

    def compared(kind: str, value: Callable[[Run], str]) -> str:
        against = f"{value(base)} without speculation" if base is not None and base is not top else ""
        return "; ".join(filter(None, (kind, against)))

    def fact(what: str, kind: str, value: Callable[[Run], str]) -> tuple[str, str, str]:
        return what, value(top), compared(kind, value)

    facts = []
    if top.tabs:
        facts.append(fact("Wait for the next suggestion", "median", lambda run: _next_wait(run, 50)))
        facts.append(fact("Longest 1 in 100", "p99", lambda run: _next_wait(run, 99)))
    facts.append(fact("Answers with no wait", "", lambda run: words.percent(run.hit_rate)))
    facts.append(
        (
            "Keystrokes saved",
            words.percent(top.keystrokes_saved),
            f"{words.count(top.accepted_chars)} characters came by Tab",
        )
    )
    if top.reward is not None:
        facts.append(fact("Reward", "accepts less refusals, in keys", lambda run: words.signed(run.reward)))
    if top.accepted_chars:
        price = ratio(top.tokens.decoded_unused, top.accepted_chars)
        facts.append(("Price", f"{price:.2f}", "unused tokens for each character that came by Tab"))
    return tuple(facts)


def panel(heading: str, hint: str, rows: tuple[BarRow, ...]) -> View:
    """A small bar chart with a heading and a row for each policy."""
    return dict(heading=heading, hint=hint, rows=rows)


def _panels(runs: tuple[Run, ...]) -> tuple[View, ...]:
    slowest = max(run.next_latency_ms.p50 for run in runs)
    return (
        panel(
            "Median wait for the next suggestion",
            "After a Tab that a suggestion followed. Shorter is better.",
            tuple(_bar(run, ratio(run.next_latency_ms.p50, slowest), _next_wait(run, 50)) for run in runs),
        ),
        panel(
            "Keystrokes saved",
            "Inserted characters that came by Tab.",
            tuple(_bar(run, run.keystrokes_saved, words.percent(run.keystrokes_saved)) for run in runs),
        ),
    )


AFTER_TAB: tuple[tuple[str, str, Callable[[Run], int]], ...] = (
    ("s-speculated", "The next suggestion, at once", lambda run: run.instant_next),
    ("s-model", "The next suggestion, after a wait", lambda run: run.waited_tabs),
    ("s-joined", "No answer before the user typed on", lambda run: run.unanswered_tabs),
    ("s-none", "Nothing to suggest", lambda run: run.nothing_tabs),
)
"""What can follow a Tab: (class of page.css, name, count). Each Tab counts once."""


def _after_tab_row(run: Run, most: int) -> BarRow:
    """The run's Tabs, on a scale of ``most`` Tabs."""
    counts = [(style, name, count(run)) for style, name, count in AFTER_TAB]
    parts = [BarPart(*each, f" ({words.percent(ratio(each[-1], run.tabs))})") for each in counts]
    title = f"{run.name}: what followed {words.plural(run.tabs, 'Tab')}"
    value = words.percent(ratio(run.instant_next, run.tabs))
    return BarRow(run.name, charts.stacked(parts, most, title), value, f"{words.count(run.instant_next)} of {run.tabs}")


def _next_wait(run: Run, percentile: int) -> str:
    found = run.next_latency_ms
    value = found.p50 if percentile == 50 else found.p99
    return words.milliseconds(value) if run.tabs > run.silent_tabs else words.DASH


def _bar(run: Run, fraction: float, value: str, hint: str = "") -> BarRow:
    style = "ahead" if run.policy in words.AHEAD else "plain"
    return BarRow(run.name, charts.bar(fraction, style, f"{run.name}: {value} {hint}".strip()), value, hint)


def _source_row(run: Run) -> BarRow:
    parts = []
    for source in timeline.ORDER:
        number = run.sources[source]
        detail = f" ({words.percent(ratio(number, run.requests))})" + (_reasons(run) if source is Source.NONE else "")
        parts.append(BarPart(timeline.style(source), words.source(source), number, detail))
    title = f"{run.name}: how {words.plural(run.requests, 'request')} were answered"
    return BarRow(run.name, charts.stacked(parts, run.requests, title), words.count(run.requests), "requests")


def _reasons(run: Run) -> str:
    """Reasons of requests that ended without a suggestion, the most frequent one first."""
    found = Counter(record.reason for record in run.timeline if record.reason)
    return "".join(f"; {reason.replace('_', ' ')} {words.count(number)}" for reason, number in found.most_common())


def _wait_row(run: Run, scale: waits.LogScale) -> BarRow:
    after_tab = [record.ms for record in run.timeline if record.tab]
    others = [record.ms for record in run.timeline if not record.tab]
    value = words.milliseconds(run.tab_latency_ms.p99) if after_tab else words.DASH
    return BarRow(run.name, waits.waits(after_tab, others, scale), value, "p99 after a Tab")


def _views(group: Group, key: str, columns: int, hover: dict[str, list[list[str]]]) -> tuple[View, ...]:
    """The timelines, one for each policy."""
    top, views = words.best(group.runs), []
    for number, run in enumerate(group.runs):
        if not run.timeline:
            continue
        folded = timeline.fold(run.timeline, columns)
        name = f"{key}-{number}"
        hover[name] = timeline.details(folded)
        before, rows = None, []
        for cells in folded.rows:
            rows.append((words.moment(cells[0][0].t), timeline.row(cells, before)))
            before = cells[-1][-1].t
        views.append(dict(key=name, policy=run.name, rows=rows, each=folded.each, chosen=run is top))
    return tuple(views)


def _token_rows(runs: tuple[Run, ...]) -> tuple[BarRow, ...]:
    """Decoded tokens: for the editor, by speculation and used, by speculation and unused."""
    whole = max(run.tokens.decoded for run in runs)
    rows = []
    for run in runs:
        tokens = run.tokens
        unused = min(tokens.decoded_unused, tokens.decoded)
        ahead = max(tokens.decoded_speculative - unused, 0)
        parts = [
            BarPart("t-foreground", "for the editor", tokens.decoded - unused - ahead),
            BarPart("t-ahead", "ahead, used", ahead),
            BarPart("t-unused", "unused", unused),
        ]
        title = f"{run.name}: {words.count(tokens.decoded)} decoded tokens, {words.count(unused)} of them unused"
        rows.append(BarRow(run.name, charts.stacked(parts, whole, title), words.short_count(unused), "unused"))
    return tuple(rows)


def _prompt_rows(runs: tuple[Run, ...]) -> tuple[BarRow, ...]:
    """Prompt tokens: computed, and reused from the KV cache."""
    whole = max(run.tokens.prefill + run.tokens.prefill_reused for run in runs)
    rows = []
    for run in runs:
        computed, reused = run.tokens.prefill, run.tokens.prefill_reused
        parts = [
            BarPart("t-foreground", "computed", computed),
            BarPart("t-reused", "from the KV cache", reused),
        ]
        title = f"{run.name}: {words.count(computed)} prompt tokens computed, {words.count(reused)} reused"
        value = words.percent(ratio(reused, computed + reused))
        rows.append(BarRow(run.name, charts.stacked(parts, whole, title), value, "reused"))
    return tuple(rows)


def _kinds(run: Run, runs: tuple[Run, ...]) -> View:
    """Tokens of each kind of future, used and unused, on one scale for all policies."""
    whole = max(result.tokens for other in runs for result in other.kinds.values())
    rows = []
    asked = [(name, result) for name, result in run.kinds.items() if result.asked]
    for name, result in sorted(asked, key=lambda item: (-item[1].tokens, item[0])):
        unused = max(result.tokens - result.used_tokens, 0)
        parts = [
            BarPart("t-ahead", "used", result.used_tokens, " tokens"),
            BarPart("t-unused", "unused", unused, " tokens"),
        ]
        title = f"{run.name}, {words.kind(name)}: {words.count(result.used)} of {words.count(result.asked)} used"
        hint = f"of {words.count(result.asked)} used"
        rows.append(BarRow(words.kind(name), charts.stacked(parts, whole, title), words.count(result.used), hint))
    return dict(policy=run.name, rows=rows)


def _misses(run: Run, listed: bool) -> View:
    """Reasons for Tabs that were not instant."""
    waited = run.tabs - run.instant_tabs
    rows = tuple(
        BarRow(
            words.miss(reason),
            charts.bar(ratio(number, waited), "miss", f"{words.miss(reason)}: {number}"),
            words.count(number),
        )
        for reason, number in sorted(run.misses.items(), key=lambda item: (-item[1], item[0]))
    )
    slowest = tuple(timeline.waiting_tabs(run.timeline, WAITING_TABS)) if listed else ()
    return dict(policy=run.name, waited=waited, tabs=run.tabs, rows=rows, slowest=slowest)
