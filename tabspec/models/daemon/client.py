"""The daemon's client: a `Model` that the daemon runs, and requests for its status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from tabspec.errors import ModelNotUsable, ModelUnavailable
from tabspec.models.daemon.place import DaemonFolder, identity
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.messages import Message, from_line, read_info, to_line
from tabspec.models.process.heartbeat import Heartbeat
from tabspec.models.process.streams import Streams, listen
from tabspec.models.process.worker import WorkerState
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo

log = logging.getLogger(__name__)

# Seconds for the daemon's first answer. It is on this machine, and its event loop never computes.
CONNECT_S = 2.0
GONE, SILENT = "the daemon is gone", "the daemon does not answer"


class Lost(ModelUnavailable):
    """The daemon is gone, or does not answer. Another process can run the model."""


class Connection:
    """A connection to the daemon; `open` makes one. ``on_progress`` is called as by `WorkerModel`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_progress: Callable[[WorkerState, str], None],
    ) -> None:
        self._reader, self._writer, self._on_progress = reader, writer, on_progress
        self._streams = Streams(self._write)
        self._heartbeat = Heartbeat(lambda: self._write(to_line("ping")), self._silent_changed)
        self._ready: asyncio.Future[ModelInfo] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.info: ModelInfo | None = None
        self.pid: int | None = None
        self._progress = (WorkerState.LOADING, "")  # the daemon's last report on its model
        self.hung = False  # it is gone because the daemon did not answer
        self._answered = asyncio.Event()
        self.gone = asyncio.create_task(self._live())

    @classmethod
    async def open(
        cls, place: DaemonFolder, model: str | None, on_progress: Callable[[WorkerState, str], None]
    ) -> Connection:
        """Connect, ask for ``model``, and wait for the first answer. Raises OSError if no daemon is there, TimeoutError
        if it does not answer, `ModelNotUsable` if it refuses."""
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await place.open()
            writer.write(to_line("load", identity=identity(model)))
            connection = cls(reader, writer, on_progress)
            try:
                await connection._answered.wait()
                if connection._ready.done():
                    await connection._ready
            except Lost as lost:
                raise ConnectionError(str(lost)) from None
            except BaseException:
                await connection.close()
                raise
        return connection

    async def ready(self) -> ModelInfo:
        """Wait until its model is loaded. Raises `ModelNotUsable` if it refuses, `Lost` if it is gone."""
        return await asyncio.shield(self._ready)

    async def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]:
        """As `Model.stream`; raises `Lost` if the daemon is gone or does not answer."""
        if self.gone.done():
            raise Lost(GONE)
        if self._heartbeat.silent:
            raise Lost(SILENT)
        self._heartbeat.expect()
        async with aclosing(self._streams.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        self.gone.cancel()
        await asyncio.wait([self.gone])
        self._writer.close()

    async def _live(self) -> None:
        """Read, until the daemon is gone or has not answered for too long."""

        def waits() -> bool:
            return len(self._streams) > 0 or not self._ready.done()

        try:
            # The daemon itself never loads anything.
            self.hung = await listen(self._reader, self._heartbeat, self._handle, waits, loading=lambda: False)
        except ConnectionError:
            pass  # the daemon was killed
        except Exception:
            log.exception("the daemon wrote a line that cannot be understood; it is left")
        finally:
            lost = Lost(SILENT if self.hung else GONE)
            self._streams.fail(lost)
            if not self._ready.done():
                self._ready.set_exception(lost)
            self._answered.set()
            # Not `close`: that would keep what a hung daemon has not read.
            self._writer.transport.abort()

    def _silent_changed(self, silent: bool) -> None:
        if silent:
            self._on_progress(WorkerState.LOADING, SILENT)
            self._streams.fail(Lost(SILENT))
        else:
            self._on_progress(*self._progress)

    def _handle(self, message: Message) -> None:
        match message["op"]:
            case "chunk" | "error":
                self._streams.handle(message)
            case "loading":
                self._progress = (WorkerState.LOADING, message["detail"])
                self._on_progress(*self._progress)
            case "ready":
                self.info, self.pid = read_info(message["info"]), message["pid"]
                if not self._ready.done():
                    self._ready.set_result(self.info)
                self._progress = (WorkerState.READY, self.info.detail)
                self._on_progress(*self._progress)
            case "failed" if not self._ready.done():
                self._ready.set_exception(ModelNotUsable(message["message"]))
        self._answered.set()

    def _write(self, line: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(line)


async def ask(place: DaemonFolder, op: str) -> dict[str, Any] | None:
    """The daemon's answer to ``status`` or ``stop``; None if there is no daemon. Raises `ModelUnavailable` if it
    refuses or does not answer."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await place.open()
            try:
                writer.write(to_line(op))
                answer = from_line(await reader.readline())
            finally:
                writer.close()
    except TimeoutError:
        raise ModelUnavailable(f"{SILENT}: its process may be stopped; end it (kill -9) or let it go on") from None
    except (OSError, ValueError):
        return None
    if answer.pop("op") == "failed":
        raise ModelUnavailable(f"the daemon refuses: {answer['message']}")
    return answer
