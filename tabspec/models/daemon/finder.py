"""Finds a daemon that has a model, or starts one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
from collections.abc import Callable

from tabspec.config import DaemonMode
from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.daemon.client import Connection
from tabspec.models.daemon.place import DaemonFolder, find
from tabspec.models.files.hub import absolute
from tabspec.models.process.worker import WorkerState
from tabspec.system import processes

log = logging.getLogger(__name__)

# A new daemon listens before it loads its model, as soon as Python has started: after 0.5 s, or ten times that on a
# busy machine.
START_S, STEP_S = 5.0, 0.05

StartProgress = Callable[[WorkerState, str], None]


class DaemonFinder:
    """Makes connections to a daemon that has the model ``name``. ``place`` is for tests."""

    def __init__(self, name: str | None, mode: DaemonMode, place: DaemonFolder | None = None) -> None:
        self._name, self._mode = name, mode
        self._place = place or _place(mode)
        self._refused: object = None  # the mark of a daemon that has another model

    @property
    def enabled(self) -> bool:
        """Whether there may ever be a daemon."""
        return self._place is not None

    def appeared(self) -> bool:
        """Whether there seems to be a daemon that has not refused this model. One call of the system."""
        mark = self._place.mark() if self._place else None
        return mark is not None and mark != self._refused

    async def connect(self, on_progress: StartProgress) -> Connection | None:
        """A connection to a daemon that has this model; None if there is none."""
        with contextlib.suppress(OSError):
            return await self._open(on_progress)
        return None

    async def connect_or_start(self, on_progress: StartProgress) -> Connection | None:
        """The same. Where no daemon runs, and the mode is to start one, it is started."""
        if self._mode is not DaemonMode.START or self._place is None:
            return await self.connect(on_progress)
        with contextlib.suppress(OSError):
            return await self._open(on_progress)
        try:
            _start_daemon(self._name)
        except OSError as error:
            log.warning("no daemon can be started: %s", error.strerror or error)
            return None
        for _ in range(round(START_S / STEP_S)):
            await asyncio.sleep(STEP_S)  # nothing signals that the new process listens
            with contextlib.suppress(OSError):
                return await self._open(on_progress)
        log.warning("no daemon came up within %g s; see %s", START_S, self._place.log)
        return None

    async def _open(self, on_progress: StartProgress) -> Connection | None:
        """None if the daemon has another model, or does not answer. Raises OSError if there is no daemon."""
        mark = self._place.mark() if self._place else None
        if self._place is None or (mark is not None and mark == self._refused):
            return None
        try:
            return await Connection.open(self._place, self._name, on_progress)
        except ModelNotUsable as error:
            self._refused = mark
            log.info("%s", error)
        except TimeoutError:
            log.warning("the daemon does not answer; the model runs in a process of its own")
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
    """Start a daemon in a session of its own, which outlives this process. It ends by itself if another one was
    quicker."""
    named = absolute(model)
    processes.start(
        processes.python("tabspec", "daemon", "--detached", *(["--model", named] if named else [])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
