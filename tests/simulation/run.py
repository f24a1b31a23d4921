"""Run seeds of the simulator from the command line: `python -m tests.simulation.run --help`."""

from __future__ import annotations

import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

import click

from .simulator import Report, simulate


@click.command()
@click.option("--seed", default=0, show_default=True, help="The first seed.")
@click.option("--seeds", default=1, show_default=True, help="How many seeds.")
@click.option("--events", default=2000, show_default=True, help="Events of each seed.")
@click.option("--trace", is_flag=True, help="Print everything that happens.")
@click.option("--jobs", default=1, show_default=True, help="Processes, each with seeds of its own.")
def main(seed: int, seeds: int, events: int, trace: bool, jobs: int) -> None:
    """Simulate, and stop at the first seed at which an invariant does not hold."""
    began, done, requests = time.monotonic(), 0, 0
    chosen = range(seed, seed + seeds)
    with ProcessPoolExecutor(jobs) as pool:
        if jobs == 1:
            results = (attempt(number, events, trace) for number in chosen)
        else:
            results = pool.map(attempt, chosen, [events] * seeds, [trace] * seeds, chunksize=10)
        for number, result in zip(chosen, results, strict=True):
            if isinstance(result, str):
                pool.shutdown(cancel_futures=True)
                print(f"{result}\nseed {number} fails", file=sys.stderr)
                sys.exit(1)
            done, requests = done + result.events, requests + result.requests
            if seeds == 1:
                print(result)
            elif (number - seed) % 100 == 99:
                rate = done / (time.monotonic() - began)
                print(f"{done:12,} events, up to seed {number}; {rate:,.0f} a second", flush=True)
    print(f"{done:,} events, {requests:,} requests, no violation, {time.monotonic() - began:.0f} s")


def attempt(seed: int, events: int, trace: bool) -> Report | str:
    """One seed's report, or how it failed."""
    try:
        return simulate(seed, events, print if trace else None)
    except Exception as error:
        return "".join(traceback.format_exception(error))


if __name__ == "__main__":
    main()
