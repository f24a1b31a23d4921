"""`tabspec daemon`: one model in memory for all editors of this user."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import click

from tabspec.errors import TabspecError
from tabspec.models.address import is_address
from tabspec.models.daemon.client import ask
from tabspec.models.daemon.place import DaemonFolder, find
from tabspec.models.daemon.server import Daemon
from tabspec.system.logs import private_log

# Closing one window and opening another takes less; a machine left alone overnight gets its memory back.
_IDLE_S = 600.0


@click.command("daemon")
@click.option("--model", default=None, help="Name or folder of a model; the bundled one if none is named.")
@click.option(
    "--idle",
    type=click.FloatRange(0),
    default=_IDLE_S,
    show_default=True,
    help="Seconds without any client after which it ends; 0: never.",
)
@click.option("--threads", type=click.IntRange(1), default=None, help="Threads of the model at most.")
@click.option("--status", "what", flag_value="status", help="Tell of the daemon that runs, and end.")
@click.option("--stop", "what", flag_value="stop", help="End the daemon that runs.")
@click.option("--detached", is_flag=True, hidden=True, help="Started by a client: log to a file.")
def daemon_command(model: str | None, idle: float, threads: int | None, what: str | None, detached: bool) -> int:
    """Keep one model in memory for any number of editors, until it is stopped or no editor is left.

    Language servers connect to it by themselves while it runs, if it has the model that they want.
    """
    if what:
        return asyncio.run(_ask(find(), what))
    if model and is_address(model):
        raise click.UsageError("--model: a server is shared already; give its address to the editors")
    place = find(make=True)
    with place.owned() as listening:
        _log_to(place.log if detached else None)
        daemon = Daemon(model, idle=idle, threads=threads)
        if not detached:
            click.echo(f"listening on {place.socket}", err=True)
        asyncio.run(_run(daemon, listening))
    return 0


async def _run(daemon: Daemon, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, daemon.stop)
    await daemon.run(listening)


async def _ask(place: DaemonFolder, what: str) -> int:
    told = await ask(place, what)
    if told is None:
        raise TabspecError(f"no daemon is running ({place.folder})")
    if what == "stop":
        click.echo(f"stopped (process {told['pid']}, {told['clients']} clients)")
        return 0
    detail = f": {told['detail']}" if told["detail"] else ""
    for name, text in (
        ("model", f"{told['model']}, {told['state']}{detail}"),
        ("version", told["version"]),
        ("processes", f"{told['pid']} (daemon), {told['worker'] or 'none'} (model)"),
        ("clients", f"{told['clients']}, {told['streams']} requests running or in line, {told['requests']} so far"),
        ("up", f"{told['up_s']} s; ends after {told['idle_s']:g} s without a client" if told["idle_s"] else
               f"{told['up_s']} s; does not end by itself"),
    ):  # fmt: skip
        click.echo(f"{name:<11}{text}")
    return 0


def _log_to(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)  # what the last one said
    handler = logging.StreamHandler(sys.stderr) if file is None else private_log(file)
    logging.basicConfig(handlers=[handler], level="INFO" if file else "WARNING", format="%(asctime)s %(message)s")
