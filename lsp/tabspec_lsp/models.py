"""The model behind the server: loaded in the background, replaced when the setting changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from tabspec.errors import ModelNotUsable, TabspecError
from tabspec.models.protocol import Model
from tabspec.models.scripted_file import SCHEME, read_script

log = logging.getLogger(__name__)

Report = Callable[[str, float | None], None]
"""Told what loading is at: a few words, and percent where that is known."""

Open = Callable[[str, Report], Awaitable[Model]]
"""Opens the model of a specification. Raises `TabspecError` where that cannot be done."""


class ModelState(StrEnum):
    """Where the model is; the values are part of `tabspec/status`."""

    NONE = "none"  # not asked for yet
    LOADING = "loading"
    READY = "ready"
    UNUSABLE = "unusable"  # `ModelHost.detail` says why


class ModelHost:
    """Holds at most one model.

    ``changed`` is called whenever the state or what loading says has changed; ``released`` is awaited before a
    model is closed, so that nothing uses it any more.
    """

    def __init__(self, open_model: Open, changed: Callable[[], None], released: Callable[[], Awaitable[None]]) -> None:
        self.spec: str | None = None
        self.state = ModelState.NONE
        self.detail = ""
        self.percent: float | None = None
        self.model: Model | None = None
        self._open, self._changed, self._released = open_model, changed, released
        self._settled = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None

    def load(self, spec: str) -> None:
        """Make this the model, in place of the one before. Returns at once; `settled` tells when it is there."""
        if spec == self.spec:
            return
        before, self.model = (self._loading, self.model), None
        self.spec = spec
        self._settled.clear()
        self._become(ModelState.LOADING)
        self._loading = asyncio.create_task(self._load(spec, *before))

    async def settled(self, patience: float) -> bool:
        """Wait until loading has come to an end, at most ``patience`` seconds. Whether there is a model then."""
        if not self._settled.is_set() and patience > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._settled.wait()
        return self.model is not None

    async def close(self) -> None:
        """Stop loading and close the model."""
        model, self.model, self.spec = self.model, None, None
        self.state = ModelState.NONE
        await self._end(self._loading, model)

    async def _end(self, loading: asyncio.Task[None] | None, model: Model | None) -> None:
        if loading is not None:
            loading.cancel()
            await asyncio.wait([loading])
        await self._released()
        if model is not None:
            await model.close()

    async def _load(self, spec: str, loading: asyncio.Task[None] | None, model: Model | None) -> None:
        await self._end(loading, model)
        try:
            self.model = await self._open(spec, self._report)
        except TabspecError as error:
            self._become(ModelState.UNUSABLE, str(error))
        except Exception as error:
            log.exception("loading the model failed")
            self._become(ModelState.UNUSABLE, f"loading the model failed: {type(error).__name__}: {error}")
        else:
            self._become(ModelState.READY, self.model.info.name)

    def _report(self, detail: str, percent: float | None = None) -> None:
        self.percent = percent
        self._become(ModelState.LOADING, detail)

    def _become(self, state: ModelState, detail: str = "") -> None:
        self.state, self.detail = state, detail
        if state is not ModelState.LOADING:
            self.percent = None
            self._settled.set()
        self._changed()


async def open_model(spec: str, report: Report) -> Model:
    """The model of a ``--model`` specification."""
    if spec.startswith(SCHEME):
        model, seconds = read_script(Path(spec.removeprefix(SCHEME)))
        steps = 10
        for step in range(steps if seconds else 0):
            report("the script", 100.0 * step / steps)
            await asyncio.sleep(seconds / steps)
        return model
    raise ModelNotUsable(f"model {spec!r}: only scripted models (scripted:FILE) can be used yet")
