"""A model that runs in the daemon if there is one, else in a worker process of this client.

`SharedModel` is always in one of these states; `_current` is the model that answers:

    daemon   worker    answers   what comes next
    none     none      nothing   a request connects to a daemon, or starts a worker
    none     running   worker    every few seconds it looks for a daemon
    loading  none      daemon
    loading  running   worker    the worker answers until the daemon has loaded the model
    loaded   running   daemon    the worker ends as soon as it is idle
    loaded   none      daemon

When the daemon is lost, its requests fail, and the next request is answered elsewhere. Only requests start a worker:
two hundred idle editors that lose their daemon must not load two hundred models.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from tabspec.config import DaemonMode
from tabspec.errors import ModelNotUsable, ModelUnavailable
from tabspec.models.daemon.client import Connection, Lost
from tabspec.models.daemon.finder import DaemonFinder
from tabspec.models.daemon.place import DaemonFolder
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.process.worker import WorkerModel, WorkerState
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo

log = logging.getLogger(__name__)

# Seconds between two looks for a daemon while there is none: a look is one call of the system.
LOOK_S = 5.0


class SharedModel:
    """The model ``name``; arguments are those of `WorkerModel`, which this stands in for."""

    warm = True  # as a worker's model is
    schedules = True  # daemon and worker put foreground requests first

    def __init__(
        self,
        name: str | None = None,
        *,
        mode: DaemonMode = DaemonMode.AUTO,
        on_progress: Callable[[WorkerState, str], None] = lambda _state, _detail: None,
        place: DaemonFolder | None = None,
        **worker: Any,
    ) -> None:
        self._name, self._on_progress, self._options = name, on_progress, worker
        self._finder = DaemonFinder(name, mode, place)
        self._connection: Connection | None = None  # the latest, which may be gone
        self._worker: WorkerModel | None = None
        self._info = ModelInfo(name or "bundled", f"not loaded yet: {name or 'bundled'}", 0)
        self._needed = False  # a request has failed since a model was ready
        self._changing = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def info(self) -> ModelInfo:
        """Of the model that answers, or answered last."""
        found = self._connection and self._connection.info
        return found or (self._worker and self._worker.info) or self._info

    @property
    def pid(self) -> int | None:
        """The process that the model is in, while there is one."""
        if daemon := self._daemon:
            return daemon.pid
        return self._worker.pid if self._worker else None

    @property
    def shared(self) -> bool:
        """Whether the daemon runs it."""
        return self._daemon is not None

    async def start(self) -> ModelInfo:
        """Wait until the model can be used. Raises as `WorkerModel.start`."""
        while True:
            model = await self._model()
            try:
                self._info = await (model.ready() if isinstance(model, Connection) else model.start())
            except Lost:
                continue  # the next one is a worker, or another daemon
            self._needed = False
            return self._info

    async def connect(self) -> bool:
        """Connect to a daemon that has this model, if one runs. Starts no worker."""
        async with self._changing:
            if not self.shared:
                await self._connect()
            return self.shared

    async def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]:
        try:
            model = await self._model()
            if isinstance(model, Connection):
                await model.ready()
            async with aclosing(model.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Lost as lost:
            self._needed = True
            if not self.shared:
                self._start()
            raise ModelUnavailable(str(lost)) from None
        except ModelNotUsable as error:
            raise ModelUnavailable(str(error)) from None

    async def close(self) -> None:
        self._closed = True
        for task in filter(None, (self._looking, self._starting)):
            task.cancel()
            await asyncio.wait([task])
        if self._connection:
            await self._connection.close()
        if self._worker:
            await self._worker.close()

    # --- which model answers ------------------------------------------------------------------------------------------

    @property
    def _daemon(self) -> Connection | None:
        """The connection, while it lasts."""
        return self._connection if self._connection and not self._connection.gone.done() else None

    @property
    def _current(self) -> Connection | WorkerModel | None:
        """What answers now, by the table above."""
        daemon = self._daemon
        return daemon if daemon and (daemon.info or self._worker is None) else self._worker

    async def _model(self) -> Connection | WorkerModel:
        """What answers; a daemon is looked for and a worker is started if there is none."""
        if self._closed:
            raise ModelUnavailable("the model is closed")
        if current := self._current:
            return current
        self._on_progress(WorkerState.LOADING, "looking for the daemon")
        async with self._changing:
            hung = self._connection is not None and self._connection.hung  # asking it again would only cost time
            if self._current is None and not hung:
                await self._connect(may_start=True)
            if self._closed:
                raise ModelUnavailable("the model is closed")
            if self._current is None:
                self._worker = WorkerModel(self._name, on_progress=self._worker_progress, **self._options)
                self._look()
            assert self._current is not None
            return self._current

    async def _connect(self, may_start: bool = False) -> None:
        find = self._finder.connect_or_start if may_start else self._finder.connect
        if connection := await find(self._daemon_progress):
            if self._closed:  # in the meantime; `close` did not see this connection
                await connection.close()
                return
            self._connection = connection
            connection.gone.add_done_callback(self._lost)

    def _lost(self, _: object) -> None:
        if self._closed:
            return
        log.info("the daemon is gone")
        self._look()
        if self._worker:
            self._on_progress(self._worker.state, self._worker.detail)
        if self._needed:
            self._start()

    def _start(self) -> None:
        """A request has failed because the daemon was lost: load a model for the next request."""
        if not self._closed and (self._starting is None or self._starting.done()):
            self._starting = asyncio.ensure_future(self._start_quietly())

    async def _start_quietly(self) -> None:
        with contextlib.suppress(ModelUnavailable, ModelNotUsable):  # `on_progress` has reported it
            await self.start()

    def _look(self) -> None:
        """Begin to look for a daemon, unless that is done already."""
        if self._finder.enabled and not self._closed and (self._looking is None or self._looking.done()):
            self._looking = asyncio.ensure_future(self._keep_looking())

    async def _keep_looking(self) -> None:
        """Look for a daemon, until it has loaded the model and the worker has ended."""
        while self._worker or not self.shared:
            await asyncio.sleep(LOOK_S)
            if not self.shared and self._finder.appeared():
                async with self._changing:
                    if not self.shared:
                        await self._connect()
            worker, daemon = self._worker, self._daemon
            if worker and daemon and daemon.info and not worker.busy and worker.state is not WorkerState.LOADING:
                self._worker = None
                await worker.close()

    def _worker_progress(self, state: WorkerState, detail: str) -> None:
        if not self.shared:
            self._on_progress(state, detail)

    def _daemon_progress(self, state: WorkerState, detail: str) -> None:
        if self._worker is None or state is WorkerState.READY:  # else the worker answers while the daemon loads
            self._on_progress(state, detail)


async def connect_if_running(name: str | None) -> SharedModel | None:
    """A model that the daemon runs; None if no daemon runs that has it."""
    model = SharedModel(name)
    if await model.connect():
        with contextlib.suppress(ModelUnavailable, ModelNotUsable):
            await model.start()
            return model
    await model.close()
    return None
