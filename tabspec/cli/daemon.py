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
from tabspec.models.files.large import AUTO
from tabspec.system.logs import private_log

# Longer than it takes to close one editor and open another. Overnight, the machine gets its memory back.
_IDLE_S = 600.0


@click.command("daemon")
@click.option("--model", default=AUTO, show_default=True, help="Name or folder of a model.")
@click.option(
    "--idle",
    type=click.FloatRange(0),
    default=_IDLE_S,
    show_default=True,
    help="Stop after so many seconds without a client; 0: never.",
)
@click.option("--threads", type=click.IntRange(1), default=None, help="Largest number of threads of the model.")
@click.option("--status", "what", flag_value="status", help="Print the state of the running daemon, and exit.")
@click.option("--stop", "what", flag_value="stop", help="Stop the running daemon, and exit.")
@click.option("--detached", is_flag=True, hidden=True, help="Started by a client: log to a file.")
def daemon_command(model: str, idle: float, threads: int | None, what: str | None, detached: bool) -> int:
    """Keep one model in memory for all editors of this user, until it is stopped or idle.

    Language servers use it automatically while it runs, if it has the model that they are set to.
    """
    if what:
        return asyncio.run(_ask(find(), what))
    if is_address(model):
        raise click.UsageError("--model: a server is shared already; set its address in the editors")
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
    reply = await ask(place, what)
    if reply is None:
        raise TabspecError(f"no daemon is running ({place.folder})")
    if what == "stop":
        click.echo(f"stopped (process {reply['pid']}, {reply['clients']} clients)")
        return 0
    detail = f": {reply['detail']}" if reply["detail"] else ""
    for name, text in (
        ("model", f"{reply['model']}, {reply['state']}{detail}"),
        ("version", reply["version"]),
        ("processes", f"{reply['pid']} (daemon), {reply['worker'] or 'none'} (model)"),
        ("clients", f"{reply['clients']}, {reply['streams']} requests running or waiting, {reply['requests']} so far"),
        ("up", f"{reply['up_s']} s; stops after {reply['idle_s']:g} s without a client" if reply["idle_s"] else
               f"{reply['up_s']} s; does not stop by itself"),
    ):  # fmt: skip
        click.echo(f"{name:<11}{text}")
    return 0


def _log_to(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)  # the last daemon's log
    handler = logging.StreamHandler(sys.stderr) if file is None else private_log(file)
    logging.basicConfig(handlers=[handler], level="INFO" if file else "WARNING", format="%(asctime)s %(message)s")
