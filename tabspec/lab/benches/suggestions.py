"""`tabspec bench suggestions`: the time of whole suggestions for real code, by tabspec's decoder and by llama.cpp."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tabspec.context import EditContext
from tabspec.errors import InputError, ModelNotUsable
from tabspec.lab.measuring.suggestions import (
    SuggestionsMeasured,
    Trimmed,
    measure_suggestions,
    measure_trimmed,
    question,
)
from tabspec.machine import git_commit, machine
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import Model, StopRule
from tabspec.replay.models.measured import session_places
from tabspec.replay.sessions.session_file import read_session
from tabspec.system.tables import print_table

# Switches off llama-server's store of earlier prompts. The bench sends the same prompts in every round and would find
# all of them in the store. An editor would not.
_NO_STORE = ("--cache-ram", "0")
_FLASH = {True: "", False: ", no flash attention"}  # both are measured: the faster one depends on the processor


@click.command("suggestions")
@click.argument("session", nargs=-1, required=True)
@click.option("--server", default=None, help="Address of a llama-server with the exported model.")
@click.option(
    "--llama-server",
    "program",
    type=click.Path(path_type=Path),
    help="Path of the program llama-server, which is started with the same weights.",
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads of each model.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Runs; medians are reported.")
@click.option(
    "--max-lines", type=click.IntRange(1, 64), default=1, show_default=True, help="Most lines of a suggestion."
)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def suggestions_command(
    session: tuple[str, ...],
    server: str | None,
    program: Path | None,
    threads: int,
    rounds: int,
    max_lines: int,
    out: Path | None,
) -> None:
    """Time whole suggestions at places of each SESSION, from the request to the end of the answer.

    The bundled model is compared with llama.cpp, which gets the same weights, prompts and stop rules. llama.cpp runs in
    this process if llama-cpp-python is installed, and as a server with --server or --llama-server.

    The column "same" counts the texts that equal those of the bundled model without its n-gram cache, because llama.cpp
    has no such cache. The last lines count the tokens that are decoded but not offered, with early stop and without.
    """
    from tabspec.lab.measuring import decoding as benchmarks  # imports torch

    benchmarks.set_threads(threads)
    stop = StopRule(
        max_lines, 48 if max_lines == 1 else 160
    )  # 48 is the default of the settings; several lines need more
    ours, plain = _ours(), _ours()
    plain.local.ngram_caches = None
    like = "ours, without the n-gram cache"
    models: dict[str, Model] = {"ours": ours, like: plain}
    places = [place for name in session for place in session_places(read_session(Path(name)))]
    requests = [question(place, ours.info.fingerprint, stop) for place in places]
    with ExitStack() as stack:
        models |= _llama_cpp(stack, program, threads, ours.info.context_tokens)
        if server:
            models[server] = load_model(server)
        results = measure_suggestions(models, requests, rounds, like)
    trimmed = asyncio.run(_trimmed(places, stop))
    click.echo(ours.info.detail)
    _print(results, trimmed, len(requests), threads)
    if out:
        about = {"format": "tabspec-bench-suggestions", "version": 1, "machine": machine(), "git_commit": git_commit()}
        fields = {
            "sessions": list(session),
            "threads": threads,
            "max_lines": max_lines,
            "results": [asdict(result) for result in results],
            "trimmed": {name: {"decoded": each.decoded, "cut": each.cut} for name, each in trimmed.items()},
        }
        out.write_text(json.dumps({**about, **fields}, indent=1) + "\n")


def _ours() -> LocalModel:
    model = load_model(None, device="cpu")
    assert isinstance(model, LocalModel)
    return model


def _llama_cpp(stack: ExitStack, program: Path | None, threads: int, context: int) -> dict[str, Model]:
    """llama.cpp with the bundled model's weights, by name: in this process, and as a server that ``stack`` stops."""
    from tabspec.lab.baselines.llama_cpp import LlamaCppModel, is_installed
    from tabspec.lab.baselines.llama_server import llama_server
    from tabspec.lab.converters.gguf import Weights, export_gguf

    found: dict[str, Model] = {}
    at = Path(stack.enter_context(TemporaryDirectory()))
    for weights in (Weights.Q8_0, Weights.BF16) if is_installed() or program else ():
        file = at / f"{weights}.gguf"
        try:
            export_gguf(BUNDLED, file, weights)
        except (InputError, ModelNotUsable) as error:
            click.echo(f"llama.cpp is left out: {error}", err=True)
            return found
        for flash, how in _FLASH.items() if is_installed() else ():
            name = f"llama.cpp in this process, {weights}{how}"
            found[name] = LlamaCppModel(file, BUNDLED, threads=threads, flash=flash)
        for flash, how in _FLASH.items() if program and weights is Weights.Q8_0 else ():
            assert program is not None
            options = ("-t", str(threads), "-c", str(context), "-fa", "on" if flash else "off", *_NO_STORE)
            url = stack.enter_context(llama_server(program, file, *options))
            found[f"llama-server, {weights}{how}"] = load_model(f"{url}?exact=off&tokenizer={BUNDLED}")
            found[f"llama-server, {weights}{how}, exact"] = load_model(f"{url}?exact=on&tokenizer={BUNDLED}")
    return found


async def _trimmed(places: list[EditContext], stop: StopRule) -> dict[str, Trimmed]:
    found = {}
    for early, name in ((False, "without early stop"), (True, "with")):
        model = _ours()
        found[name] = await measure_trimmed(model, places, stop, early)
        await model.close()
    return found


def _print(results: list[SuggestionsMeasured], trimmed: dict[str, Trimmed], count: int, threads: int) -> None:
    first = results[0]
    rows = [
        [
            r.name,
            f"{r.total_ms:,.0f}",
            f"{r.total_ms / first.total_ms:.2f}",
            f"{r.median_ms:.1f}",
            f"{r.median_ms / first.median_ms:.2f}",
            f"{r.p90_ms:.1f}",
            f"{r.decoded}",
            f"{r.chars}",
            f"{r.same}",
        ]
        for r in results
    ]
    columns = ["model", "all, ms", "ratio", "median", "ratio", "p90", "tokens", "chars", "same"]
    print_table(f"{count} suggestions, {threads} threads", columns, rows)
    for name, each in trimmed.items():
        cuts = "; ".join(f"{cut.value} {number}" for cut, number in each.cut.most_common()) or "none"
        click.echo(f"ours, {name}: {each.decoded} tokens decoded, not offered {each.cut.total()} ({cuts})")
