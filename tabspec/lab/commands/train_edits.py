"""`tabspec train edits`: the data of a model that writes edits, to train on and to measure with."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

_path = click.Path(path_type=Path)


@click.command("edits")
@click.option("--packages", required=True, type=_path, help="Folder of `tabspec train fetch --releases`.")
@click.option("--corpus", required=True, type=_path, help="Corpus folder (OUT/train of `tabspec train corpus`).")
@click.option("-o", "--out", required=True, type=_path, help="Folder to write.")
@click.option(
    "--hold-out", multiple=True, help="Project to leave out, by name. May be repeated  [default: the list's]."
)
@click.option(
    "--project-chars",
    type=click.IntRange(1),
    default=300_000,
    show_default=True,
    help="Bytes taken of each project of the corpus.",
)
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Processes that compare files.")
def edits_command(
    packages: Path, corpus: Path, out: Path, hold_out: tuple[str, ...], project_chars: int, processes: int
) -> None:
    """Build the data of a model that writes edits.

    Writes OUT/releases (versions of files, and the hunks to the next ones), OUT/texts (a sample of a corpus, in which
    synthetic edits are made) and OUT/steps.jsonl.gz (edits of the projects left out, for `tabspec evaluate
    --next-edit-releases`). Train with `tabspec train run --edits OUT`.
    """
    from tabspec.lab.evaluation.next_edit.releases.steps import release_steps, write_steps
    from tabspec.train.corpus.fetch import read_list
    from tabspec.train.corpus.store import Corpus
    from tabspec.train.edits.build import build_releases, sample_texts
    from tabspec.train.edits.pack import RELEASES, TEXTS

    texts, apart = Corpus(corpus), hold_out or read_list().held_out
    out.mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("comparing", total=None)
        counts = build_releases(
            packages,
            out / RELEASES,
            apart,
            processes=processes,
            progress=lambda name: bar.update(task, description=name),
        )
    taken = sample_texts(texts, out / TEXTS, project_chars)
    steps = list(release_steps(packages, apart))
    write_steps(steps, out / "steps.jsonl.gz")
    click.echo(
        f"{sum(counts.values()):,} hunks of {sum(map(bool, counts.values()))} projects; texts: {taken / 1e6:.1f} MB"
    )
    click.echo(f"{len(steps):,} steps of projects left out")
    if empty := [name for name, count in counts.items() if not count]:
        click.echo("without hunks (their licences, or no changed file): " + ", ".join(empty))
