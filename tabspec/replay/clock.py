"""Virtual time: an asyncio event loop whose clock stands still while code runs, and jumps while all tasks wait.

The engine of the server runs on it unchanged. An hour of typing is replayed in seconds, with the same bytes for the
same seed. Packages for tests are similar (looptime, a plugin of pytest). This loop also detects deadlocks, and stops
virtual time while it waits for other threads and processes.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

from tabspec.errors import TabspecError

T = TypeVar("T")

# Longest real wait for outside work, in seconds. The prefill of a large model on a slow CPU takes a minute or two.
OUTSIDE_LIMIT_S = 600.0


class DeadlockError(TabspecError):
    """All tasks wait, and nothing is scheduled that could wake one."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time: `time` starts at 0 and counts seconds.

    When nothing is ready, the clock jumps to the next timer. When nothing is scheduled either, `DeadlockError` is
    raised. While outside work is under way (`run_in_executor`, or a block under `outside_work`), the clock stands
    still and the loop waits in real time.
    """

    def __init__(self) -> None:
        self._virtual = 0.0
        self._outside = 0
        self._at_moment_end: list[Callable[[], None]] = []
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._virtual

    @contextmanager
    def outside_work(self) -> Iterator[None]:
        """Marks outside work: within this block, time stands still."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def call_at_moment_end(self, callback: Callable[[], None]) -> None:
        """Call back before the clock moves, when everything else that happens at this moment has happened."""
        self._at_moment_end.append(callback)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._outside += 1
        future.add_done_callback(self._came_back)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        with self.outside_work():
            await super().shutdown_default_executor(*args)

    def _came_back(self, _: asyncio.Future[Any]) -> None:
        self._outside -= 1

    def _end_moment(self) -> bool:
        """Make the callbacks for the moment's end ready. False if there are none."""
        callbacks, self._at_moment_end = self._at_moment_end, []
        for callback in callbacks:
            self.call_soon(callback)
        return bool(callbacks)

    def _jump(self, seconds: float) -> None:
        self._virtual += seconds


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the loop's clock to the next timer, instead of waiting for it."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if self._loop._outside:
            events = super().select(OUTSIDE_LIMIT_S)
            if not events:
                raise DeadlockError(f"no answer from outside the event loop within {OUTSIDE_LIMIT_S:.0f} s")
            return events
        if self._loop._end_moment():
            return events
        if timeout is None:
            raise DeadlockError(f"everything waits at {self._loop.time():.3f} s, and nothing is scheduled")
        self._loop._jump(timeout)
        return events


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on a new `VirtualTimeLoop`. Raises `DeadlockError` if it cannot end."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


@contextmanager
def outside_work() -> Iterator[None]:
    """Stop the running loop's clock, if it is virtual, while a result is computed outside of the loop.

    The block must not wait for a timer of the loop.
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        with loop.outside_work():
            yield
    else:
        yield
