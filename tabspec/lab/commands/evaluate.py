"""`tabspec evaluate`: quality of a model on code that it was not trained on."""

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

from tabspec.config import EditForm
from tabspec.errors import InputError
from tabspec.machine import git_commit, machine
from tabspec.system.outputs import OutputFile

if TYPE_CHECKING:
    from tabspec.lab.evaluation.ablation import AblationRow
    from tabspec.lab.evaluation.report import Contestant

_path = click.Path(path_type=Path)


@click.command("evaluate")
@click.option("--corpus", type=_path, help="Held-out corpus: OUT/held_out of `tabspec train corpus`.")
@click.option("--next-edit", "cases", type=_path, help="Instead: what is offered for each next-edit case of this file.")
@click.option(
    "--predictions", type=OutputFile(), help="With --next-edit: write the offers here, one JSON object a line."
)
@click.option(
    "--next-edit-history",
    "histories",
    multiple=True,
    type=_path,
    help="Instead: next edits by pattern on the commits of this git repository; may be repeated.",
)
@click.option(
    "--next-edit-releases",
    "releases",
    type=_path,
    help="Instead: what --edit-model writes at these steps between releases of held-out projects.",
)
@click.option("--steps", type=click.IntRange(1), help="With --next-edit-releases: so many steps  [default: all].")
@click.option("--commits", type=click.IntRange(1), default=500, show_default=True, help="Newest commits of each.")
@click.option(
    "--model", "models", multiple=True, help="Folder, `bundled` or `large`. May be repeated  [default: bundled]"
)
@click.option("--edit-model", default="", help="`bundled`, `large`, a folder, or with --next-edit a server.")
@click.option(
    "--edit-format",
    type=click.Choice([form.value for form in EditForm]),
    default=EditForm.AUTO.value,
    show_default=True,
    help="The format in which it writes them; auto: by the model's name.",
)
@click.option("--language", "languages", multiple=True, help="May be repeated  [default: python]")
@click.option("--holes", type=click.IntRange(0), default=100, show_default=True, help="Holes to fill, of each kind.")
@click.option(
    "--bytes", "size", type=click.IntRange(0), default=200_000, show_default=True, help="Bytes of text to score."
)
@click.option(
    "--typing",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Passages of a dozen lines that a simulated user types, pressing Tab.",
)
@click.option(
    "--baseline/--no-baseline", default=True, show_default=True, help="Evaluate the nested n-gram cache as well."
)
@click.option(
    "--related-chars",
    type=click.IntRange(0, 100_000),
    default=0,
    show_default=True,
    help="Characters of related code in prompts, from files that the document imports.",
)
@click.option(
    "--ablate", is_flag=True, help="Instead, evaluate the first model with each step of post-processing left out."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same holes.")
@click.option(
    "--calibration",
    type=OutputFile(),
    help="With --next-edit-releases: write the edit model's edit_calibration.json here; with --next-edit-history the "
    "table of probabilities.",
)
@click.option("--json", "output", type=OutputFile(), help="Write the result as JSON.")
def evaluate_command(
    corpus: Path | None,
    cases: Path | None,
    predictions: Path | None,
    histories: tuple[Path, ...],
    releases: Path | None,
    steps: int | None,
    commits: int,
    models: tuple[str, ...],
    edit_model: str,
    edit_format: str,
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

    Prints bits per byte; quality of filling in the rest of a line, a line and a block (exact, edit similarity, share
    that parses in place); keystrokes saved (--typing); and calibration. With --ablate, prints one table instead:
    the engine's suggestions with all post-processing, and with each step left out. To build the corpus, run
    `tabspec train fetch` and then `tabspec train corpus --packages`.

    With --next-edit, prints what next edits by pattern, the model at the cursor (--model none: no model) and a model
    that writes edits (--edit-model) offer for the cases of a suite. With --next-edit-history, makes a part of each
    commit's changes and prints how often the next edit that is proposed is one that the commit makes: at the same
    place, the same text, the same tokens (way). With --next-edit-releases, prints how often an edit model writes the
    next edit of a file between two releases, where the place is given and where it is not, and what an answer costs.
    """
    from tabspec.lab.commands.evaluate_edits import evaluate_cases, evaluate_history
    from tabspec.lab.commands.evaluate_releases import evaluate_releases

    if sum((corpus is not None, cases is not None, bool(histories), releases is not None)) != 1:
        raise InputError(
            "name what to measure on: one of --corpus, --next-edit, --next-edit-history and --next-edit-releases"
        )
    if edit_model and cases is None and releases is None:
        raise InputError("--edit-model belongs to --next-edit and --next-edit-releases")
    if releases is not None:
        evaluate_releases(releases, steps, edit_model or "bundled", output, calibration)
        return
    if cases is not None:
        evaluate_cases(cases, predictions, (*models, "bundled")[0], edit_model, EditForm(edit_format))
        return
    if corpus is None:
        evaluate_history(histories, commits, seed, output, calibration)
        return
    from tabspec.lab.evaluation.contest import (
        Plan,
        ablate_model,
        baseline_of,
        evaluate_baseline,
        evaluate_model,
        stretches_of,
    )
    from tabspec.lab.evaluation.report import ablation_table, as_json, tables
    from tabspec.lab.evaluation.typed_sessions import type_with_model, type_with_ngrams
    from tabspec.lab.evaluation.typing import together

    if calibration:
        raise InputError("--calibration is for --next-edit-history and --next-edit-releases")
    if ablate and not holes:
        raise InputError("--ablate fills holes: give --holes")
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
                done = partial(_report, show, len(items))
                found[-1].typing[language] = together(type_with_model(name, items, seed, done))
        if baseline and not ablate:
            found.append(evaluate_baseline(plan, show))
            for language, items in typed.items():
                done = partial(_report, show, len(items))
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


def _report(show: Callable[[str, int, int], None], total: int, done: int) -> None:
    show("typing", done, total)
