"""The options of `tabspec replay --users`. What they do is in `tabspec.lab.capacity.crowds`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from tabspec.config import Policy
from tabspec.errors import InputError

USUAL_POLICIES = (Policy.NONE, Policy.DEPTH1, Policy.CHAIN, Policy.ADAPTIVE)
"""What speculation costs the others: none, one step, deep without a price, and with one."""
# Where all of them are played (--clock wall, or on few servers) a user takes about half a megabyte.
MOST_USERS = 20_000

F = TypeVar("F", bound=Callable[..., Any])


def with_users(command: F) -> F:
    """The options of many users."""
    options = (
        click.option(
            "--users",
            multiple=True,
            type=click.IntRange(1, MOST_USERS),
            metavar="N",
            help="Play N users at once; may be given several times.",
        ),
        click.option(
            "--service",
            default="bundled-2-cores",
            show_default=True,
            metavar="NAME|FILE",
            help="With --users: what a server can do, measured (docs/guide/cluster.md).",
        ),
        click.option(
            "--servers",
            default="auto",
            show_default=True,
            metavar="N|auto",
            help="With --users: so many servers, or as few as keep the bound.",
        ),
        click.option(
            "--bound-ms",
            type=click.FloatRange(1),
            # The 90th percentile of the gaps between two keys of a burst (under 2 s) is 247 ms in the one shipped
            # recording with true times (vscode-ts-customized-tests, 569 gaps; median 91 ms): nine of ten times the
            # next key is there before a later answer, so that only who has paused sees that.
            default=250,
            show_default=True,
            help="With --users: what 90 % of the foreground's waits must stay below.",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(1),
            default=60,
            show_default=True,
            help="With --users: how long a part of its session each user plays.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_users(crowd: dict[str, Any], latencies: Sequence[str]) -> None:
    """Raises `InputError` for options that do not go together."""
    servers = crowd["servers"]
    if servers != "auto" and not (servers.isdecimal() and 1 <= int(servers) <= MOST_USERS):
        raise InputError(f"--servers {servers}: give a number from 1 to {MOST_USERS}, or auto")
    if crowd["users"] and latencies:
        raise InputError("--latency is for one user; what servers can do is told by --service")
