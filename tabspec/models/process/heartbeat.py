"""Detects whether another process still answers: it is pinged while an answer is expected.

A process that is stopped (SIGSTOP), frozen or swapped out closes no pipe: without a deadline, its callers would wait
forever. The time until an answer proves nothing, since a large model may take seconds. So the other process answers
pings where no computation delays it: in a thread of its own, or in an event loop without a model.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

# Seconds between two pings while something is expected. A ping comes back within a millisecond, within 0.1 s where
# ten processes share a core.
TICK_S = 0.35
# Ticks without any message after which requests fail. With the tick that may have begun already, 1.75 s: a request ends
# within 2 s.
SILENT_TICKS = 4
# Ticks after which the process is killed: 4.9 s, so that another one is ready within 10 s (it loads for 1 to 3 s).
DEAD_TICKS = 14
# The same while a model loads: importing torch from a cold disk may hold Python's lock for many seconds. 30 s.
LOADING_TICKS = 86
# Seconds between two pings while nothing is expected: the status stays true, and a laptop's processor can sleep.
IDLE_S = 3.0


class Heartbeat:
    """Watches another process by the event loop's clock.

    ``ping`` sends it a ping. Call `received` for everything that arrives from it, and `expect` when a request is sent.
    ``silent_changed`` is called when the process becomes silent (True) and when it answers again (False).
    """

    def __init__(self, ping: Callable[[], None], silent_changed: Callable[[bool], None]) -> None:
        self._ping, self._silent_changed = ping, silent_changed
        self._received = False
        self._expected = asyncio.Event()
        self.silent = False

    def received(self) -> None:
        """Something has arrived."""
        self._received = True

    def expect(self) -> None:
        """A request is sent to the process: do not wait for the next idle ping."""
        self._expected.set()

    async def watch(self, busy: Callable[[], bool], loading: Callable[[], bool]) -> None:
        """Return after the process has been silent for too long. ``busy``: an answer is expected now.

        Ticks are counted and not seconds: if this process was stopped itself, the other one still has a whole tick for
        its answer.
        """
        while True:
            if not busy():
                self._expected.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):
                        await self._expected.wait()
            self._received, missed = False, 0
            self._ping()
            while not self._received:
                if missed >= (LOADING_TICKS if loading() else DEAD_TICKS):
                    return
                await asyncio.sleep(TICK_S)
                missed += not self._received
                if missed == SILENT_TICKS:
                    self._become(silent=True)
            self._become(silent=False)

    def _become(self, silent: bool) -> None:
        if silent != self.silent:
            self.silent = silent
            self._silent_changed(silent)
