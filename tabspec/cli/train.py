"""`tabspec train`: training, from source code to a model folder."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from tabspec.cli.train_edits import edits_command
from tabspec.cli.train_mine import mine_command
from tabspec.cli.train_reinforce import additions_command, reinforce_command
from tabspec.errors import InputError

_path = click.Path(path_type=Path)


@click.group("train")
def train_command() -> None:
    """Train or tune a model on code.

    On your own code, in one step: `tabspec train run --code DIR --out DIR --start bundled --minutes 30`. The other
    commands are the single steps, for larger corpora. On your own recordings: `tabspec train mine`.
    """


train_command.add_command(mine_command)
train_command.add_command(edits_command)
train_command.add_command(reinforce_command)
train_command.add_command(additions_command)


@train_command.command("fetch")
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


@train_command.command("corpus")
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


@train_command.command("tokenizer")
@click.option("--corpus", required=True, type=_path, help="Corpus folder (OUT/train of `tabspec train corpus`).")
@click.option("-o", "--out", required=True, type=_path, help="tokenizer.json to write.")
@click.option("--vocabulary", type=click.IntRange(300, 65_535), default=8192, show_default=True, help="Entries.")
def tokenizer_command(corpus: Path, out: Path, vocabulary: int) -> None:
    """Train a tokenizer. Token ids are stored in 16 bits, which limits the vocabulary."""
    from tabspec.train.runs import learn_tokenizer

    learn_tokenizer(corpus, out, vocabulary)
    click.echo(f"wrote {out}")


@train_command.command("run")
@click.option("--code", multiple=True, type=_path, help="Folder with source code to learn from. May be repeated.")
@click.option("--corpus", type=_path, help="Corpus folder, instead of --code.")
@click.option("--edits", type=_path, help="Folder of `tabspec train edits`. --corpus is then for filling in.")
@click.option("--held-out", type=_path, help="Another such folder (corpus or edits), for the held-out loss.")
@click.option("--out", required=True, type=_path, help="Folder of the run. If it exists, the run is resumed.")
@click.option("--start", help="Model to tune: `bundled` or a folder  [default: train a new model].")
@click.option("--size", type=click.Choice(["bundled", "small", "tiny"]), default="bundled", show_default=True)
@click.option("--kv-heads", type=click.IntRange(1), help="Key-value heads of a new model, of the same size.")
@click.option("--tokenizer", type=_path, help="tokenizer.json for a new model  [default: trained on the corpus].")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="How long to train.")
@click.option("--steps", type=click.IntRange(1), help="How many steps to train, instead of --minutes.")
@click.option("--pause-after", type=click.FloatRange(0, min_open=True), help="Pause after this many minutes.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--workers", type=click.IntRange(0), help="Processes that prepare batches  [default: 8 with a GPU, else 0]."
)
@click.option(
    "--rows", type=click.IntRange(1), help="Sequences in a step  [default: 196,608 tokens with a GPU, else 16,384]."
)
@click.option("--context", type=click.IntRange(64, 8192), help="Tokens of a sequence  [default: the model's].")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="[default: 0.003; tuning 0.0003]")
@click.option("--warmup", type=click.IntRange(1), help="Steps in which the rate rises  [default: 200 with a GPU].")
@click.option("--compile/--no-compile", default=None, help="With torch.compile  [default: with a GPU].")
@click.option(
    "--widen", is_flag=True, help="Train a model of twice the width of --start, with the same output at first."
)
@click.option(
    "--four-bits",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Last share of the run that trains for weights in four bits; the model is then stored so.",
)
@click.option(
    "--middles-share",
    type=click.FloatRange(0.01, 0.99),
    help="With --edits: about this share of the tokens fills in the middle  [default: 0.15].",
)
@click.option(
    "--middles-weight",
    type=click.FloatRange(0, min_open=True),
    help="With --edits: how much these tokens weigh in the loss  [default: 1].",
)
@click.option("--held-out-corpus", type=_path, help="With --edits: corpus for held-out tokens that fill in the middle.")
@click.option("--seed", type=int, default=0, show_default=True)
def run_command(
    code: tuple[Path, ...],
    corpus: Path | None,
    edits: Path | None,
    held_out: Path | None,
    out: Path,
    start: str | None,
    size: str,
    kv_heads: int | None,
    tokenizer: Path | None,
    minutes: float | None,
    steps: int | None,
    pause_after: float | None,
    device: str,
    workers: int | None,
    rows: int | None,
    context: int | None,
    learning_rate: float | None,
    warmup: int | None,
    compile: bool | None,
    widen: bool,
    four_bits: float,
    middles_share: float | None,
    middles_weight: float | None,
    held_out_corpus: Path | None,
    seed: int,
) -> None:
    """Train a new model, or tune an existing one (--start).

    Writes OUT/model (use it with `--model OUT/model`), OUT/loss.svg, OUT/log.jsonl, and a checkpoint every two
    minutes. After a pause, an interruption or a crash, the same command resumes from the last checkpoint.
    """
    from tabspec.models.load import BUNDLED
    from tabspec.train.edits.rows import MIDDLES_SHARE
    from tabspec.train.runs import RunPlan, carry_out
    from tabspec.train.schedule import Budget

    if bool(code) == bool(corpus or edits):
        raise click.UsageError("name the training data: --code (folders), or --corpus, --edits or both")
    if kv_heads and start:
        raise click.UsageError("--kv-heads is for a new model; leave --start out")
    if widen and not start:
        raise click.UsageError("--widen needs a model; give it with --start")
    if (middles_share or middles_weight or held_out_corpus) and not edits:
        raise click.UsageError("--middles-share, --middles-weight and --held-out-corpus need --edits")
    console = Console(stderr=True)
    budget = Budget(steps=steps, seconds=minutes * 60 if minutes else None)
    plan = RunPlan(
        corpus=_corpus_of(code, out) if code else corpus,
        out=out,
        budget=budget,
        start=BUNDLED if start == "bundled" else Path(start) if start else None,
        size=size,
        held_out=held_out,
        tokenizer=tokenizer,
        device=device,
        workers=workers,
        rows=rows,
        learning_rate=learning_rate,
        compile=compile,
        seed=seed,
        context=context,
        pause_after=pause_after * 60 if pause_after else None,
        kv_heads=kv_heads,
        warmup=warmup,
        edits=edits,
        widen=widen,
        four_bits=four_bits,
        middles_share=middles_share or MIDDLES_SHARE,
        middles_weight=middles_weight or 1.0,
        held_out_corpus=held_out_corpus,
    )
    model = carry_out(plan, console)
    click.echo(f"the model is in {model}" if model else "paused; the same command resumes the run")


def _corpus_of(code: tuple[Path, ...], out: Path) -> Path:
    """The corpus of some folders. It is built once, because a resumed run must see the same data."""
    from tabspec.train.corpus.build import build_corpus
    from tabspec.train.corpus.store import DOCUMENTS

    corpus = out / "corpus" / "train"
    if not (corpus / DOCUMENTS).is_file():
        for folder in code:
            if not folder.exists():
                raise InputError(f"{folder}: no such folder")
        build_corpus(code, out / "corpus")
    return corpus


@train_command.command("export")
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
    from tabspec.train.export import CONFIG, TOKENIZER, export_model, load_model
    from tabspec.train.runs import interrupted

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


@train_command.command("drafts")
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
    from tabspec.models.files.ngram_table import DRAFTS, save_table
    from tabspec.train.corpus.store import Corpus
    from tabspec.train.draft_table import draft_table
    from tabspec.train.examples.tokenizer import load_tokenizer

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


@train_command.command("stop")
@click.argument("model", type=_path)
@click.option("--corpus", required=True, type=_path, help="Corpus folder that the model was trained on.")
@click.option("--examples", type=click.IntRange(20), default=400, show_default=True, help="Examples to fit it on.")
@click.option("-o", "--out", required=True, type=_path, help="Model folder to write (8 bits).")
@click.option("--seed", type=int, default=0, show_default=True)
def stop_command(model: Path, corpus: Path, examples: int, out: Path, seed: int) -> None:
    """Fit the output row of a trained MODEL's end-of-middle token, so that it stops at the right place.

    Takes minutes on a CPU, and changes no other output. Run it last, before `tabspec evaluate`.
    """
    from tabspec.train.export import TOKENIZER, export_model
    from tabspec.train.runs import with_fitted_stop

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("fitting", total=examples)
        weights, shape, before, after = with_fitted_stop(
            model, corpus, examples, seed, lambda n: bar.update(task, completed=n)
        )
    export_model(weights, shape, model / TOKENIZER, out, bits=8)
    click.echo(
        f"loss of stopping or continuing, per token: {before:.3f} before, {after:.3f} after (natural log); wrote {out}"
    )
