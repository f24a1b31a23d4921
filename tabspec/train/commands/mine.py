"""`tabspec train mine`: the bundled model, tuned on one's own recorded sessions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from tabspec.train.mine.tune import Tuned


@click.command("mine")
@click.option("--sessions", type=click.Path(path_type=Path), help="Folder of `tabspec-lsp --record DIR`.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=30,
    show_default=True,
    help="How long to learn at most. The replays before and after take some minutes more.",
)
@click.option("--undo", is_flag=True, help="Remove the tuned model.")
@click.option("--seed", type=int, default=0, show_default=True)
def mine_command(sessions: Path | None, minutes: float, undo: bool, seed: int) -> None:
    """Tune the bundled model on your own recorded sessions.

    It learns from the earlier part of the sessions. It replays the last fifth with the model in use and with the new
    one, and keeps the new one only if it is better there. Use it with `--model mine`, or the setting `"model":
    "mine"`.

    It runs on the CPU at the lowest priority. Nothing leaves this machine. What looks like a secret is not learned.
    After an interruption, the same command goes on.
    """
    if undo == (sessions is not None):
        raise click.UsageError("give either --sessions DIR or --undo")
    if sessions is None:
        from tabspec.models.files.mine import mine_folder
        from tabspec.train.mine.keeping import remove_mine

        click.echo(f"removed {mine_folder()}" if remove_mine() else "there is no model of your own; nothing to undo")
        return
    from tabspec.train.mine.sessions import read_sessions

    read = read_sessions(sessions)
    import torch

    from tabspec.models.machine.threads import threads_to_use
    from tabspec.train.mine.tune import tune_mine
    from tabspec.train.tune.tuning import Tuning

    lower_process_priority()
    torch.set_num_threads(threads_to_use(torch.get_num_threads()))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %  {task.fields[detail]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("reading", total=1.0, detail="")

        def show(what: str, part: float, detail: str) -> None:
            bars.update(task, description=what, completed=part, detail=detail)

        found = tune_mine(read, Tuning(seconds=minutes * 60, seed=seed), show)
    for line in _lines(found):
        click.echo(line)


def _lines(found: Tuned) -> list[str]:
    """The result in words."""
    from tabspec.models.files.mine import mine_folder

    lines = [f"learned from {found.learned:,} places in {found.progress.seconds / 60:.1f} minutes"]
    if found.after is None:
        return [*lines, "nothing was gained on later sessions, so nothing was changed"]
    for name, outcome in (("before", found.before), ("after", found.after)):
        lines.append(
            f"{name + ':':8}{outcome.shown:,} shown, {outcome.accepted:,} accepted, {outcome.refused:,} refused, "
            f"{outcome.accepted_chars:,} characters by Tab, reward {outcome.reward:+,.0f}"
        )
    if not found.kept:
        return [*lines, "not better on your last sessions, so nothing was changed"]
    return [*lines, f"kept in {mine_folder()}; use it with --model mine, undo it with: tabspec train mine --undo"]


def lower_process_priority() -> None:
    """Give this process the lowest priority: it runs in the background for many minutes. Not on Windows."""
    if hasattr(os, "nice"):
        os.nice(19)  # the largest value; the system caps the sum
