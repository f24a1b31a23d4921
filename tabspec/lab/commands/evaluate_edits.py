"""`tabspec evaluate --next-edit` and `--next-edit-history`: how good next edits are."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tabspec.config import EditForm, EditModelName
from tabspec.errors import InputError
from tabspec.machine import git_commit, machine


def evaluate_cases(cases: Path, predictions: Path | None, model: str, edit_model: str, form: EditForm) -> None:
    """Write what is offered for each case, as its suite's scorer reads it. ``model`` may be `none`: no completions."""
    from tabspec.lab.evaluation.next_edit.cases import offers, read_cases
    from tabspec.models.edit_protocol import EditModel
    from tabspec.models.files.large import LARGE
    from tabspec.models.http.edits import HttpEditModel
    from tabspec.models.load import load_edit_model, load_edits_alone, load_model

    if predictions is None:
        raise InputError("--next-edit needs --predictions: the file to write")
    read = read_cases(cases)
    edits: EditModel | None
    if edit_model in (EditModelName.BUNDLED, LARGE) or (edit_model and Path(edit_model).is_dir()):
        edits = load_edits_alone(edit_model)
    else:
        edits = load_edit_model(edit_model, form, model)
    loaded = None if model == "none" else load_model(model)

    async def ask() -> list[str]:
        try:
            if isinstance(edits, HttpEditModel):
                await edits.connect()
            return [json.dumps(offer.as_json(), ensure_ascii=False) for offer in await offers(read, loaded, edits)]
        finally:
            for each in (loaded, edits):
                if each is not None:
                    await each.close()

    lines = asyncio.run(ask())
    write_text(predictions, "".join(line + "\n" for line in lines))
    shown = sum(json.loads(line)["text"] is not None for line in lines)
    click.echo(f"{len(lines)} cases, {shown} with an offer: {predictions}")


def evaluate_history(
    repositories: tuple[Path, ...], commits: int, seed: int, output: Path | None, calibration: Path | None
) -> None:
    """Measure the proposals on git histories; print a table, and write the figures as JSON to ``output``."""
    from tabspec.lab.evaluation.next_edit.measured import as_json, measure, table

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=None)
        found = measure(
            repositories, commits, seed, lambda name, done: bar.update(task, description=name, completed=done)
        )
    if not found:
        raise InputError("no commit changed a source file in two places: try more --commits, or another repository")
    figures = as_json(found)
    shown = Table(title=f"next edits at {figures['stages']} stages of commits")
    columns = ("shown", "place", "text", "way", "undone", "recall", "quiet_at_end")
    for name in ("at least", *columns):
        shown.add_column(name, justify="right")
    rows = [(f"{row['threshold']:.2f}", row) for row in figures["by_threshold"]]  # type: ignore[attr-defined]
    rows += figures["by_place"].items()  # type: ignore[attr-defined]
    for name, row in rows:
        shown.add_row(name, *("-" if row[column] is None else str(row[column]) for column in columns))
    Console().print(shown)
    about = {
        "git_commit": git_commit(),
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "repositories": [each.name for each in repositories],
        "commits": commits,
        "seed": seed,
    }
    if output:
        head = {"format": "tabspec-next-edit-history", "version": 1, "about": about}
        write_text(output, json.dumps({**head, **figures}, indent=1) + "\n")
    if calibration:
        head = {"format": "tabspec-edit-probabilities", "version": 1, "about": about}
        write_text(calibration, json.dumps({**head, "cases": table(found)}, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a result. Raises `InputError` if it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from error
