"""`tabspec bench kv-heads`: multi-head, grouped-query and multi-query attention in models of one size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tabspec.errors import InputError
from tabspec.machine import git_commit, machine
from tabspec.system.tables import print_table

_path = click.Path(path_type=Path)
FORMAT = "tabspec-bench-kv-heads"


@click.command("kv-heads")
@click.argument("runs", nargs=-1, type=_path)
@click.option("--json", "file", required=True, type=_path, help="Figures, kept and added to.")
@click.option("--held-out", type=_path, help="Held-out corpus, for bits per byte.")
@click.option("--bytes", "size", type=click.IntRange(1), default=400_000, show_default=True, help="Of it.")
@click.option("--device", default="cpu", show_default=True, help="torch's name of a device.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads on a CPU.")
@click.option("--batch", "batches", default="1,4,64", show_default=True, help="Sequences in a step.")
@click.option("--prompt", type=click.IntRange(8), default=1000, show_default=True, help="Tokens of each of them.")
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True, help="Runs; medians are reported.")
def kv_heads_command(
    runs: tuple[Path, ...],
    file: Path,
    held_out: Path | None,
    size: int,
    device: str,
    threads: int,
    batches: str,
    prompt: int,
    rounds: int,
) -> None:
    """Compare finished RUNS of `tabspec train run --kv-heads`, and time decode steps of their shapes on a device.

    Without RUNS, the steps of the models in the file are timed. So one file holds the figures of several machines.
    """
    import torch

    from tabspec.lab.measuring import kv_heads as bench
    from tabspec.models.machine.devices import pick_device
    from tabspec.train.corpus.store import Corpus

    counts = [int(part) for part in batches.split(",") if part.strip().isdigit() and int(part)]
    if not counts:
        raise click.UsageError("--batch should be numbers, such as 1,4,64")
    found = _read(file)
    at = pick_device(device)
    torch.set_num_threads(threads)
    if runs:
        corpus = Corpus(held_out) if held_out else None
        found["models"] = [bench.trained(run, corpus, size, at) for run in runs]
        found["git_commit"] = git_commit()
        _write(file, found)
    if not found["models"]:
        raise InputError(f"{file}: has no models yet; name the folders of finished runs")
    shapes = [bench.decoder_shape(model) for model in found["models"]]
    if at.type == "cuda":
        name, steps = torch.cuda.get_device_name(at), bench.gpu_steps(shapes, counts, prompt, rounds, at)
    else:
        name, steps = f"{machine()}, {threads} threads", bench.cpu_steps(shapes, counts, prompt, rounds)
    others = [each for each in found["steps"] if each["machine"] != name]
    found["steps"] = [*others, {"machine": name, "git_commit": git_commit(), "prompt": prompt, "times": steps}]
    _write(file, found)
    _print(found)


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {"format": FORMAT, "version": 1, "git_commit": "", "models": [], "steps": []}
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if found["format"] == FORMAT:
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError(f"{file}: not a file of `tabspec bench kv-heads`")


def _write(file: Path, found: dict[str, Any]) -> None:
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _print(found: dict[str, Any]) -> None:
    columns = ["KV heads", "parameters", "KV bytes a token", "held-out loss", "middles", "ends", "bits per byte"]
    rows = []
    for model in found["models"]:
        losses = [model[name] for name in ("validation", "middles", "ends", "bits_per_byte")]
        numbers = [f"{model[name]:,}" for name in ("kv_heads", "parameters", "kv_bytes_per_token")]
        rows.append([*numbers, *("" if loss is None else f"{loss:.4f}" for loss in losses)])
    print_table("models", columns, rows)
    for each in found["steps"]:
        times = [[str(t["kv_heads"]), str(t["batch"]), f"{t['ms']:.3f}"] for t in each["times"]]
        print_table(each["machine"], ["KV heads", "batch", "ms a step"], times)
