"""`tabspec bench cache`: the time of a look-up in the completion cache, by document size and number of entries."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tabspec.cache.completion_cache import CompletionCache, Entry
from tabspec.context import EditContext
from tabspec.suggestion import Finish, GeneratedText
from tabspec.system.tables import print_table
from tabspec.text import Document

_CHARS = (1_000, 10_000, 100_000, 1_000_000)
_ENTRIES = (10, 100, 1_000, 10_000)
_LINE = "    result = total(items) + offset  # a line of code\n"
_URI = "file:///bench.py"
_SCOPE = ("model", 0, -1)


@click.command("cache")
@click.option("--rounds", type=click.IntRange(10), default=300, show_default=True, help="Look-ups for each figure.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def cache_command(rounds: int, out: Path | None) -> None:
    """Time look-ups in the completion cache: exact hits, type-through hits and misses.

    Type-through hits are timed in the worst case: up to 64 entries have a cursor shortly before the one looked up.
    """
    results = list(measure(rounds, random.Random(0)))
    columns = ["document", "entries", "exact p50", "p99", "type-through p50", "p99", "miss p50", "p99"]
    rows = [
        [f"{r['chars']:,}", f"{r['entries']:,}"]
        + [f"{r[kind][p]:.0f}" for kind in ("exact", "type_through", "miss") for p in ("p50", "p99")]
        for r in results
    ]
    print_table("A look-up in the completion cache, microseconds", columns, rows)
    if out:
        out.write_text(json.dumps({"format": "tabspec-bench-cache", "version": 1, "results": results}, indent=1) + "\n")


def measure(rounds: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield one result for each document size and number of entries. Times are in microseconds."""
    for chars in _CHARS:
        text = (_LINE * (chars // len(_LINE) + 1))[:chars]
        offset = chars * 3 // 4
        here = EditContext(Document(_URI, text), offset)
        wrote = Entry(GeneratedText(text[offset : offset + 64] + "tail", Finish.END))
        beginnings = [wrote.generated.text[: 1 + i % 60] for i in range(rounds)]
        for entries in _ENTRIES:
            cache = CompletionCache(max_bytes=1 << 30)
            for i in range(entries):
                cache.put(_place(text, offset, i, rng), _SCOPE, wrote)
            cache.put(here, _SCOPE, wrote)
            yield {
                "chars": chars,
                "entries": entries,
                "exact": _time(cache, [here] * rounds, hit=True),
                "type_through": _time(cache, [here.after_typing(typed) for typed in beginnings], hit=True),
                "miss": _time(cache, [here.after_typing(f"~{i}") for i in range(rounds)], hit=False),
            }


def _place(text: str, offset: int, i: int, rng: random.Random) -> EditContext:
    """The state of entry ``i``.

    Up to 64 entries have the suffix of the look-up, and a cursor at most 64 characters before it. The others have
    another text and a random cursor.
    """
    if i < 128 and i % 2 == 0:
        near = offset - 64 + i // 2
        return EditContext(Document(_URI, text[:near] + text[offset:]), near)
    return EditContext(Document(_URI, text + str(i)), rng.randrange(len(text)))


def _time(cache: CompletionCache, states: list[EditContext], hit: bool) -> dict[str, float]:
    """The p50 and p99 of the look-up time over ``states``, in microseconds.

    ``hit`` is whether each look-up must find an entry.
    """
    taken = []
    for context in states:
        started = time.perf_counter()
        found = cache.lookup(context, _SCOPE)
        taken.append((time.perf_counter() - started) * 1e6)
        assert (found is not None) == hit
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}
