"""A machine without processes: workers that load and decode in virtual time, and at most one daemon, which the real
`Daemon` is, that comes, goes, and freezes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tabspec.errors import ModelUnavailable
from tabspec.models.daemon import server, shared
from tabspec.models.daemon.server import Daemon
from tabspec.models.process.worker import WorkerState
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo

from .model import SteppingModel
from .pipes import End, connection

MODEL, OTHER = "model", "another-model"


class SimulatedWorker:
    """Stands in for `WorkerModel`."""

    warm = schedules = True

    def __init__(
        self,
        machine: Machine,
        on_progress: Callable[[WorkerState, str], None] = lambda _state, _detail: None,
    ) -> None:
        self._machine, self._on_progress = machine, on_progress
        self._model = machine.model(machine.step)
        self.info = ModelInfo("stepping", "not loaded", 0)
        self.state, self.detail, self.pid = WorkerState.IDLE, "", 1
        self._loading: asyncio.Task[None] | None = None
        self._requests = 0
        machine.workers.append(self)

    @property
    def busy(self) -> bool:
        return self._requests > 0

    async def start(self) -> ModelInfo:
        self._open()
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        await asyncio.wait([self._loading])
        self._open()
        return self.info

    def _open(self) -> None:
        if self.state is WorkerState.CLOSED:
            raise ModelUnavailable("the model is closed")

    async def _load(self) -> None:
        self._change(WorkerState.LOADING, "loading")
        await asyncio.sleep(self._machine.load)
        self.info = self._model.info
        self._change(WorkerState.READY, "ready")

    def _change(self, state: WorkerState, detail: str) -> None:
        self.state, self.detail = state, detail
        self._on_progress(state, detail)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        self._requests += 1
        try:
            await self.start()
            async with aclosing(self._model.stream(request)) as chunks:
                async for chunk in chunks:
                    self._open()
                    yield chunk
        finally:
            self._requests -= 1

    async def close(self) -> None:
        if self.state is not WorkerState.CLOSED:
            self._machine.workers.remove(self)
        self._change(WorkerState.CLOSED, "")
        if self._loading:
            self._loading.cancel()
            await asyncio.wait([self._loading])


class _Listening:
    """What `asyncio.start_unix_server` returns."""

    sockets = ()

    def close(self) -> None:
        return None

    async def wait_closed(self) -> None:
        return None


class Process:
    """A daemon: the real one, reached by pipes. ``frozen`` holds whatever it reads and writes."""

    def __init__(self, machine: Machine, model: str) -> None:
        self.frozen = False
        self.ends: list[End] = []  # the server's
        self._machine = machine
        self.daemon = Daemon(model)
        self._worker = machine.workers[-1]  # which the daemon has made
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.daemon.run(None)  # type: ignore[arg-type]
        finally:
            self.gone()

    def connect(self, reads: Callable[[], bool] = lambda: True) -> End:
        """The client's end of a new connection."""
        client, ours = connection(lambda: not self.frozen, reads)
        self.ends = [end for end in self.ends if end.open] + [ours]
        # (The reader and the writer of the daemon's end.)
        self._machine.go(self._machine.handlers[self.daemon](ours.reader, ours))
        return client

    def thaw(self) -> None:
        self.frozen = False
        for end in self.ends:
            end.flush()
            end.peer.flush()

    def gone(self) -> None:
        """It is not there any more, in an orderly way or not."""
        if self._machine.process is self:
            self._machine.process = None
        for end in self.ends:
            end.break_off()

    async def kill(self) -> None:
        self.gone()
        self._running.cancel()
        await asyncio.wait([self._running])
        await self._worker.close()  # it ends with its parent, however that ended


class Machine:
    """Where daemon and editors run: stands in for `Place`. ``load`` and ``step`` are seconds; ``go`` runs a connection,
    and takes an error of it for a violation. ``model`` makes what answers in a worker, from ``step``."""

    address = None
    log = folder = Path("daemon")

    def __init__(
        self, go: Callable[[Any], object], load: float, step: float, model: Callable[[float], Any] = SteppingModel
    ) -> None:
        self.go, self.model = go, model
        self.load, self.step = load, step
        self.workers: list[SimulatedWorker] = []
        self.handlers: dict[Daemon, Callable[..., Any]] = {}
        self.process: Process | None = None
        self._started = 0

    def start(self, model: str = MODEL) -> None:
        """Start a daemon."""
        self._started += 1
        self.process = Process(self, model)

    # --- as a place -------------------------------------------------------------------------------------------------

    def mark(self) -> object:
        return self._started if self.process else None

    async def open(self) -> tuple[asyncio.StreamReader, Any]:
        if self.process is None or self.process.daemon not in self.handlers:
            raise ConnectionRefusedError
        end = self.process.connect()
        return end.reader, end

    def token(self) -> str:
        return ""

    # --- in place of processes and sockets --------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this is open, workers and daemons are those of this machine."""

        async def listen(handler: Any, **_: Any) -> _Listening:
            self.handlers[handler.__self__] = handler
            return _Listening()

        machine = self

        class Worker(SimulatedWorker):
            def __init__(self, _name: str | None = None, **options: Any) -> None:
                super().__init__(machine, options.get("on_progress", lambda _state, _detail: None))

        with (
            patch.object(server, "WorkerModel", Worker),
            patch.object(shared, "WorkerModel", Worker),
            patch.object(asyncio, "start_unix_server", listen),
            patch.object(server, "check_peer", lambda _socket: None, create=True),  # of a socket: here are none
        ):
            yield
