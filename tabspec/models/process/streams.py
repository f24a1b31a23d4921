"""The client's side of the protocol: numbered streams over one connection, to a worker process or the daemon."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable

from tabspec.errors import ModelError
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.messages import Message, read_chunk, read_error, request_line, to_line
from tabspec.models.process.heartbeat import Heartbeat
from tabspec.models.process.lines import READ_BYTES, MessageParser, Unreadable
from tabspec.models.protocol import Chunk, GenerationRequest


class Streams:
    """The open streams. ``write`` sends a line to the server."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._arriving: dict[int, asyncio.Queue[Chunk | ModelError]] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._arriving)

    async def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]:
        """Send ``request``, and yield its chunks. Closing the generator before the end cancels the request."""
        number = next(self._numbers)
        arriving = self._arriving[number] = asyncio.Queue()
        self._write(request_line(number, request))
        ended = False
        try:
            while not ended:
                what = await arriving.get()
                ended = isinstance(what, ModelError) or what.finish is not None
                if isinstance(what, ModelError):
                    raise what
                yield what
        finally:
            del self._arriving[number]
            if not ended:
                self._write(to_line("cancel", id=number))

    def handle(self, message: Message) -> None:
        """Handle a ``chunk`` or an ``error``. No effect if its stream has been closed."""
        if (arriving := self._arriving.get(message["id"])) is not None:
            arriving.put_nowait(read_chunk(message) if message["op"] == "chunk" else read_error(message))

    def fail(self, error: ModelError) -> None:
        """End all streams with this error, and cancel them, in case the server is only slow."""
        for number, arriving in self._arriving.items():
            arriving.put_nowait(error)
            self._write(to_line("cancel", id=number))


async def listen(
    reader: asyncio.StreamReader,
    heartbeat: Heartbeat,
    handle: Callable[[Message], None],
    busy: Callable[[], bool],
    loading: Callable[[], bool],
) -> bool:
    """Handle the server's messages until the connection ends. True: it has not ended, but the server is dead, by
    `Heartbeat.watch` with ``busy`` and ``loading``. Raises `ValueError` for a line that is no message, and the errors
    of ``handle``."""
    watching = asyncio.create_task(heartbeat.watch(busy, loading))
    reading = asyncio.create_task(_read(reader, heartbeat, handle))
    try:
        await asyncio.wait([reading, watching], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            return True
        await reading
        return False
    finally:
        reading.cancel()
        watching.cancel()


async def _read(reader: asyncio.StreamReader, heartbeat: Heartbeat, handle: Callable[[Message], None]) -> None:
    parser = MessageParser()
    while data := await reader.read(READ_BYTES):
        heartbeat.received()
        for message in parser.feed(data):
            if isinstance(message, Unreadable):
                raise ValueError(message.problem)
            handle(message)
