"""`tabspec bench decode` and `tabspec bench kv`: our decoder and transformers on the same weights, in turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tabspec.cli.tables import print_table

_SHAPES = ("8m", "25m", "100m")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here."),
        click.option("--rounds", type=click.IntRange(1), default=7, show_default=True, help="Turns; medians are told."),
        click.option("--prompt", type=click.IntRange(16, 1900), default=1000, show_default=True, help="Tokens."),
        click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads of torch."),
        click.option("--device", default="cpu", show_default=True, help="torch's name of a device."),
        click.option(
            "--shape", type=click.Choice(_SHAPES), default="25m", show_default=True, help="Size of the model."
        ),
    ):
        command = option(command)
    return command


@click.command("decode")
@_options
@click.option("--steps", type=click.IntRange(1, 200), default=24, show_default=True, help="Tokens a turn.")
def decode_command(
    shape: str, device: str, threads: int, prompt: int, rounds: int, steps: int, out: Path | None
) -> None:
    """Time a decode step and prefill on random weights: our decoder (int8, bfloat16) and transformers."""
    from tabspec.models import benchmarks as bench  # imports torch

    bench.set_threads(threads)
    size = bench.SHAPES[shape]
    decoders = bench.contenders(size, device)
    floors = bench.floors(decoders, size, prompt) if device == "cpu" else {}
    results = bench.measure_decode(decoders, prompt, steps, rounds, floors)
    slowest = results[-1]
    rows = [
        [
            r.name,
            f"{r.decode_ms:.2f}",
            f"{slowest.decode_ms / r.decode_ms:.1f}",
            f"{r.decode_ms / r.floor_ms:.1f}" if r.floor_ms else "",
            f"{r.prefill_per_s:,.0f}",
            f"{r.prefill_per_s / slowest.prefill_per_s:.1f}",
        ]
        for r in results
    ]
    columns = ["decoder", "ms a token", "times as fast", "times the floor", "prefill, tokens/s", "times as fast"]
    print_table(f"{shape}, behind {prompt} tokens, {threads} threads on {device}", columns, rows)
    if out:
        _save(out, "decode", shape=shape, threads=threads, prompt=prompt, results=bench.as_fields(results))


@click.command("kv")
@_options
def kv_command(shape: str, device: str, threads: int, prompt: int, rounds: int, out: Path | None) -> None:
    """Time continuing on kept keys and values against beginning anew."""
    from tabspec.models import benchmarks as bench  # imports torch

    bench.set_threads(threads)
    name, decoder = next(iter(bench.contenders(bench.SHAPES[shape], device).items()))
    result = bench.measure_kv(decoder, prompt, rounds)
    told = {
        f"a fresh prompt of {prompt} tokens": result.fresh,
        "1 token more": result.more_1,
        "1 token and 3 draft tokens": result.draft_3,
        "8 tokens more": result.more_8,
        "64 tokens more": result.more_64,
        "copying the keys and values": result.copy,
    }
    rows = [[what, f"{ms:.2f}", f"{100 * ms / result.fresh:.1f} %"] for what, ms in told.items()]
    print_table(f"{name}, {shape}, {threads} threads on {device}", ["what", "ms", "of a fresh prompt"], rows)
    if out:
        _save(out, "kv", shape=shape, threads=threads, prompt=prompt, results=bench.as_fields([result]))


def _save(path: Path, what: str, **fields: Any) -> None:
    path.write_text(json.dumps({"format": f"tabspec-bench-{what}", "version": 1, **fields}, indent=1) + "\n")
