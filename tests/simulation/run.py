"""Run seeds of the simulator from the command line: `python -m tests.simulation.run --help`.

Needs nothing but what the engine and the language server import: it runs on any machine with Python and many cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import Pool

from . import simulator
from .edits.layer import EditsLayer
from .edits.shared import SharedLayer
from .layers import layer as layers
from .layers.daemon import DaemonLayer
from .layers.http import HttpLayer
from .layers.lsp import LspLayer
from .layers.serving import ServingLayer
from .simulator import simulate

Report = simulator.Report | layers.Report
Outcome = tuple[int, Report | str]  # a seed, and its report or how it failed

_LAYERS = (ServingLayer, DaemonLayer, HttpLayer, LspLayer, EditsLayer, SharedLayer)
LAYERS: dict[str, type[layers.Layer]] = {each.name: each for each in _LAYERS}
ENGINE = "engine"


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and stop at the first seed at which an invariant does not hold: 1 then, else 0."""
    options = _options(arguments)
    first, last = options.seeds or (options.seed, options.seed)
    began, done, requests, seeds = time.monotonic(), 0, 0, last - first + 1
    told = began
    for number, (seed, result) in enumerate(_outcomes(range(first, last + 1), options), 1):
        if isinstance(result, str):
            print(f"{result}\nseed {seed} fails; {done:,} events before it held", file=sys.stderr)
            return 1
        done, requests = done + result.events, requests + result.requests
        if seeds == 1:
            print(result)
        elif time.monotonic() > told + 10:
            told = time.monotonic()
            print(f"{done:12,} events, {number} of {seeds} seeds; {done / (told - began):,.0f} a second", flush=True)
    took = time.monotonic() - began
    print(
        f"{done:,} events, {requests:,} requests, seeds {first}..{last}, no violation; {took:.0f} s, "
        f"{done / took:,.0f} events a second, {options.processes} processes, Python {platform.python_version()}"
    )
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=main.__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=0, help="one seed (default: 0)")
    which.add_argument("--seeds", type=_seeds, metavar="A..B", help="the seeds from A to B, both included")
    parser.add_argument("--events", type=int, default=2000, help="events of each seed (default: 2000)")
    parser.add_argument("--processes", type=_processes, default=1, metavar="N", help="processes; 0: one a core")
    parser.add_argument("--trace", action="store_true", help="print everything that happens (one process)")
    parser.add_argument(
        "--layer", choices=[ENGINE, *LAYERS], default=ENGINE, help="what is simulated (default: engine)"
    )
    options = parser.parse_args(arguments)
    if options.trace and options.processes > 1:
        parser.error("--trace: the processes would write over each other; use one")
    return options


def _seeds(text: str) -> tuple[int, int]:
    first, dots, last = text.partition("..")
    if not (dots and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form A..B with A <= B")
    return int(first), int(last)


def _processes(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes")
    return int(text) or os.cpu_count() or 1


def _outcomes(seeds: range, options: argparse.Namespace) -> Iterator[Outcome]:
    """Each seed's outcome: in order with one process, else as they come."""
    run = partial(attempt, events=options.events, trace=options.trace, layer=options.layer)
    if options.processes == 1:
        yield from map(run, seeds)
        return
    with Pool(options.processes) as pool:  # leaving it ends the processes
        yield from pool.imap_unordered(run, seeds)


def attempt(seed: int, events: int, trace: bool, layer: str = ENGINE) -> Outcome:
    """One seed's report, or how it failed."""
    try:
        note = print if trace else None
        return seed, simulate(seed, events, note) if layer == ENGINE else layers.simulate(
            LAYERS[layer], seed, events, note
        )
    except Exception as error:
        return seed, "".join(traceback.format_exception(error))


if __name__ == "__main__":
    sys.exit(main())
