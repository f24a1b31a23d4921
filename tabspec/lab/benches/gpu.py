"""`tabspec bench gpu`: the speed of decoding on a GPU, compared with the limits of its memory and matrix units.

The parts run one after another, and the figures are written after each part. If a part fails, its error is recorded and
the other parts still run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tabspec.errors import InputError
from tabspec.machine import git_commit, machine

_SHAPES = ("7b", "1.5b", "tiny")


@click.command("gpu")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here, after each part.")
@click.option("--device", default="cuda", show_default=True, help="torch's name of a device.")
@click.option(
    "--shape",
    "shapes",
    type=click.Choice(_SHAPES),
    multiple=True,
    default=("7b", "1.5b"),
    show_default=True,
    help="Shape of the random weights: a size of Qwen2.5-Coder, or tiny, which is for tests.",
)
@click.option("--context", type=click.IntRange(32), default=4096, show_default=True, help="Tokens before the cursor.")
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Sequences with --kv-heads.")
@click.option(
    "--batch-context", type=click.IntRange(16), default=8192, show_default=True, help="Tokens of each of them."
)
@click.option("--kv-heads", default="1,2,4,8,16", show_default=True, help="KV heads to compare, of 16; empty: none.")
@click.option("--runs", type=click.IntRange(1), default=20, show_default=True, help="Runs; medians are reported.")
@click.option(
    "--limit-s", type=click.IntRange(1), default=380, show_default=True, help="Start no part after this time."
)
def gpu_command(
    out: Path | None,
    device: str,
    shapes: tuple[str, ...],
    context: int,
    batch: int,
    batch_context: int,
    kv_heads: str,
    runs: int,
    limit_s: int,
) -> None:
    """Time decoding on a GPU with random weights: decode steps, prefill, and different numbers
    of KV heads. transformers is timed on the same weights.
    """
    import torch

    from tabspec.models.machine.devices import pick_device

    at = pick_device(device)
    try:
        from tabspec.lab.measuring import gpu_decoding as bench
        from tabspec.lab.measuring import gpu_steps as steps
    except ImportError as error:
        raise InputError(f"bench gpu needs Triton, which comes with torch's CUDA builds ({error})") from None
    from dataclasses import replace
    from functools import partial

    heads = [int(part) for part in kv_heads.split(",") if part.strip().isdigit()]
    dtype = torch.bfloat16 if at.type == "cuda" else torch.float32
    small = at.type != "cuda"
    parts = _PartRunner(out, limit_s)
    about: dict[str, Any] = {
        "machine": machine(),
        "commit": git_commit(),
        "torch": torch.__version__,
        "dtype": str(dtype),
    }
    if not small:
        about["gpu"] = torch.cuda.get_device_name(at)
        about["gpu_bytes"] = torch.cuda.get_device_properties(at).total_memory
    parts.report |= {"about": about}
    rates: dict[str, Any] = parts.run("ceilings", lambda: bench.ceilings(at, small)) or {}
    if (datasheet := bench.datasheet_bandwidth(at)) is not None:
        rates["datasheet_bytes_per_s"] = datasheet
    for name in shapes:
        shape = bench.SHAPES[name]
        with bench.fresh_memory(at):
            made = parts.run(f"{name} load", partial(bench.make_decoder, shape, context + 256, at, dtype), keep=False)
            if made is None:
                continue
            decoder, weights = made
            for length in (context // 4, context):
                parts.run(f"{name} decode at {length}", partial(steps.measure_steps, decoder, length, 4, rates, runs))
            parts.run(f"{name} prefill", partial(bench.measure_prefill, decoder, context, 16, rates, max(runs // 4, 1)))
            parts.run(f"{name} tokens", partial(bench.check_tokens, decoder, weights, min(context // 4, 256), 8))
            del decoder, made
            parts.run(
                f"{name} transformers",
                partial(bench.measure_generate, shape, weights, at, dtype, context // 4, 8 if small else 32),
            )
            parts.run(
                f"{name} transformers at {context}",
                partial(bench.measure_generate, shape, weights, at, dtype, context, 8 if small else 16, 1),
            )
            del weights
    # The shape is that of 1.5b, but with 16 heads, which 1, 2, 4, 8 and 16 divide.
    wide = bench.SHAPES["tiny" if small else "1.5b"]
    wide = replace(wide, heads=16, qkv_bias=False)
    for count in heads:
        with bench.fresh_memory(at):
            parts.run(
                f"{count} KV heads",
                partial(bench.measure_heads, wide, count, batch, batch_context, at, dtype, rates, max(runs // 4, 1)),
            )
    parts.save()


class _PartRunner:
    """Runs the parts, prints the outcome of each, and collects the results in ``report``."""

    def __init__(self, out: Path | None, limit_s: float) -> None:
        self._out, self._start, self._limit = out, time.monotonic(), limit_s
        self.report: dict[str, Any] = {"format": "tabspec-bench-gpu", "version": 1}

    def run(self, name: str, part: Callable[[], Any], keep: bool = True) -> Any:
        """Run ``part`` and return its result; None if it fails, or if the time limit has passed.

        ``keep`` is whether the result is written to the file.
        """
        began = time.monotonic() - self._start
        if began > self._limit:
            self.report[name] = {"skipped": f"after {began:.0f} s"}
            click.echo(f"[{began:5.0f} s] {name}: skipped")
            return None
        try:
            found = part()
        except Exception as error:  # of a driver, a compiler or too little memory: the other parts still run
            found = None
            report: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"[:2000]}
        else:
            report = found if keep else {"made": True}
        seconds = time.monotonic() - self._start - began
        self.report[name] = {**report, "took_s": round(seconds, 1)}
        click.echo(f"[{began:5.0f} s, {seconds:5.1f} s] {name}: {json.dumps(report)}")
        self.save()
        return found

    def save(self) -> None:
        """Write the results so far."""
        if self._out:
            self._out.write_text(json.dumps(self.report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    gpu_command()
