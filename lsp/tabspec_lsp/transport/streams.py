"""Streams of bytes: standard input and output, or a connection.

Flow control bounds the memory of unsent output: `drain` waits while the client does not read, and the server reads no
further message in that time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

READ_BYTES = 1 << 16


class Output(Protocol):
    """Receives the messages to the client. `asyncio.StreamWriter` is one."""

    def write(self, data: bytes) -> None:
        """Write ``data``, or buffer it until the client reads."""

    async def drain(self) -> None:
        """Wait until the buffer is short. Raises `ConnectionError` if the client has closed its end."""

    def close(self) -> None:
        """Close, after the buffer has been written."""


Read = Callable[[], Awaitable[bytes]]
"""Reads some bytes; none at the end."""


class FileOutput:
    """An `Output` to a file, or to a console of Windows. Writing blocks; errors are raised by `drain`."""

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
    """A descriptor of standard output, for the protocol alone. Everything else that prints goes to standard
    error from now on."""
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
        # The event loop cannot wait for a file (`tabspec-lsp < recorded-messages`) or /dev/null.
        return lambda: loop.run_in_executor(None, os.read, 0, READ_BYTES)
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    return lambda: stream.read(READ_BYTES)


async def _output(loop: asyncio.AbstractEventLoop, fd: int) -> Output:
    try:
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(fd, "wb", buffering=0)
        )
    except ValueError:  # not a pipe, a socket or a character device
        return FileOutput(fd)
    return asyncio.StreamWriter(transport, protocol, None, loop)
