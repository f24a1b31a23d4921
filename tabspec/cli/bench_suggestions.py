"""`tabspec bench suggestions`: whole suggestions for real code, by our model and by llama.cpp."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tabspec.cli.machine import git_commit, machine
from tabspec.cli.tables import print_table
from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.protocol import Model, StopRule
from tabspec.replay.calibrate import session_requests
from tabspec.replay.session_file import read_session
from tabspec.replay.suggestion_bench import measure_suggestions


@click.command("suggestions")
@click.argument("session", nargs=-1, required=True)
@click.option("--server", default=None, help="A llama-server with the exported model, asked by tabspec as well.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads of each.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Turns; medians are told.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def suggestions_command(
    session: tuple[str, ...], server: str | None, threads: int, rounds: int, out: Path | None
) -> None:
    """Time suggestions end to end at places of each SESSION, the whole loop with drafts and early stop: the bundled
    model's, and llama.cpp's with the same weights, prompts and stops where llama-cpp-python is installed."""
    from tabspec.models import benchmarks  # imports torch
    from tabspec.models.gguf import Weights, export_gguf
    from tabspec.models.llama_cpp import LlamaCppModel, is_installed

    benchmarks.set_threads(threads)
    ours = load_model(None, device="cpu")
    models: dict[str, Model] = {f"ours, {ours.info.detail}": ours}
    requests = [
        one for name in session for one in session_requests(read_session(Path(name)), ours.info.fingerprint, StopRule())
    ]
    with TemporaryDirectory() as at:
        for weights in (Weights.Q8_0, Weights.BF16) if is_installed() else ():
            file = Path(at) / f"{weights}.gguf"
            try:
                export_gguf(BUNDLED, file, weights)
            except (InputError, ModelNotUsable) as error:
                click.echo(f"without llama.cpp: {error}", err=True)
                break
            for flash, name in (
                (True, ""),
                (False, ", no flash attention"),
            ):  # which is faster differs with the processor
                models[f"llama.cpp in this process, {weights}{name}"] = LlamaCppModel(
                    file, BUNDLED, threads=threads, flash=flash
                )
        if server:
            models["llama-server"] = load_model(server)
        results = measure_suggestions(models, requests, rounds)
    first = results[0]
    rows = [
        [
            r.name,
            f"{r.total_ms:,.0f}",
            f"{r.total_ms / first.total_ms:.2f}",
            f"{r.median_ms:.1f}",
            f"{r.p90_ms:.1f}",
            f"{r.decoded}",
            f"{r.chars}",
        ]
        for r in results
    ]
    columns = ["model", "ms, all", "times ours", "median ms", "p90 ms", "tokens decoded", "characters"]
    print_table(f"{len(requests)} suggestions, {threads} threads", columns, rows)
    if out:
        about = {"format": "tabspec-bench-suggestions", "version": 1, "machine": machine(), "git_commit": git_commit()}
        fields = {"sessions": list(session), "threads": threads, "results": [asdict(result) for result in results]}
        out.write_text(json.dumps({**about, **fields}, indent=1) + "\n")
