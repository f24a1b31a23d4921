"""The HTML page: one file that loads nothing. `sections` prepares its content, the template draws it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from tabspec.errors import InputError
from tabspec.replay.report import words
from tabspec.replay.report.drawing import timeline
from tabspec.replay.report.grouping import Group, groups, leading
from tabspec.replay.report.sections import View, section
from tabspec.replay.results.result import ReplayResult, Run

# Columns of all timelines of a page. Each has a hover text of about 100 bytes, so a page has 2 to 3 MB at most.
COLUMNS = 24_000
COLUMNS_EACH = 16 * timeline.COLUMNS  # a screenful of rows


def write(result: ReplayResult, path: Path, crowds: View | None = None) -> None:
    """Write the page, with the part about many users on one service (`tabspec.lab.capacity.report`) if there is one.

    Raises `InputError` if it cannot be written.
    """
    try:
        path.write_text(render(result, crowds), encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def render(result: ReplayResult, crowds: View | None = None) -> str:
    """The page. Equal results give equal bytes."""
    found = groups(result)
    views = sum(len(group.runs) for group in found if group.sessions == 1)
    columns = min(COLUMNS_EACH, COLUMNS // max(views, 1))
    hover: dict[str, list[list[str]]] = {}
    heads = leading(found)
    sections = [section(group, f"g{number}", columns, hover, group in heads) for number, group in enumerate(found)]
    first = heads[0].runs if heads else ()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=words.headline(first),
            rest=words.other_tabs(first),
            stale=words.stale(result.runs),
            crowds=crowds,
            head=_two(words.headline(first)),
            sections=sections,
            runs=result.runs,
            users=tuple(dict.fromkeys(words.user(run) for run in result.runs)),
            policies=[(run.policy, words.POLICIES.get(run.policy, "")) for run in _one_a_policy(result.runs)],
            about=_about(result.runs),
            notes=_notes(found, result),
            hover=timeline.embedded(hover),
            columns=timeline.COLUMNS,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tabspec.replay.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "wait": words.wait,
        "percent": words.percent,
        "ms": words.milliseconds,
        "size": words.size,
        "moment": words.moment,
        "miss": words.miss,
        "source": words.source,
        "session_name": words.session_name,
    }
    return environment


def _two(headline: str) -> tuple[str, str]:
    """The first sentence and the rest, which have different colours."""
    first, stop, rest = headline.partition(". ")
    return (first + "." if stop else first), rest


def _one_a_policy(runs: tuple[Run, ...]) -> list[Run]:
    return list({run.policy: run for run in reversed(runs)}.values())[::-1]


def _about(runs: tuple[Run, ...]) -> list[tuple[str, str]]:
    """Facts about the runs as (name, value), each distinct value once."""
    columns = (
        ("Model", "model"),
        ("Machine", "machine"),
        ("Clock", "clock"),
        ("Seed", "seed"),
        ("Commit", "git_commit"),
        ("Command", "command"),
    )
    found = []
    for name, attribute in columns:
        values = dict.fromkeys(str(getattr(run, attribute)) for run in runs)
        text = "; ".join(filter(None, values))
        if text:
            found.append((name, text))
    return found


def _notes(found: list[Group], result: ReplayResult) -> list[str]:
    notes = []
    if any(run.clock == "virtual" for run in result.runs):
        notes.append(
            "Times are those of a virtual clock. The model's times were measured or given, and the session's pauses "
            "are kept. An answer from the completion cache takes no time on this clock; `tabspec bench cache` measures "
            "its real cost."
        )
    notes.append(
        words.stale(result.runs)
        or "No stale suggestion was served: every answer was checked against the document it was shown in."
    )
    several = sum(group.sessions == 1 for group in found)
    if several > 1:
        for group in found:
            notes += [f"{group.title}: {note}" for note in group.notes]
    else:
        notes += [note for group in found for note in group.notes]
    return list(dict.fromkeys(notes))  # without repetitions from several latencies
