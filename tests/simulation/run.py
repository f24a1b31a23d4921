"""Run seeds of the simulator from the command line: `python -m tests.simulation.run --help`."""

from __future__ import annotations

import sys
import time
import traceback

import click

from .simulator import Report, simulate


@click.command()
@click.option("--seed", default=0, show_default=True, help="The first seed.")
@click.option("--seeds", default=1, show_default=True, help="How many seeds.")
@click.option("--events", default=2000, show_default=True, help="Events of each seed.")
@click.option("--trace", is_flag=True, help="Print everything that happens.")
def main(seed: int, seeds: int, events: int, trace: bool) -> None:
    """Simulate, and stop at the first seed at which an invariant does not hold."""
    began, done = time.monotonic(), 0
    reports: list[Report] = []
    for number in range(seed, seed + seeds):
        try:
            reports.append(simulate(number, events, print if trace else None))
        except BaseException as error:
            traceback.print_exception(error)
            print(f"\nseed {number} fails", file=sys.stderr)
            sys.exit(1)
        done += reports[-1].events
        if seeds == 1:
            print(reports[-1])
        elif number % 100 == 99:
            print(f"{done:,} events in {time.monotonic() - began:.0f} s, seed {number}", flush=True)
    seconds = time.monotonic() - began
    print(
        f"{done:,} events, {sum(r.requests for r in reports):,} requests, no violation; {done / seconds:,.0f} events/s"
    )


if __name__ == "__main__":
    main()
