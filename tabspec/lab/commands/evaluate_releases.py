"""`tabspec evaluate --next-edit-releases`: how good an edit model is on edits between releases."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import Progress

from tabspec.errors import InputError
from tabspec.lab.commands.evaluate_edits import write_text
from tabspec.machine import git_commit, machine


def evaluate_releases(
    file: Path, most: int | None, edit_model: str, output: Path | None, calibration: Path | None
) -> None:
    """Print the figures of ``edit_model`` on the steps in ``file`` (or ``most`` of them), and write them to ``output``;
    fit its calibration on all of them, and write that to ``calibration``."""
    from tabspec.lab.evaluation.next_edit.releases.asked import outcomes
    from tabspec.lab.evaluation.next_edit.releases.figures import as_json, calibrate, tables
    from tabspec.lab.evaluation.next_edit.releases.steps import read_steps
    from tabspec.models.address import is_address
    from tabspec.models.load import load_edits_alone

    if is_address(edit_model):
        raise InputError("--next-edit-releases measures a model in this process: `bundled`, `large` or a folder")
    steps = read_steps(file)
    Random(0).shuffle(steps)
    steps = steps[:most]
    model = load_edits_alone(edit_model)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("asking", total=len(steps))
        found = asyncio.run(outcomes(model, steps, lambda done: bar.update(task, completed=done)))
    figures = as_json(found)
    for table in tables(figures):
        Console().print(table)
    about = {
        "git_commit": git_commit(),
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "model": edit_model,
        "fingerprint": model.info.fingerprint,
    }
    if output:
        head = {"format": "tabspec-next-edit-releases", "version": 1, "about": about}
        write_text(output, json.dumps({**head, **figures}, indent=1) + "\n")
    if calibration:
        calibrate(found).save(calibration)
