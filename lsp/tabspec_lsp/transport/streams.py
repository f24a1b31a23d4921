"""Where bytes come from and go to: standard input and output, or a connection. Nothing here knows LSP.

Output is bounded by flow control: `drain` waits while the other side does not read, and the server reads no
further message in that time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

READ_BYTES = 1 << 16


class Output(Protocol):
    """What messages are written to."""

    def write(self, data: bytes) -> None:
        """Write ``data``, or keep it until the other side reads. Never blocks, never raises."""

    async def drain(self) -> None:
        """Wait until little is kept. Raises `ConnectionError` once the other side is gone."""

    def close(self) -> None:
        """Close, once what is kept has been written."""


Read = Callable[[], Awaitable[bytes]]
"""Reads some bytes; none at the end."""


class PipeOutput(asyncio.Protocol):
    """An `Output` on a pipe, a socket or a character device."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._gone:
            self._transport.write(data)

    async def drain(self) -> None:
        await self._writable.wait()
        if self._gone:
            raise ConnectionResetError("the client has closed its end")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class FileOutput:
    """An `Output` on anything else: a file, or a console of Windows. Writing blocks."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gone = False

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._gone:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError:
                self._gone = True

    async def drain(self) -> None:
        if self._gone:
            raise ConnectionResetError("the output is closed")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)


def take_stdout() -> int:
    """A descriptor of the real standard output, for the protocol alone: from here on everything else that prints
    goes to standard error."""
    fd = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return fd


async def stdio(stdout: int) -> tuple[Read, Output]:
    """Standard input and the descriptor from `take_stdout` as streams."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # its event loop cannot wait for anonymous pipes
        return (lambda: loop.run_in_executor(None, os.read, 0, READ_BYTES)), FileOutput(stdout)
    return await _reader(loop), await _output(loop, stdout)


async def _reader(loop: asyncio.AbstractEventLoop) -> Read:
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
        # A file (`tabspec-lsp < recorded-messages`) or /dev/null: nothing that an event loop can wait for.
        return lambda: loop.run_in_executor(None, os.read, 0, READ_BYTES)
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    return lambda: stream.read(READ_BYTES)


async def _output(loop: asyncio.AbstractEventLoop, fd: int) -> Output:
    try:
        _, output = await loop.connect_write_pipe(PipeOutput, os.fdopen(fd, "wb", buffering=0))
    except ValueError:
        return FileOutput(fd)
    return output
