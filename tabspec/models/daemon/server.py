"""The daemon: one worker process behind a socket, for all clients that want its model.

It imports no torch, so it answers while the model computes, and survives the death of the worker process. Messages and
serving loop are the worker's (`tabspec.models.messages`, `tabspec.models.process.serving`), for many clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator, Hashable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from tabspec import __version__
from tabspec.errors import ModelNotUsable, ModelUnavailable
from tabspec.models.daemon.place import identity
from tabspec.models.daemon.private import NotOurs, check_peer
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.messages import LONGEST_LINE, Message, answer_line, info_fields, take, to_line
from tabspec.models.process.lines import READ_BYTES, MessageParser, Unreadable
from tabspec.models.process.serving import Serving
from tabspec.models.process.worker import WorkerModel, WorkerState
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, slots_of

log = logging.getLogger(__name__)

# A client sends its first line at once. It names a model: a path of at most 4 KB, six bytes for each of its characters
# when JSON escapes them.
HELLO_S, HELLO_BYTES = 5.0, 1 << 15
# An engine has a few requests open at a time (its slots). A client with this many is broken.
MOST_STREAMS = 64
# Bytes that a client has not read yet. A suggestion has a few kilobytes: a client that stops reading is disconnected.
MOST_UNREAD = 1 << 20


_Messages = AsyncGenerator[Message | Unreadable, None]


@dataclass(eq=False)
class _Client:
    number: int
    writer: asyncio.StreamWriter

    def write(self, line: bytes) -> None:
        transport = self.writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MOST_UNREAD:
            log.warning("client %d does not read: its connection is closed", self.number)
            transport.abort()
            return
        self.writer.write(line)


class Daemon:
    """Serves ``model`` (as for `WorkerModel`, whose ``options`` and ``command`` the further arguments are) until it is
    stopped, has had no client for ``idle`` seconds (0: never), or the model turns out not to be usable."""

    def __init__(self, model: str | None, *, idle: float = 0.0, **worker: Any) -> None:
        self._identity, self._idle = identity(model), idle
        self._model = WorkerModel(model, on_progress=self._progress, **worker)
        self._clients: dict[int, _Client] = {}
        self._numbers = itertools.count(1)
        self._info: ModelInfo | None = None
        self._stopped = asyncio.Event()
        self._idler: asyncio.TimerHandle | None = None
        self._began, self._served, self._why = time.monotonic(), 0, ""
        self._handlers: set[asyncio.Task[None]] = set()
        self._serving = Serving(self._model, self._send, at_once=1, whose=itemgetter(0))

    async def run(self, listening: socket.socket) -> None:
        """Serve. Raises `ModelNotUsable` if the model is not."""
        server = await asyncio.start_unix_server(self._connected, sock=listening)
        self._maybe_idle()
        loading = asyncio.create_task(self._load())
        try:
            await self._stopped.wait()
        finally:
            server.close()
            loading.cancel()
            for task in list(self._handlers):
                task.cancel()
            await asyncio.gather(loading, *self._handlers, return_exceptions=True)
            await self._model.close()
        if self._why:
            raise ModelNotUsable(self._why)

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    # --- the model --------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        with contextlib.suppress(ModelNotUsable, ModelUnavailable):  # `_progress` is called with it
            await self._model.start()

    def _progress(self, state: WorkerState, detail: str) -> None:
        if state is WorkerState.LOADING:
            self._info = None
        elif state is WorkerState.READY:
            self._info = self._model.info
            self._serving.at_once = slots_of(self._model)  # known only now
        elif state is WorkerState.FAILED:
            self._why = detail
            self.stop()
        for client in list(self._clients.values()):
            self._send_state(client)

    def _send_state(self, client: _Client) -> None:
        """Send the model's state."""
        state, detail = self._model.state, self._model.detail
        if state is WorkerState.READY and self._info:
            client.write(to_line("ready", info=info_fields(self._info), pid=self._model.pid))
        elif state is WorkerState.FAILED:
            client.write(to_line("failed", message=detail))
        elif state is not WorkerState.CLOSED:
            client.write(to_line("loading", detail=detail))

    def _send(self, number: Hashable, what: Chunk | Exception) -> None:
        assert isinstance(number, tuple)
        if (client := self._clients.get(number[0])) is not None:
            client.write(answer_line(number[1], what))

    # --- clients ----------------------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._handlers.add(task)
        try:
            check_peer(writer.get_extra_info("socket"))
            parser = MessageParser(HELLO_BYTES)
            messages = _messages(reader, parser)
            async with asyncio.timeout(HELLO_S):
                hello = await anext(messages, None)
            if hello is None or isinstance(hello, Unreadable):
                raise ValueError(hello.problem if hello else "it ended")
            parser.limit = LONGEST_LINE
            await self._greet(hello, messages, writer)
        except NotOurs as error:
            log.warning("a connection was closed: %s", error)
        except (TimeoutError, ValueError, KeyError, TypeError, OSError) as error:
            log.info("a connection was closed: %s", type(error).__name__)
        except asyncio.CancelledError:
            pass  # by `run`, at its end: asyncio's server would log it as an error
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _greet(self, hello: Message, messages: _Messages, writer: asyncio.StreamWriter) -> None:
        match hello["op"]:
            case "status":
                writer.write(to_line("status", **self.status()))
            case "stop":
                writer.write(to_line("status", **self.status()))
                self.stop()
            case "load" if hello["identity"] == self._identity:
                await self._serve(messages, writer)
            case "load":
                mine, yours = self._identity, hello["identity"]
                named = f"{mine['model']} of tabspec {mine['version']}"
                same = isinstance(yours, dict) and all(mine[key] == yours.get(key) for key in ("model", "version"))
                other = "; a file of it has changed" if same else ""
                writer.write(to_line("failed", message=f"the daemon serves {named}{other}"))

    async def _serve(self, messages: _Messages, writer: asyncio.StreamWriter) -> None:
        client = _Client(next(self._numbers), writer)
        self._clients[client.number] = client
        self._maybe_idle()
        self._send_state(client)
        try:
            async for message in messages:
                self._take(client, message)
        finally:
            del self._clients[client.number]
            self._serving.leave(client.number)
            self._maybe_idle()

    def _take(self, client: _Client, message: Message | Unreadable) -> None:
        def start(number: int, request: GenerationRequest | EditRequest) -> None:
            if self._serving.count(client.number) >= MOST_STREAMS:
                client.write(answer_line(number, ModelUnavailable("too many requests at a time")))
                return
            self._serving.start((client.number, number), request)
            self._served += 1

        def cancel(number: int) -> None:
            self._serving.cancel((client.number, number))

        dropped = message.problem if isinstance(message, Unreadable) else take(message, client.write, cancel, start)
        if dropped:
            log.warning("client %d: a message was dropped: %s", client.number, dropped)

    def _maybe_idle(self) -> None:
        """Start or stop the timer that ends an idle daemon."""
        if self._idler:
            self._idler.cancel()
            self._idler = None
        if self._idle and not self._clients:
            self._idler = asyncio.get_running_loop().call_later(self._idle, self.stop)

    def status(self) -> dict[str, Any]:
        """What ``--status`` shows."""
        return {
            "pid": os.getpid(),
            "worker": self._model.pid,
            "version": __version__,
            "model": self._identity["model"],
            "state": self._model.state.value,
            "detail": self._model.detail,
            "clients": len(self._clients),
            "streams": len(self._serving),
            "requests": self._served,
            "up_s": round(time.monotonic() - self._began),
            "idle_s": self._idle,
        }


async def _messages(reader: asyncio.StreamReader, parser: MessageParser) -> _Messages:
    """What arrives on a connection, to its end."""
    while data := await reader.read(READ_BYTES):
        for message in parser.feed(data):
            yield message
