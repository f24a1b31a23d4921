"""`tabspec report`: a table and an HTML page of replay results, or statistics of recorded sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path

import click

from tabspec.errors import InputError
from tabspec.lab.capacity.report import crowds, print_crowds
from tabspec.replay.report import print_result, write
from tabspec.replay.results.result import ReplayResult
from tabspec.replay.results.result_file import load
from tabspec.replay.results.usage import COLUMNS, figures, row, total, usage_of
from tabspec.replay.sessions.session_file import read_session, session_files
from tabspec.replay.sessions.together import together
from tabspec.system.tables import print_table


@click.command("report")
@click.argument("results", metavar="RESULT.json|SESSION...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--html",
    metavar="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report page to this file.",
)
def report_command(results: tuple[Path, ...], html: Path | None) -> None:
    """Show the effect of speculation and of the completion cache.

    RESULT.json is a file of `tabspec replay --json`. Several files are shown together. The page needs no network and
    no other file.

    SESSION is a file or folder of `tabspec-lsp --record DIR`. It gives statistics of real use.
    """
    sessions = [path for path in results if path.is_dir() or ".jsonl" in path.suffixes]
    if sessions and (len(sessions) < len(results) or html):
        raise click.UsageError("recorded sessions give a separate table: name them without results and without --html")
    if sessions:
        _real_use(sessions)
        return
    show(reduce(add, map(load, results)), html)


def show(result: ReplayResult, html: Path | None) -> None:
    """Print a result, and write its page to ``html``."""
    print_crowds(result.runs)
    print_result(result)
    if html is not None:
        write(result, html, crowds(result.runs))
        click.echo(f"report written to {html}")


def _real_use(paths: Sequence[Path]) -> None:
    files: list[Path] = []
    for path in paths:
        inside = session_files(path) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: contains no recorded session (*.jsonl)")
        files += inside
    found = [usage_of(session) for session in together([read_session(path) for path in files])]
    if not sum(each.requests + each.shown for each in found):
        raise InputError(
            f"{paths[0]}: contains no requests; only sessions of `tabspec-lsp --record` have statistics of real use"
        )
    if len(found) > 1:
        print_table("Sessions", COLUMNS, [row(each) for each in found])
    print_table("Real use", ("", ""), figures(total(found)))
