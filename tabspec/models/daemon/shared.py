"""A model that the daemon runs while there is one, and a worker process of one's own where there is none.

A request that runs when the daemon goes fails, and the next one is answered elsewhere. A worker of one's own is started
by a request only: two hundred editors that lose their daemon must not load two hundred models.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from tabspec.config import DaemonMode
from tabspec.errors import InputError, ModelNotUsable, ModelUnavailable
from tabspec.models.daemon.client import Connection, Lost
from tabspec.models.daemon.place import DaemonFolder, find
from tabspec.models.files.hub import absolute
from tabspec.models.process.worker import WorkerModel, WorkerState
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo
from tabspec.system import processes

log = logging.getLogger(__name__)

# Seconds between two looks for a daemon while there is none: a look is one call of the system.
LOOK_S = 5.0
# A daemon that was just started listens before it loads its model, as soon as Python has come up: 0.5 s, ten times that
# on a busy machine. After that the worker of one's own is started, which loads for 1 to 3 s.
START_S, STEP_S = 5.0, 0.05


class SharedModel:
    """The model ``name``; arguments are those of `WorkerModel`, which this stands in for."""

    warm = True  # as of a worker's
    schedules = True  # the daemon serves all editors by urgency, and so does a worker what one of them asks

    def __init__(
        self,
        name: str | None = None,
        *,
        mode: DaemonMode = DaemonMode.AUTO,
        on_progress: Callable[[WorkerState, str], None] = lambda _state, _detail: None,
        place: DaemonFolder | None = None,
        **worker: Any,
    ) -> None:
        self._name, self._mode, self._on_progress, self._options = name, mode, on_progress, worker
        self._place = place or _place(mode)
        self._connection: Connection | None = None  # the latest
        self._worker: WorkerModel | None = None
        self._info = ModelInfo(name or "bundled", f"not loaded yet: {name or 'bundled'}", 0)
        self._refused: object = None  # the mark of a daemon that has another model
        self._failed_request = False  # since there was a model that answers
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
        if self.shared and self._connection:
            return self._connection.pid
        return self._worker.pid if self._worker else None

    @property
    def shared(self) -> bool:
        """Whether the daemon runs it."""
        return self._connection is not None and not self._connection.gone.done()

    async def start(self) -> ModelInfo:
        """Wait until the model can be used. Raises as `WorkerModel.start`."""
        while True:
            model = await self._model()
            try:
                self._info = await (model.ready() if isinstance(model, Connection) else model.start())
            except Lost:
                continue  # the next one is a worker, or another daemon
            self._failed_request = False
            return self._info

    async def connect(self) -> bool:
        """Connect to a daemon that has this model, if one runs; a worker is not started for it."""
        async with self._changing:
            return self.shared or await self._connect()

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        try:
            model = await self._model()
            if isinstance(model, Connection):
                await model.ready()
            async with aclosing(model.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Lost as lost:
            self._failed_request = True
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

    # --- which one --------------------------------------------------------------------------------------------------

    async def _model(self) -> Connection | WorkerModel:
        """The daemon's, if it is there and has this model, else a worker. A worker that is there already goes on while
        the daemon loads."""
        if self._closed:
            raise ModelUnavailable("the model is closed")
        if self._connection and self.shared and (self._connection.info or self._worker is None):
            return self._connection
        if self._worker:
            return self._worker
        self._on_progress(WorkerState.LOADING, "looking for the daemon")
        async with self._changing:
            hung = self._connection is not None and self._connection.hung  # it would only cost time to ask it again
            if self._worker is None and not self.shared and not hung:
                await self._connect(start=self._mode is DaemonMode.START)
            if self.shared and self._connection:
                return self._connection
            if self._worker is None:
                self._worker = WorkerModel(self._name, on_progress=self._of_worker, **self._options)
                self._look()
            return self._worker

    def _start(self) -> None:
        """A request has failed for lack of a model: have one for the next."""
        if not self._closed and (self._starting is None or self._starting.done()):
            self._starting = asyncio.ensure_future(self._start_quietly())

    async def _start_quietly(self) -> None:
        with contextlib.suppress(ModelUnavailable, ModelNotUsable):  # `on_progress` is called with it
            await self.start()

    async def _connect(self, start: bool = False) -> bool:
        """Connect to a daemon that has this model, if there is one (or one can be started)."""
        if self._place is None:
            return False
        for step in range(round(START_S / STEP_S) if start else 1):
            mark = self._place.mark()
            if mark is not None and mark == self._refused:
                return False
            try:
                self._connection = await Connection.open(self._place, self._name, self._of_daemon)
            except ModelNotUsable as error:
                self._refused = mark
                log.info("%s", error)
                return False
            except TimeoutError:
                log.warning("the daemon does not answer; the model runs in a process of its own")
                return False
            except OSError:
                if start and step == 0:
                    _start_daemon(self._name)
                if start:
                    await asyncio.sleep(STEP_S)  # another process comes up: there is nothing else to wait on
                continue
            self._connection.gone.add_done_callback(lambda _: self._lost())
            return True
        if start:
            log.warning("no daemon came up within %g s; see %s", START_S, self._place.log)
        return False

    def _lost(self) -> None:
        if not self._closed:
            log.info("the daemon is gone")
            self._look()
            if self._worker:
                self._on_progress(self._worker.state, self._worker.detail)
            if self._failed_request:
                self._start()

    def _look(self) -> None:
        """Begin to look for a daemon, unless that is done already."""
        if self._place and not self._closed and (self._looking is None or self._looking.done()):
            self._looking = asyncio.ensure_future(self._keep_looking())

    async def _keep_looking(self) -> None:
        """Until the daemon has the model loaded and the worker of one's own has ended, between two of its requests."""
        while not (self.shared and self._worker is None):
            await asyncio.sleep(LOOK_S)
            if not self.shared and self._place and self._place.mark() is not None:
                async with self._changing:
                    if not self.shared:
                        await self._connect()
            loaded = self.shared and self._connection and self._connection.info
            idle = self._worker and not self._worker.busy and self._worker.state is not WorkerState.LOADING
            if loaded and self._worker and idle:
                worker, self._worker = self._worker, None
                await worker.close()

    def _of_worker(self, state: WorkerState, detail: str) -> None:
        if not self.shared:
            self._on_progress(state, detail)

    def _of_daemon(self, state: WorkerState, detail: str) -> None:
        # While it loads, a worker that is there already goes on.
        if self._worker is None or state is WorkerState.READY:
            self._on_progress(state, detail)


async def connect_if_running(name: str | None) -> SharedModel | None:
    """A model that the daemon runs; None where no daemon runs that has it."""
    model = SharedModel(name)
    if await model.connect():
        with contextlib.suppress(ModelUnavailable, ModelNotUsable):
            await model.start()
            return model
    await model.close()
    return None


def _place(mode: DaemonMode) -> DaemonFolder | None:
    if mode is DaemonMode.OFF:
        return None
    try:
        return find(make=mode is DaemonMode.START)
    except (InputError, OSError) as error:
        log.info("%s", error)
        return None


def _start_daemon(model: str | None) -> None:
    """Start one of its own session, which outlives this process. If another is quicker, it ends by itself."""
    named = absolute(model)
    processes.start(
        processes.python("tabspec", "daemon", "--detached", *(["--model", named] if named else [])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
