"""A model that the daemon runs while there is one, and a worker process of one's own where there is none.

A request does not notice the change: what was written when the daemon went is its beginning elsewhere. A worker
of one's own is started by a request only: two hundred editors that lose their daemon must not load two hundred models.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tabspec import processes
from tabspec.config import DaemonMode
from tabspec.errors import InputError, ModelNotUsable, ModelUnavailable
from tabspec.models.daemon.client import Connection, Lost
from tabspec.models.daemon.place import Place, find
from tabspec.models.hub import absolute
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo
from tabspec.models.worker import WorkerModel, WorkerState

log = logging.getLogger(__name__)

# How often somebody with a worker of his own looks whether there is a daemon again: a look is one call of the system.
LOOK_S = 5.0
# A daemon that was just started listens before it loads its model, as soon as Python has come up: 0.5 s, ten times that
# on a busy machine.
START_S, STEP_S = 10.0, 0.05
# Daemons that one request may lose before it is given up.
MOST_LOST = 3


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
        place: Place | None = None,
        **worker: Any,
    ) -> None:
        self._name, self._mode, self._on_progress, self._options = name, mode, on_progress, worker
        self._place = place or _place(mode)
        self._connection: Connection | None = None
        self._worker: WorkerModel | None = None
        self._info = ModelInfo(name or "bundled", f"not loaded yet: {name or 'bundled'}", 0)
        self._refused: object = None  # the mark of a daemon that has another model
        self._changing = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._users: dict[WorkerModel, int] = {}  # streams of each worker
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
                continue
            return self._info

    async def connect(self) -> bool:
        """Connect to a daemon that has this model, if one runs; a worker is not started for it."""
        async with self._changing:
            return self.shared or await self._connect()

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        written = ""
        for _ in range(MOST_LOST):
            try:
                model = await self._model()
                asked = replace(request, resume=request.resume + written)
                async with aclosing(self._read(model, asked)) as chunks:
                    async for chunk in chunks:
                        written += chunk.text
                        yield chunk
                return
            except Lost:
                log.info("the daemon is gone")
            except ModelNotUsable as error:
                raise ModelUnavailable(str(error)) from None
        raise ModelUnavailable("the daemon does not stay alive")

    async def close(self) -> None:
        self._closed = True
        if self._looking:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if self._connection:
            await self._connection.close()
        for worker in {*self._users, *filter(None, [self._worker])}:
            await worker.close()

    async def _read(self, model: Connection | WorkerModel, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if isinstance(model, Connection):
            await model.ready()
        else:
            self._users[model] = self._users.get(model, 0) + 1
        try:
            async with aclosing(model.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            if isinstance(model, WorkerModel):
                self._users[model] -= 1
                await self._retire()

    # --- which one --------------------------------------------------------------------------------------------------

    async def _model(self) -> Connection | WorkerModel:
        """The daemon's, if it is there and has this model, else a worker."""
        if self._closed:
            raise ModelUnavailable("the model is closed")
        async with self._changing:
            if self.shared and self._connection:
                return self._connection
            if self._worker is None and await self._connect(start=self._mode is DaemonMode.START):
                assert self._connection
                return self._connection
            if self._worker is None:
                self._worker = WorkerModel(self._name, on_progress=self._of_worker, **self._options)
                self._look()
            return self._worker

    async def _connect(self, start: bool = False) -> bool:
        """Connect to a daemon that has this model, if there is one (or one can be started)."""
        if self._place is None:
            return False
        for step in range(round(START_S / STEP_S) if start else 1):
            mark = self._place.mark()
            if mark is not None and mark == self._refused:
                return False
            try:
                connection = await Connection.open(self._place, self._name, self._of_daemon)
            except (OSError, TimeoutError):
                if start and step == 0:
                    _start_daemon(self._name)
                if start:
                    await asyncio.sleep(STEP_S)  # another process comes up: there is nothing else to wait on
                continue
            return await self._take(connection, mark)
        if start:
            log.warning("no daemon came up within %g s; see %s", START_S, self._place.log)
        return False

    async def _take(self, connection: Connection, mark: object) -> bool:
        """Whether this daemon is used from now on: it is, unless it refuses, which it does at once."""
        ready = asyncio.ensure_future(connection.ready())
        told = asyncio.ensure_future(connection.answered.wait())
        await asyncio.wait([ready, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if ready.done() and (error := ready.exception()) is not None:
            if isinstance(error, ModelNotUsable):
                self._refused = mark
                log.info("%s", error)
            await connection.close()
            return False
        ready.cancel()
        self._connection = connection
        connection.gone.add_done_callback(lambda _: self._look())
        return True

    def _look(self) -> None:
        """Begin to look for a daemon, unless that is done already."""
        if self._place and not self._closed and (self._looking is None or self._looking.done()):
            self._looking = asyncio.ensure_future(self._keep_looking())

    async def _keep_looking(self) -> None:
        while not self.shared:
            await asyncio.sleep(LOOK_S)
            if self._place is None or self._place.mark() is None:
                continue
            async with self._changing:
                if self.shared or not await self._connect():
                    continue
            with contextlib.suppress(ModelUnavailable, ModelNotUsable):
                assert self._connection
                await self._connection.ready()
            await self._retire()

    async def _retire(self) -> None:
        """End the workers that nobody needs any more, now that there is a daemon."""
        if not self.shared or self._connection is None or self._connection.info is None:
            return
        old, self._worker = self._worker, None
        if old:
            self._users.setdefault(old, 0)
        for worker in [worker for worker, users in self._users.items() if not users]:
            del self._users[worker]
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


def _place(mode: DaemonMode) -> Place | None:
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
