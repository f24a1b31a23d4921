"""`tabspec report`: a comparison table and an HTML page from the results of earlier replays."""

from __future__ import annotations

from functools import reduce
from operator import add
from pathlib import Path

import click

from tabspec.replay.report import print_table, write
from tabspec.replay.result import load


@click.command("report")
@click.argument("results", metavar="RESULT.json...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--html",
    metavar="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report page to this file.",
)
def report_command(results: tuple[Path, ...], html: Path | None) -> None:
    """Show what speculation and the completion cache brought.

    RESULT.json is what `tabspec replay --json` has written; with several, their sessions are shown together. The
    page needs no network and no other file.
    """
    found = reduce(add, map(load, results))
    print_table(found)
    if html is not None:
        write(found, html)
        click.echo(f"report written to {html}")
