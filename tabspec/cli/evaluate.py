"""`tabspec evaluate`: how good a model is on code that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from tabspec.errors import InputError
from tabspec.machine import git_commit, machine

if TYPE_CHECKING:
    from tabspec.train.evaluation.ablation import AblationRow
    from tabspec.train.evaluation.report import Contestant

_path = click.Path(path_type=Path)


@click.command("evaluate")
@click.option("--corpus", type=_path, help="Held-out corpus: OUT/held_out of `tabspec train corpus`.")
@click.option("--next-edit", "cases", type=_path, help="Instead: what is offered for each next-edit case of this file.")
@click.option("--predictions", type=_path, help="With --next-edit: write the offers here, one JSON object a line.")
@click.option(
    "--next-edit-history",
    "histories",
    multiple=True,
    type=_path,
    help="Instead: next edits by pattern on the commits of this git repository; may be repeated.",
)
@click.option("--commits", type=click.IntRange(1), default=500, show_default=True, help="Newest commits of each.")
@click.option(
    "--model", "models", multiple=True, help="Model folder or `bundled`; may be repeated  [default: bundled]."
)
@click.option("--language", "languages", multiple=True, help="May be repeated  [default: python].")
@click.option("--holes", type=click.IntRange(0), default=100, show_default=True, help="Holes of each kind to fill.")
@click.option("--bytes", "size", type=click.IntRange(0), default=200_000, show_default=True, help="Text to score.")
@click.option(
    "--typing",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Stretches of a dozen lines to let a simulated user type, who presses Tab.",
)
@click.option("--baseline/--no-baseline", default=True, show_default=True, help="The nested n-gram cache too.")
@click.option(
    "--related-chars",
    type=click.IntRange(0, 100_000),
    default=0,
    show_default=True,
    help="Characters of related code to show models, from the files that a hole's document imports.",
)
@click.option("--ablate", is_flag=True, help="Instead: what each step of post-processing is worth to the first model.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed takes the same holes.")
@click.option(
    "--calibration",
    type=_path,
    help="Write the first model's calibration.json here; the table of probabilities with --next-edit-history.",
)
@click.option("--json", "output", type=_path, help="Write the result as JSON.")
def evaluate_command(
    corpus: Path | None,
    cases: Path | None,
    predictions: Path | None,
    histories: tuple[Path, ...],
    commits: int,
    models: tuple[str, ...],
    languages: tuple[str, ...],
    holes: int,
    size: int,
    typing: int,
    baseline: bool,
    related_chars: int,
    ablate: bool,
    seed: int,
    calibration: Path | None,
    output: Path | None,
) -> None:
    """Measure models on held-out projects, side by side.

    Bits per byte; filling in the rest of a line, a line, a block (exact, edit similarity, share that parses in
    place); keystrokes saved (--typing); calibration. With --ablate, one table of the engine's answers: all that is done
    between the model's words and the screen, and each part of it left out. To have the corpus: `tabspec train fetch`,
    then `tabspec train corpus --packages`.

    With --next-edit, what next edits by pattern and the model at the cursor (--model none: no model) offer for
    the cases of a suite. With --next-edit-history, how often the next edit that is proposed after a part of a commit's
    changes is one that the commit went on to make: at the place, to the letter (text), token by token (way).
    """
    from tabspec.cli.evaluate_edits import evaluate_cases, evaluate_history

    if sum((corpus is not None, cases is not None, bool(histories))) != 1:
        raise InputError("name what to measure on: one of --corpus, --next-edit and --next-edit-history")
    if cases is not None:
        evaluate_cases(cases, predictions, (*models, "bundled")[0])
        return
    if corpus is None:
        evaluate_history(histories, commits, seed, output, calibration)
        return
    from tabspec.cli.typing import type_with_model, type_with_ngrams
    from tabspec.train.evaluation.contest import (
        Plan,
        ablate_model,
        baseline_of,
        calibrate,
        evaluate_baseline,
        evaluate_model,
        stretches_of,
    )
    from tabspec.train.evaluation.report import ablation_table, as_json, tables
    from tabspec.train.evaluation.typing import together

    if ablate and (calibration or not holes):
        raise InputError("--ablate fills holes, and fits no calibration")
    plan = Plan(corpus, languages or ("python",), holes, size, seed, related_chars, typing)
    typed = {language: stretches_of(plan, language) for language in plan.languages if typing and not ablate}
    found: list[Contestant] = []
    rows: list[AblationRow] = []
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        if ablate:
            rows = ablate_model(plan, (*models, "bundled")[0], show)
        for name in (models or ("bundled",)) if not ablate else ():
            found.append(evaluate_model(plan, name, show))
            for language, items in typed.items():
                done = partial(_told, show, len(items))
                found[-1].typing[language] = together(type_with_model(name, items, seed, done))
        if baseline and not ablate:
            found.append(evaluate_baseline(plan, show))
            for language, items in typed.items():
                done = partial(_told, show, len(items))
                found[-1].typing[language] = together(type_with_ngrams(baseline_of(plan), items, seed, done))
    console = Console()
    for table in [ablation_table(rows)] if ablate else tables(found):
        console.print(table)
    about = {
        "git_commit": git_commit(),
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "corpus": corpus.name,
        "seed": seed,
        "related_chars": related_chars,
    }
    if output:
        output.write_text(json.dumps(as_json(found, about, rows), indent=1) + "\n", encoding="utf-8")
    if calibration:
        calibrate(found[0].marks).save(calibration)


def _told(show: Callable[[str, int, int], None], total: int, done: int) -> None:
    show("typing", done, total)
