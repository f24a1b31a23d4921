"""`tabspec bench`: measurements that compare side by side in one run. Each is in a file of `tabspec.lab.benches`."""

from __future__ import annotations

import click

from tabspec.cli.lazy import LazyGroup

_BENCHES = "tabspec.lab.benches"
_COMMANDS = {
    "cache": (f"{_BENCHES}.cache:cache_command", "Look-ups in the completion cache."),
    "daemon": (f"{_BENCHES}.daemon:daemon_bench_command", "Many editors on one daemon."),
    "decode": (f"{_BENCHES}.decode:decode_command", "Decode steps and prefill, beside other decoders."),
    "fit": (f"{_BENCHES}.fit:fit_command", "Fitting a suggestion to its place, in a long file."),
    "gpu": (f"{_BENCHES}.gpu:gpu_command", "Decode steps on a GPU, beside what the GPU could do."),
    "http": (f"{_BENCHES}.http:http_bench_command", "What a model server's client adds to the server's time."),
    "kv": (f"{_BENCHES}.decode:kv_command", "Continuing on kept keys and values, beside beginning anew."),
    "lsp": (f"{_BENCHES}.lsp:lsp_bench_command", "The language server over stdio, beside a bare one."),
    "suggestions": (f"{_BENCHES}.suggestions:suggestions_command", "Whole suggestions, beside llama.cpp."),
}


@click.group("bench", cls=LazyGroup, lazy=_COMMANDS)
def bench_group() -> None:
    """Measure; quote medians and ratios of one run, for machines differ and are noisy."""
