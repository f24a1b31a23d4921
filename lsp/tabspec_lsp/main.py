"""The command `tabspec-lsp`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tabspec import __version__
from tabspec.system import processes
from tabspec.system.logs import private_log
from tabspec.system.quoted import QuotelessFormatter
from tabspec_lsp.options import Options
from tabspec_lsp.server import TabspecServer
from tabspec_lsp.transport.streams import READ_BYTES, stdio, take_stdout

if TYPE_CHECKING:
    from tabspec_lsp.state.recorder import Recorder

_LEVELS = ("error", "warning", "info", "debug")


def main(arguments: Sequence[str] | None = None, prog: str = "tabspec-lsp") -> None:
    """Run the server, and exit with its exit code."""
    processes.guard()
    options = parser(prog).parse_args(arguments)
    stdout = take_stdout()
    _log_to(options.log_file, options.log_level)
    raise SystemExit(asyncio.run(_run(options, stdout)))


def parser(prog: str = "tabspec-lsp") -> argparse.ArgumentParser:
    """The parser of the command line."""
    new = argparse.ArgumentParser(
        prog=prog,
        formatter_class=partial(argparse.HelpFormatter, width=100),  # as wide as in docs/reference/commands.md
        description="The language server of tabspec: inline completions, the next one ready before Tab is pressed.",
    )
    how = new.add_mutually_exclusive_group()
    how.add_argument("--stdio", action="store_true", help="use standard input and output (the default)")
    how.add_argument("--tcp", type=int, metavar="PORT", help="wait for one client on this port of 127.0.0.1 (0: any)")
    new.add_argument(
        "--model",
        default="",
        metavar="MODEL",
        help="a folder, a name on the Hugging Face Hub, or a server's http://HOST:PORT; scripted:FILE.json answers "
        "from a script (default: auto, which is bundled, with edits by large if that is installed and fast enough)",
    )
    new.add_argument("--record", type=Path, metavar="DIR", help="record editing sessions into this folder")
    new.add_argument("--log-file", type=Path, metavar="FILE", help="log to this file instead of standard error")
    new.add_argument("--log-level", choices=_LEVELS, default="warning", help="lowest level that is logged (warning)")
    new.add_argument("--version", action="version", version=f"tabspec-lsp {__version__}")
    return new


async def _run(options: argparse.Namespace, stdout: int) -> int:
    """Serve one client and return the exit code."""
    settings, problems = Options().updated({"model": options.model})
    assert not problems, "any string is a valid model name"
    recorder = _recorder(options.record)
    if options.tcp is None:
        return await TabspecServer(settings, recorder).serve(*await stdio(stdout))
    connection = await _first_connection(options.tcp)
    if connection is None:
        return 2
    reader, writer = connection
    return await TabspecServer(settings, recorder).serve(lambda: reader.read(READ_BYTES), writer)


async def _first_connection(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """Wait for a client on this machine. Prints an error and returns None if the port cannot be used."""
    connected = asyncio.get_running_loop().create_future()

    def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connected.done():
            writer.close()
        else:
            connected.set_result((reader, writer))

    try:
        listening = await asyncio.start_server(first, "127.0.0.1", port)
    except (OSError, OverflowError) as error:
        print(f"tabspec-lsp: port {port} cannot be used ({error})", file=sys.stderr)
        return None
    print(f"listening on 127.0.0.1:{listening.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] = await connected
    listening.close()
    return connection


def _recorder(folder: Path | None) -> Recorder | None:
    if folder is None:
        return None
    from tabspec_lsp.state.recorder import Recorder

    try:
        return Recorder(folder)
    except OSError as error:
        reason = "it is a file; name a folder" if isinstance(error, FileExistsError) else error.strerror
        print(f"tabspec-lsp: --record {folder}: {reason}", file=sys.stderr)
        raise SystemExit(2) from None


def _log_to(file: Path | None, level: str) -> None:
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        try:
            handler = private_log(file)
        except OSError as error:
            print(f"tabspec-lsp: --log-file {file}: {error.strerror}", file=sys.stderr)
            raise SystemExit(2) from None
    handler.setFormatter(QuotelessFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper())
    for name in ("httpx", "httpcore"):  # they log what servers answer, and what is sent
        logging.getLogger(name).setLevel(logging.WARNING)
    if level != "debug":
        # pygls logs whole messages, and with them the user's text.
        logging.getLogger("pygls").setLevel(logging.ERROR)


if __name__ == "__main__":
    main()
