"""`tabspec bench`: measurements that compare side by side in one run."""

from __future__ import annotations

import click

from tabspec.cli.bench_cache import cache_command
from tabspec.cli.bench_decode import decode_command, kv_command
from tabspec.cli.bench_lsp import lsp_bench_command
from tabspec.cli.bench_suggestions import suggestions_command


@click.group("bench")
def bench_group() -> None:
    """Measure; quote medians and ratios of one run, for machines differ and are noisy."""


bench_group.add_command(cache_command)
bench_group.add_command(decode_command)
bench_group.add_command(kv_command)
bench_group.add_command(lsp_bench_command)
bench_group.add_command(suggestions_command)
