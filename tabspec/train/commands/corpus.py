"""`tabspec train fetch`, `corpus` and `tokenizer`: from packages to the data of a training."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

_path = click.Path(path_type=Path)


@click.command("fetch")
@click.option("-o", "--out", required=True, type=_path, help="Folder for the packages.")
@click.option("--sources", type=_path, help="List of packages (TOML)  [default: the bundled model's].")
@click.option("--releases", is_flag=True, help="Fetch successive releases for `tabspec train edits` instead.")
def fetch_command(out: Path, sources: Path | None, releases: bool) -> None:
    """Fetch packages with pip, npm and apt-get as material for a corpus. Nothing in them is installed or run."""
    from tabspec.train.corpus.fetch import BUNDLED_LIST, fetch, read_list
    from tabspec.train.edits.listed import BUNDLED_RELEASES, TOGETHER, read_releases

    listed = read_releases(sources or BUNDLED_RELEASES) if releases else read_list(sources or BUNDLED_LIST)
    total = len(listed.python) + len(listed.npm) + len(listed.debian)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("fetching", total=total)

        def show(name: str) -> None:
            bar.update(task, advance=1, description=name)

        failed = fetch(listed, out, show, TOGETHER if releases else 1)
    click.echo(f"{total - len(failed)} packages in {out}")
    if failed:
        click.echo("not available: " + ", ".join(failed), err=True)


@click.command("corpus")
@click.argument("origins", nargs=-1, type=_path)
@click.option("-o", "--out", required=True, type=_path, help="Folder to write: OUT/train, and OUT/held_out.")
@click.option("--packages", type=_path, help="Folder of `tabspec train fetch`.")
@click.option("--hold-out", multiple=True, help="Project to hold out for evaluation, by name. May be repeated.")
@click.option("--any-licence", is_flag=True, help="Include packages without a permissive licence.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Processes that read files.")
def corpus_command(
    origins: tuple[Path, ...],
    out: Path,
    packages: Path | None,
    hold_out: tuple[str, ...],
    any_licence: bool,
    processes: int,
) -> None:
    """Build a corpus from folders and packages (ORIGINS: folders, .whl, .tgz).

    Generated files, minified files, data files and duplicates are left out. The manifest lists the projects and
    their licences.
    """
    from tabspec.train.corpus.build import Limits, build_corpus
    from tabspec.train.corpus.fetch import origins as fetched
    from tabspec.train.corpus.fetch import read_list

    found = [*origins, *(fetched(packages) if packages else [])]
    if not found:
        raise click.UsageError("name folders or packages, or --packages")
    apart = hold_out or (read_list().held_out if packages else ())
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=len(found))
        limits = Limits(permissive_only=not any_licence)
        train, held = build_corpus(found, out, apart, limits, processes, lambda n: bar.update(task, completed=n))
    for name, report in (("to train on", train), ("held out", held)):
        languages = ", ".join(f"{language} {chars / 1e6:,.1f}" for language, chars in report.kept.most_common())
        click.echo(f"{name}: {len(report.projects)} projects; million characters: {languages or 0}")
    click.echo(
        "left out, million characters: " + ", ".join(f"{k} {v / 1e6:.1f}" for k, v in train.dropped.most_common())
    )
    if train.refused:
        click.echo("left out for their licences: " + ", ".join(sorted(train.refused)))


@click.command("tokenizer")
@click.option("--corpus", required=True, type=_path, help="Corpus folder (OUT/train of `tabspec train corpus`).")
@click.option("-o", "--out", required=True, type=_path, help="tokenizer.json to write.")
@click.option("--vocabulary", type=click.IntRange(300, 65_535), default=8192, show_default=True, help="Entries.")
def tokenizer_command(corpus: Path, out: Path, vocabulary: int) -> None:
    """Train a tokenizer. Token ids are stored in 16 bits, which limits the vocabulary."""
    from tabspec.train.runs import learn_tokenizer

    learn_tokenizer(corpus, out, vocabulary)
    click.echo(f"wrote {out}")
