"""`tabspec bench decode` and `tabspec bench kv`: the speed of decoders on the same weights.

The decoders take turns, so that a change of the machine's load affects all of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import tabspec.replay
from tabspec.lab.measuring.accepts import AcceptsMeasured, measure_accepts
from tabspec.machine import git_commit, machine
from tabspec.models.load import load_model
from tabspec.replay.models.measured import session_places
from tabspec.replay.sessions.session_file import read_session
from tabspec.system.tables import print_table

if TYPE_CHECKING:
    from tabspec.models.local.slots import Decoder

_SHAPES = ("8m", "25m", "100m", "0.5b")
_SESSION = Path(tabspec.replay.__file__).parent / "sessions" / "python-cachetools.jsonl.gz"


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here."),
        click.option(
            "--rounds", type=click.IntRange(1), default=7, show_default=True, help="Runs; medians are reported."
        ),
        click.option(
            "--prompt", type=click.IntRange(16, 1900), default=1000, show_default=True, help="Tokens of the prompt."
        ),
        click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads of torch."),
        click.option("--device", default="cpu", show_default=True, help="torch's name of a device."),
        click.option(
            "--shape",
            type=click.Choice(_SHAPES),
            default=None,
            help="Use random weights of this size instead of --model.",
        ),
        click.option("--model", default="bundled", show_default=True, help="Folder of a Llama-family model."),
    ):
        command = option(command)
    return command


@click.command("decode")
@_options
@click.option("--steps", type=click.IntRange(1, 200), default=24, show_default=True, help="Tokens decoded in each run.")
def decode_command(
    model: str, shape: str | None, device: str, threads: int, prompt: int, rounds: int, steps: int, out: Path | None
) -> None:
    """Time decode steps and prefill of several decoders on the same weights.

    tabspec's decoder runs in torch and, where it is installed, compiled, with int8 and int4 weights and in the device's
    number format. It is compared with transformers (step by step, and its generate), and with llama.cpp where
    llama-cpp-python is installed.
    """
    from tabspec.lab.baselines import decoders as baselines
    from tabspec.lab.measuring import decoding as bench  # imports torch

    bench.set_threads(threads)
    with baselines.subject(model, shape) as (folder, size, weights):
        decoders = bench.contenders(size, device, weights)
        *ours, theirs = decoders.items()
        floors = bench.floors(decoders, size, prompt) if device == "cpu" else {}
        with baselines.llama_cpp(folder, threads if device == "cpu" else 0) as llama_cpp:
            turns: dict[str, Decoder] = {**dict(ours), **llama_cpp, theirs[0]: theirs[1]}
            results = bench.measure_decode(turns, prompt, steps, rounds, floors)
        results.append(baselines.measure_generate(theirs[1], bench.tokens(prompt), steps, min(rounds, 3)))
    first = results[0]
    rows = [
        [
            r.name,
            f"{r.decode_ms:.2f}",
            f"{r.decode_ms / first.decode_ms:.2f}",
            f"{r.decode_ms / r.floor_ms:.1f}" if r.floor_ms else "",
            f"{r.prefill_per_s:,.0f}",
            f"{first.prefill_per_s / r.prefill_per_s:.2f}",
        ]
        for r in results
    ]
    columns = ["decoder", "ms a token", "times ours", "times the floor", "prefill, tokens/s", "ours is faster by"]
    name = shape or model
    print_table(f"{name}, prompt of {prompt} tokens, {threads} threads on {device}", columns, rows)
    if out:
        about = {"model": name, "threads": threads, "prompt": prompt, "device": device}
        _save(out, "decode", **about, results=bench.as_fields(results))


@click.command("kv")
@_options
@click.option(
    "--session",
    type=click.Path(path_type=Path),
    default=None,
    help="Recorded session with the accepts. [default: a shipped one]",
)
def kv_command(
    model: str,
    shape: str | None,
    device: str,
    threads: int,
    prompt: int,
    rounds: int,
    out: Path | None,
    session: Path | None,
) -> None:
    """Time prompts that continue a kept KV cache, and compare them with prompts on an empty one.

    The continued prompts have 1 to 64 more tokens. Without --shape, whole suggestions after an accept are timed too, at
    places of a recorded session.
    """
    from tabspec.lab.baselines import decoders as baselines
    from tabspec.lab.measuring import decoding as bench  # imports torch

    bench.set_threads(threads)
    with baselines.subject(model, shape) as (_, size, weights):
        name, decoder = next(iter(bench.contenders(size, device, weights).items()))
    result = bench.measure_kv(decoder, prompt, rounds)
    times = {
        f"a fresh prompt of {prompt} tokens": result.fresh,
        "1 token more": result.more_1,
        "1 token and 3 draft tokens": result.draft_3,
        "8 tokens more": result.more_8,
        "64 tokens more": result.more_64,
        "copying the keys and values": result.copy,
    }
    rows = [[what, f"{ms:.2f}", f"{100 * ms / result.fresh:.1f} %"] for what, ms in times.items()]
    print_table(f"{name}, {shape or model}, {threads} threads on {device}", ["what", "ms", "of a fresh prompt"], rows)
    accepts = None
    if shape is None:
        accepts = _accepts(model, device, session or _SESSION, rounds)
    if out:
        fields = {"model": shape or model, "threads": threads, "prompt": prompt, "results": bench.as_fields([result])}
        _save(out, "kv", **fields, accepts=accepts and asdict(accepts))


def _accepts(model: str, device: str, session: Path, rounds: int) -> AcceptsMeasured | None:
    """Measure whole suggestions after an accept, and print a table. None if the model suggests nothing."""
    asked = load_model(None if model == "bundled" else model, device=device)
    found = asyncio.run(measure_accepts(asked, list(session_places(read_session(session))), min(rounds, 3)))
    if found is None:
        click.echo("the model suggests nothing at the places of this session, so there is no accept to measure")
        return None
    rows = [
        ["with a fresh prompt", f"{found.fresh_ms:.1f}", ""],
        ["with what is kept", f"{found.kept_ms:.1f}", f"{100 * found.ratio:.1f} % (9 of 10: {100 * found.most:.1f} %)"],
    ]
    title = f"the next suggestion after an accept, {found.places} places, {found.same} pairs of equal texts"
    print_table(title, ["what", "ms", "of a fresh request, place by place"], rows)
    return found


def _save(path: Path, what: str, **fields: Any) -> None:
    about = {"format": f"tabspec-bench-{what}", "version": 1, "machine": machine(), "git_commit": git_commit()}
    path.write_text(json.dumps({**about, **fields}, indent=1) + "\n")
