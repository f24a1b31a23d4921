"""Language servers, each in a separate process on real pipes, forked from one that has imported everything.

To start Python and import lsprotocol takes 0.4 s of a processor, a fork 0.02 s, and most tests of the server are about
what it says once it is up. How it starts and ends is tested on processes that are started as an editor does it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

# What a server with a scripted model imports, by and by.
PRELOADED = (
    "tabspec_lsp.main",
    "tabspec.engine.engine",
    "tabspec.ignore",
    "tabspec.models.daemon.shared",
    "tabspec.models.scripted.file",
)
# Arguments and environment of one server.
_MOST_BYTES = 1 << 17


class Forked:
    """A server's process: of what `asyncio.create_subprocess_exec` gives, as much as the tests use."""

    stderr = None  # the tests' own

    def __init__(
        self, pid: int, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader, ended: asyncio.StreamReader
    ) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._ended = asyncio.ensure_future(self._wait(ended))
        self.returncode: int | None = None

    @classmethod
    async def start(cls, arguments: Sequence[str], environment: Mapping[str, str]) -> Forked:
        """Start ``tabspec-lsp`` with these arguments."""
        its_input, stdin = os.pipe()
        stdout, its_output = os.pipe()
        ended, told = os.pipe()
        order = json.dumps([list(arguments), dict(environment)]).encode()
        socket.send_fds(_mother(), [order], [its_input, its_output, 2, told])
        for fd in (its_input, its_output, told):
            os.close(fd)
        end = await _reader(ended)
        pid = int(await end.readline())
        return cls(pid, await _writer(stdin), await _reader(stdout), end)

    async def wait(self) -> int:
        """The exit code once it has ended, as `subprocess` tells it."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    async def _wait(self, ended: asyncio.StreamReader) -> int:
        self.returncode = os.waitstatus_to_exitcode(int(await ended.readline()))
        return self.returncode


async def _reader(fd: int) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    pipe = os.fdopen(fd, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
    return stream


async def _writer(fd: int) -> asyncio.StreamWriter:
    loop, pipe = asyncio.get_running_loop(), os.fdopen(fd, "wb", buffering=0)
    # Its reader is never read: the protocol is there for the writer's flow control.
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), pipe
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


# --- the mother -------------------------------------------------------------------------------------------------------


@cache
def _mother() -> socket.socket:
    """A line to the process that forks; it ends when the tests do."""
    ours, hers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.Popen([sys.executable, __file__, str(hers.fileno())], pass_fds=[hers.fileno()])
    hers.close()
    return ours


def fork_for_ever(orders: socket.socket) -> None:
    """Fork a server for each order: arguments and environment; standard input, output and error, and where to tell its
    process id and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children that watch a server need not be waited for
    while True:
        order, fds, _, _ = socket.recv_fds(orders, _MOST_BYTES, 4)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _watch(*json.loads(order), *fds)
        for fd in fds:
            os.close(fd)


def _watch(arguments: list[str], environment: dict[str, str], stdin: int, stdout: int, stderr: int, told: int) -> None:
    """Fork once more, tell of it, and wait for its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        for fd, number in ((stdin, 0), (stdout, 1), (stderr, 2)):
            os.dup2(fd, number)
            os.close(fd)
        os.environ.clear()
        os.environ.update(environment)
        _serve(arguments)
    for fd in (0, 1, stdin, stdout, stderr):  # else no reader would ever see the end of what the server writes
        os.close(fd)
    os.write(told, b"%d\n" % pid)
    os.write(told, b"%d\n" % os.waitpid(pid, 0)[1])
    os._exit(0)


def _serve(arguments: list[str]) -> None:
    from tabspec_lsp.main import main

    code = 1
    try:
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for module in PRELOADED:
        import_module(module)
    gc.freeze()
    fork_for_ever(socket.socket(fileno=int(sys.argv[1])))
