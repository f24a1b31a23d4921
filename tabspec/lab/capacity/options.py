"""The options of `tabspec replay --users`. What they do is in `tabspec.lab.capacity.crowds`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from tabspec.config import Policy
from tabspec.errors import InputError

USUAL_POLICIES = (Policy.NONE, Policy.DEPTH1, Policy.CHAIN, Policy.ADAPTIVE)
"""Policies compared by default with --users: no speculation, one step, deep without a price, deep with a price."""
# A simulated user takes about half a megabyte.
MOST_USERS = 20_000

F = TypeVar("F", bound=Callable[..., Any])


def with_users(command: F) -> F:
    """Add the options of --users to a command."""
    options = (
        click.option(
            "--users",
            multiple=True,
            type=click.IntRange(1, MOST_USERS),
            metavar="N",
            help="Simulate N users at the same time. May be repeated.",
        ),
        click.option(
            "--service",
            default="bundled-2-cores",
            show_default=True,
            metavar="NAME|FILE",
            help="With --users: measured speed of a server (docs/guide/cluster.md).",
        ),
        click.option(
            "--servers",
            default="auto",
            show_default=True,
            metavar="N|auto",
            help="With --users: number of servers, or as few as keep the bound.",
        ),
        click.option(
            "--bound-ms",
            type=click.FloatRange(1),
            # The 90th percentile of the gaps between two keys of a burst (under 2 s) is 247 ms in the one shipped
            # recording with true times (vscode-ts-customized-tests, 569 gaps; median 91 ms): after a longer
            # wait, nine of ten answers come too late, because the next key has been pressed.
            default=250,
            show_default=True,
            help="With --users: upper bound for 90 % of the foreground waits.",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(1),
            default=60,
            show_default=True,
            help="With --users: length of the part of its session that each user plays.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_users(crowd: dict[str, Any], latencies: Sequence[str]) -> None:
    """Raise `InputError` for options that exclude each other."""
    servers = crowd["servers"]
    if servers != "auto" and not (servers.isdecimal() and 1 <= int(servers) <= MOST_USERS):
        raise InputError(f"--servers {servers}: give a number from 1 to {MOST_USERS}, or auto")
    if crowd["users"] and latencies:
        raise InputError("--latency is for one user; with --users, --service gives the speed of servers")
