"""The server's model: loaded in the background, and replaced when the setting changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from pathlib import Path

from tabspec.config import DaemonMode
from tabspec.errors import ModelUnavailable, TabspecError
from tabspec.models.protocol import Model

log = logging.getLogger(__name__)


class ModelState(StrEnum):
    """State of the model. The values are part of `tabspec/status`."""

    NONE = "none"  # no model is set
    LOADING = "loading"
    READY = "ready"
    UNUSABLE = "unusable"  # `ModelHost.detail` has the reason


Report = Callable[[ModelState, str, float | None], None]
"""Receives the state of a model, also after it was opened: state, a short description, and percent if known."""

Open = Callable[[str, Report, DaemonMode], Awaitable[Model]]
"""Opens the model of a specification, in the daemon if the mode allows it. Raises `TabspecError` if that fails."""


class ModelHost:
    """Holds at most one model.

    ``changed`` is called when the state or the progress of loading has changed. ``released`` is awaited before a model
    is closed, and returns when nothing uses it any more.
    """

    def __init__(self, open_model: Open, changed: Callable[[], None], released: Callable[[], Awaitable[None]]) -> None:
        self.spec: str | None = None
        self._daemon = DaemonMode.AUTO
        self.state = ModelState.NONE
        self.detail = ""
        self.percent: float | None = None
        self.model: Model | None = None
        self._open, self._changed, self._released = open_model, changed, released
        self._settled = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None  # closes earlier models
        self._number = 0  # counts opened models

    def load(self, spec: str, daemon: DaemonMode = DaemonMode.AUTO) -> None:
        """Replace the model. Returns at once; `settled` waits until the new one is loaded."""
        if (spec, daemon) == (self.spec, self._daemon):
            return
        model, self.model = self.model, None
        self.spec, self._daemon = spec, daemon
        self._become(ModelState.LOADING)
        self._ending = asyncio.create_task(self._end(self._ending, self._stop_loading(), model))
        self._loading = asyncio.create_task(self._load(spec, self._ending))

    async def settled(self, patience: float) -> bool:
        """Wait until loading has ended, at most ``patience`` seconds. Returns whether the model can be used."""
        if not self._settled.is_set() and patience > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._settled.wait()
        return self.state is ModelState.READY

    async def close(self) -> None:
        """Stop loading and close the model."""
        model, self.model, self.spec = self.model, None, None
        self.state, self._number = ModelState.NONE, -1
        await self._end(self._ending, self._stop_loading(), model)

    def _stop_loading(self) -> asyncio.Task[None] | None:
        """Cancel loading: now, before it can set a model, and once, because then it closes its own model."""
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
        return loading

    async def _end(
        self, ending: asyncio.Task[None] | None, loading: asyncio.Task[None] | None, model: Model | None
    ) -> None:
        """Close ``model``, after the tasks ``ending`` and ``loading``.

        Must not be cancelled: a model that is not closed to the end keeps its process.
        """
        if loading is not None:
            await asyncio.wait([loading])
        if ending is not None:
            await asyncio.wait([ending])
        await self._released()
        if model is not None:
            await model.close()

    async def _load(self, spec: str, ending: asyncio.Task[None]) -> None:
        await asyncio.wait([ending])
        self._number += 1
        try:
            self.model = await self._open(spec, partial(self._report, self._number), self._daemon)
        except TabspecError as error:
            self._become(ModelState.UNUSABLE, str(error))
        except Exception as error:
            log.exception("loading the model failed")
            self._become(ModelState.UNUSABLE, f"loading the model failed: {type(error).__name__}: {error}")
        else:
            self._become(ModelState.READY, self.model.info.detail or self.model.info.name)

    def _report(self, number: int, state: ModelState, detail: str, percent: float | None = None) -> None:
        # Reports of replaced models are ignored. `_load` decides whether a model that is being opened can be used.
        if number == self._number and (self.model is not None or state is ModelState.LOADING):
            self._become(state, detail, percent)

    def _become(self, state: ModelState, detail: str = "", percent: float | None = None) -> None:
        self.state, self.detail, self.percent = state, detail, percent
        if state is ModelState.LOADING:
            self._settled.clear()
        else:
            self._settled.set()
        self._changed()


async def open_model(spec: str, report: Report, daemon: DaemonMode = DaemonMode.AUTO) -> Model:
    """Open the model of a ``--model`` specification.

    It is a script (``scripted:FILE``), a server (``http://…``), or a model that `tabspec.models.load` can load: that of
    the daemon, or one in a process of its own.
    """
    if spec.startswith(("http://", "https://")):
        return await _open_server(spec)
    # Imported here so that `initialize` is answered without them.
    from tabspec.models.daemon.shared import SharedModel
    from tabspec.models.files.large import AUTO
    from tabspec.models.process.worker import WorkerState
    from tabspec.models.scripted.file import SCHEME, read_script

    if spec.startswith(SCHEME):
        script, seconds = read_script(Path(spec.removeprefix(SCHEME)))
        await _pretend_to_load(seconds, report)
        return script
    states = {
        WorkerState.LOADING: ModelState.LOADING,
        WorkerState.READY: ModelState.READY,
        WorkerState.FAILED: ModelState.UNUSABLE,
    }

    def progress(state: WorkerState, detail: str) -> None:
        if state in states:
            report(states[state], detail, None)

    model = SharedModel(spec or AUTO, mode=daemon, on_progress=progress)
    try:
        await model.start()
    except BaseException:  # also if it is cancelled because the setting has changed
        await model.close()
        raise
    return model


async def _open_server(url: str) -> Model:
    """Connect to a server. If it is not running yet, each request tries again."""
    from tabspec.models.http import HttpModel  # imports httpx

    model = HttpModel(url)
    try:
        await model.connect()
    except ModelUnavailable as error:
        log.warning("%s", error)
    except BaseException:
        await model.close()
        raise
    return model


async def _pretend_to_load(seconds: float, report: Report) -> None:
    steps = 10
    for step in range(steps if seconds else 0):
        report(ModelState.LOADING, "the script", 100.0 * step / steps)
        await asyncio.sleep(seconds / steps)
