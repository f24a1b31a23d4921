"""`tabspec bench`: measurements that compare side by side in one run."""

from __future__ import annotations

import click

from tabspec.lab.benches.cache import cache_command
from tabspec.lab.benches.daemon import daemon_bench_command
from tabspec.lab.benches.decode import decode_command, kv_command
from tabspec.lab.benches.gpu import gpu_command
from tabspec.lab.benches.http import http_bench_command
from tabspec.lab.benches.lsp import lsp_bench_command
from tabspec.lab.benches.suggestions import suggestions_command


@click.group("bench")
def bench_group() -> None:
    """Measure; quote medians and ratios of one run, for machines differ and are noisy."""


bench_group.add_command(cache_command)
bench_group.add_command(daemon_bench_command)
bench_group.add_command(decode_command)
bench_group.add_command(http_bench_command)
bench_group.add_command(gpu_command)
bench_group.add_command(kv_command)
bench_group.add_command(lsp_bench_command)
bench_group.add_command(suggestions_command)
