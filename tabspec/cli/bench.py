"""`tabspec bench`: measurements. Each is in a file of `tabspec.lab.benches`."""

from __future__ import annotations

import click

from tabspec.cli.lazy import LazyGroup

_BENCHES = "tabspec.lab.benches"
_COMMANDS = {
    "cache": (f"{_BENCHES}.cache:cache_command", "Look-ups in the completion cache."),
    "daemon": (f"{_BENCHES}.daemon:daemon_bench_command", "Many editors on one daemon."),
    "decode": (f"{_BENCHES}.decode:decode_command", "Decode steps and prefill, compared with other decoders."),
    "edit-waits": (f"{_BENCHES}.edit_waits:edit_waits_command", "From Tab to what follows a next edit."),
    "fit": (f"{_BENCHES}.fit:fit_command", "Post-processing of a suggestion in a long file."),
    "gpu": (f"{_BENCHES}.gpu:gpu_command", "Decode steps on a GPU, compared with its limits."),
    "http": (f"{_BENCHES}.http:http_bench_command", "Time that the HTTP client adds to a model server's."),
    "kv": (f"{_BENCHES}.decode:kv_command", "Prompts that continue a kept KV cache, and new ones."),
    "kv-heads": (f"{_BENCHES}.kv_heads:kv_heads_command", "Models that differ in their number of key-value heads."),
    "lsp": (f"{_BENCHES}.lsp:lsp_bench_command", "The language server over stdio, and a bare one."),
    "models": (f"{_BENCHES}.models:models_command", "Models of different size, with and without speculation."),
    "suggestions": (f"{_BENCHES}.suggestions:suggestions_command", "Whole suggestions, compared with llama.cpp."),
}


@click.group("bench", cls=LazyGroup, lazy=_COMMANDS)
def bench_group() -> None:
    """Measure speed. Compare only figures of one run: machines differ and are noisy."""
