"""`tabspec train run`: trains a new model, or tunes one."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console

from tabspec.errors import InputError

_path = click.Path(path_type=Path)


@click.command("run")
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
@click.option("--teacher", type=_path, help="Folder of a larger model, whose probabilities are learned, too.")
@click.option(
    "--teacher-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the loss that is the teacher's.",
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
    teacher: Path | None,
    teacher_share: float,
    held_out_corpus: Path | None,
    seed: int,
) -> None:
    """Train a new model, or tune an existing one (--start).

    Writes OUT/model (use it with `--model OUT/model`), OUT/loss.svg, OUT/log.jsonl, and a checkpoint every two
    minutes. After a pause, an interruption or a crash, the same command resumes from the last checkpoint.

    On several GPUs: torchrun --nproc-per-node 4 -m -- tabspec train run ... (with --corpus or --edits, and with
    --start or --tokenizer).
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
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1 and (code or not (start or tokenizer)):
        raise click.UsageError("several processes need --corpus or --edits, and --start or --tokenizer")
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
        teacher=teacher,
        teacher_share=teacher_share,
    )
    model = carry_out(plan, console)
    if os.environ.get("RANK", "0") == "0":
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
