"""`tabspec train export`, `drafts` and `stop`: what is made of a trained model."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from tabspec.errors import InputError

_path = click.Path(path_type=Path)


@click.command("export")
@click.argument("run", type=_path)
@click.option("-o", "--out", required=True, type=_path, help="Model folder to write.")
@click.option(
    "--bits", type=click.Choice(["4", "8", "16"]), default="8", show_default=True, help="16: for transformers."
)
def export_command(run: Path, out: Path, bits: str) -> None:
    """Write a model folder from another one, or from a RUN: its model, or the last checkpoint of an interrupted run.

    With --bits 16, transformers loads it, and converters to GGUF read it. --bits 4 is for models that were trained for
    it (`tabspec train run --four-bits`).
    """
    from tabspec.train.checkpoint import NAME
    from tabspec.train.runs import interrupted
    from tabspec.train.weights.export import CONFIG, TOKENIZER, export_model, load_model

    if (run / CONFIG).is_file() or (run / "model" / CONFIG).is_file():
        folder = run if (run / CONFIG).is_file() else run / "model"
        weights, shape, _ = load_model(folder)
        tokenizer = folder / TOKENIZER
    elif (run / NAME).is_file():
        weights, shape, tokenizer = interrupted(run)
    else:
        raise InputError(f"{run}: neither a model folder nor a folder of `tabspec train run`")
    export_model(weights, shape, tokenizer, out, bits=int(bits))
    click.echo(f"wrote {out}")


@click.command("drafts")
@click.argument("model", type=_path)
@click.option("--corpus", required=True, type=_path, help="Corpus folder (OUT/train of `tabspec train corpus`).")
@click.option(
    "--entries",
    type=click.IntRange(1),
    default=250_000,
    show_default=True,
    help="Largest number of entries, of 5 bytes each.",
)
@click.option(
    "--megabytes", type=click.IntRange(1), default=450, show_default=True, help="Largest amount of text to count."
)
def drafts_command(model: Path, corpus: Path, entries: int, megabytes: int) -> None:
    """Write a table of frequent token sequences for a MODEL's draft tokens (MODEL/drafts.npz).

    The model decodes faster with it, with the same output. 100 MB of text take a minute and 2 GB of memory.
    """
    from tabspec.models.files.ngram_table import DRAFTS
    from tabspec.train.corpus.store import Corpus
    from tabspec.train.examples.tokenizer import load_tokenizer
    from tabspec.train.weights.draft_table import draft_table, save_table

    tokenizer, texts = load_tokenizer(model / "tokenizer.json"), Corpus(corpus)
    most = min(megabytes * 1_000_000, texts.size)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("counting", total=most)
        table = draft_table(texts, tokenizer, entries, most, lambda done: bar.update(task, completed=done))
    try:
        save_table(table, model / DRAFTS)
    except OSError as error:
        raise InputError(f"{model / DRAFTS}: cannot be written: {error.strerror}") from error
    click.echo(f"wrote {model / DRAFTS}: {len(table.contexts)} contexts")


@click.command("stop")
@click.argument("model", type=_path)
@click.option("--corpus", required=True, type=_path, help="Corpus folder that the model was trained on.")
@click.option("--examples", type=click.IntRange(20), default=400, show_default=True, help="Examples to fit it on.")
@click.option("-o", "--out", required=True, type=_path, help="Model folder to write (8 bits).")
@click.option("--seed", type=int, default=0, show_default=True)
def stop_command(model: Path, corpus: Path, examples: int, out: Path, seed: int) -> None:
    """Fit the output row of a trained MODEL's end-of-middle token, so that it stops at the right place.

    Takes minutes on a CPU, and changes no other output. Run it last, before `tabspec evaluate`.
    """
    from tabspec.train.runs import with_fitted_stop
    from tabspec.train.weights.export import TOKENIZER, export_model

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("fitting", total=examples)
        weights, shape, before, after = with_fitted_stop(
            model, corpus, examples, seed, lambda n: bar.update(task, completed=n)
        )
    export_model(weights, shape, model / TOKENIZER, out, bits=8)
    click.echo(
        f"loss of stopping or continuing, per token: {before:.3f} before, {after:.3f} after (natural log); wrote {out}"
    )
