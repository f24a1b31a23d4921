"""The daemon from outside: a `Model` that it runs, and questions about itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from tabspec.errors import ModelNotUsable, ModelUnavailable
from tabspec.models.daemon.place import Place, identity
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo
from tabspec.models.streams import Streams
from tabspec.models.wire import Message, from_line, read_info, to_line
from tabspec.models.worker import WorkerState

# A daemon is on this machine and does nothing that takes long.
CONNECT_S = 2.0


class Lost(ModelUnavailable):
    """The daemon is gone. Its model is not: another process can run it."""


class Connection:
    """A connection to the daemon; `open` makes one. ``on_progress`` is told as by `WorkerModel`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_progress: Callable[[WorkerState, str], None],
    ) -> None:
        self._reader, self._writer, self._on_progress = reader, writer, on_progress
        self._streams = Streams(self._write)
        self._ready: asyncio.Future[ModelInfo] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.info: ModelInfo | None = None
        self.pid: int | None = None
        self.answered = asyncio.Event()  # it has said something: it serves this model, if it has not refused
        self.gone = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, place: Place, model: str | None, on_progress: Callable[[WorkerState, str], None]) -> Connection:
        """Connect, and ask for ``model``. Raises OSError if no daemon is there; whether it serves this model, `ready`
        tells."""
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await place.open()
        writer.write(to_line("load", identity=identity(model)))
        return cls(reader, writer, on_progress)

    async def ready(self) -> ModelInfo:
        """Wait until its model is loaded. Raises `ModelNotUsable` if it refuses, `Lost` if it goes."""
        return await asyncio.shield(self._ready)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """As `Model.stream`; raises `Lost` where the daemon goes meanwhile."""
        if self.gone.done():
            raise Lost("the daemon is gone")
        async with aclosing(self._streams.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        self.gone.cancel()
        await asyncio.wait([self.gone])
        self._writer.close()

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._hear(from_line(line))
                self.answered.set()
        except (ConnectionError, ValueError, KeyError, TypeError):
            pass  # whatever it says now, it is no daemon of ours any more
        finally:
            lost = Lost("the daemon is gone")
            self._streams.fail(lost)
            if not self._ready.done():
                self._ready.set_exception(lost)
            self._writer.close()

    def _hear(self, message: Message) -> None:
        match message["op"]:
            case "chunk" | "error":
                self._streams.hear(message)
            case "loading":
                self._on_progress(WorkerState.LOADING, message["detail"])
            case "ready":
                self.info, self.pid = read_info(message["info"]), message["pid"]
                if not self._ready.done():
                    self._ready.set_result(self.info)
                self._on_progress(WorkerState.READY, self.info.detail)
            case "failed" if not self._ready.done():
                self._ready.set_exception(ModelNotUsable(message["message"]))

    def _write(self, line: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(line)


async def ask(place: Place, op: str) -> dict[str, Any] | None:
    """What the daemon answers to ``status`` or ``stop``; None if there is none."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await place.open()
            try:
                writer.write(to_line(op))
                answer = from_line(await reader.readline())
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return None
    if answer.pop("op") == "failed":
        raise ModelUnavailable(f"the daemon refuses: {answer['message']}")
    return answer
