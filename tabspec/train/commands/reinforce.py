"""`tabspec train reinforce`: a model learns from what a simulated user would take."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

_path = click.Path(path_type=Path)


@click.command("reinforce")
@click.option("--corpus", type=_path, help="Corpus folder (OUT/train of `tabspec train corpus`), for completions.")
@click.option("--additions", type=_path, help="File of `tabspec train additions`: what releases of packages added.")
@click.option("--edits", type=_path, help="Folder of `tabspec train edits`: learn edits instead of completions.")
@click.option("--held-out", type=_path, help="Corpus folder, or folder of edits, to measure before and after.")
@click.option(
    "--start",
    default="bundled",
    show_default=True,
    help="Model to improve: `bundled` (with --edits, the one that writes edits) or a folder.",
)
@click.option("--out", required=True, type=_path, help="Folder of the run. If it exists, the run is resumed.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="How long to learn.")
@click.option("--steps", type=click.IntRange(1), help="How many steps to learn, instead of --minutes.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--workers", type=click.IntRange(0), help="Processes that judge  [default: one less than processors].")
@click.option(
    "--samples",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Texts drawn at each cursor for the policy gradient. 0: the exact expectation for the greedy text.",
)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="[default: 0.0012]")
@click.option("--seed", type=int, default=0, show_default=True)
def reinforce_command(
    corpus: Path | None,
    additions: Path | None,
    edits: Path | None,
    held_out: Path | None,
    start: str,
    out: Path,
    minutes: float | None,
    steps: int | None,
    device: str,
    workers: int | None,
    samples: int,
    learning_rate: float | None,
    seed: int,
) -> None:
    """Improve a model by what a simulated user would take of its suggestions.

    A suggestion earns 0.75 for each key that it saves if it is taken, and costs 0.25 for each if it is not. The user
    types code of the corpus, or makes the edits between two releases. The engine's own rules decide what is shown.

    Writes OUT/model, OUT/reward.svg and OUT/log.jsonl. After an interruption, the same command continues from the last
    checkpoint.
    """

    from tabspec.models.load import BUNDLED, BUNDLED_EDITS
    from tabspec.train.reinforce.run import ReinforcePlan
    from tabspec.train.schedule import Budget

    if edits is None:
        from tabspec.train.reinforce.completions.run import carry_out
    else:
        from tabspec.train.reinforce.edits.run import carry_out
    own = BUNDLED if edits is None else BUNDLED_EDITS
    plan = ReinforcePlan(
        start=own if start == "bundled" else Path(start),
        out=out,
        budget=Budget(steps=steps, seconds=minutes * 60 if minutes else None),
        corpus=corpus,
        additions=additions,
        edits=edits,
        held_out=held_out,
        device=device,
        workers=workers,
        samples=samples,
        learning_rate=learning_rate,
        seed=seed,
    )
    model, before, after = carry_out(plan, Console(stderr=True))
    if before and after:
        place = "cursor" if edits is None else "question"
        for name, each in (("before", before), ("after", after)):
            taken = f"taken {each.taken:.1%} ({each.taken / max(each.shown, 1e-9):.1%} of shown)"
            click.echo(
                f"held out, {name}, a {place}: reward {each.reward:.3f}, shown {each.shown:.1%}, {taken}, "
                f"saved {each.saved:.2f}, loss {each.truth:.4f}"
            )
    click.echo(f"the model is in {model}")


@click.command("additions")
@click.argument("releases", nargs=-1, required=True, type=_path)
@click.option("-o", "--out", required=True, type=_path, help="File to write.")
@click.option(
    "--hold-out", multiple=True, help="Project to leave out. May be repeated  [default: the bundled model's]."
)
def additions_command(releases: tuple[Path, ...], out: Path, hold_out: tuple[str, ...]) -> None:
    """Write what successive RELEASES of packages added (.whl, .tgz), for `tabspec train reinforce --additions`.

    Packages without a permissive licence are left out. Nothing in them is run.
    """
    from tabspec.train.corpus.fetch import read_list
    from tabspec.train.reinforce.completions.additions import write_additions

    counts = write_additions(releases, out, hold_out or read_list().held_out)
    empty = [name for name, count in counts.items() if not count]
    click.echo(f"{out}: {sum(counts.values()):,} additions of {len(counts) - len(empty)} projects")
    if empty:
        click.echo(f"nothing of: {', '.join(empty)}", err=True)
