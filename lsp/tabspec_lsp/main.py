"""The command `tabspec-lsp`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tabspec import __version__
from tabspec_lsp.streams import stdio, take_stdout

_LEVELS = ("error", "warning", "info", "debug")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server and exit with its code."""
    options = parser().parse_args(arguments)
    stdout = take_stdout()
    _log_to(options.log_file, options.log_level)
    raise SystemExit(asyncio.run(_run(options, stdout)))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="tabspec-lsp",
        description="The language server of tabspec: inline completions, the next one ready before Tab is pressed.",
    )
    how = new.add_mutually_exclusive_group()
    how.add_argument("--stdio", action="store_true", help="talk over standard input and output (the default)")
    how.add_argument("--tcp", type=int, metavar="PORT", help="wait for one client on this port of 127.0.0.1 (0: any)")
    new.add_argument("--model", default="", metavar="MODEL", help="the model; scripted:FILE.json answers from a script")
    new.add_argument("--record", type=Path, metavar="DIR", help="record editing sessions into this folder")
    new.add_argument("--log-file", type=Path, metavar="FILE", help="log to this file instead of standard error")
    new.add_argument("--log-level", choices=_LEVELS, default="warning", help="how much is logged (warning)")
    new.add_argument("--version", action="version", version=f"tabspec-lsp {__version__}")
    return new


async def _run(options: argparse.Namespace, stdout: int) -> int:
    from tabspec_lsp.options import Options
    from tabspec_lsp.server import TabspecServer

    settings, problems = Options().updated({"model": options.model})
    assert not problems, "any string names a model, if only one that does not exist"
    recorder = _recorder(options.record)
    if options.tcp is None:
        return await TabspecServer(settings, recorder).serve(*await stdio(stdout))
    result = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening.close()
        result.set_result(await _serve_connection(TabspecServer(settings, recorder), reader, writer))

    try:
        listening = await asyncio.start_server(connected, "127.0.0.1", options.tcp)
    except OSError as error:
        print(f"tabspec-lsp: port {options.tcp} cannot be used ({error.strerror})", file=sys.stderr)
        return 2
    print(f"listening on 127.0.0.1:{listening.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    return await result


async def _serve_connection(server, reader, writer) -> int:  # type: ignore[no-untyped-def]
    from tabspec_lsp.streams import READ_BYTES

    return await server.serve(lambda: reader.read(READ_BYTES), writer)


def _recorder(folder: Path | None):  # type: ignore[no-untyped-def]
    if folder is None:
        return None
    from tabspec_lsp.recorder import Recorder

    try:
        return Recorder(folder)
    except OSError as error:
        print(f"tabspec-lsp: --record {folder}: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None


def _log_to(file: Path | None, level: str) -> None:
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        try:
            handler = logging.FileHandler(file, encoding="utf-8")
        except OSError as error:
            print(f"tabspec-lsp: --log-file {file}: {error.strerror}", file=sys.stderr)
            raise SystemExit(2) from None
    logging.basicConfig(
        handlers=[handler], level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if level != "debug":
        # pygls logs whole messages, and with them the user's text.
        logging.getLogger("pygls").setLevel(logging.ERROR)


if __name__ == "__main__":
    main()
