"""What the simulations of all layers share: one seed, a virtual clock, a record of what happened, and its digest."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any, ClassVar

from ..invariants import Violation
from ..loop import WatchedLoop
from .held import busy


@dataclass(frozen=True, slots=True)
class Report:
    """What a run without violations amounted to. ``digest`` is that of everything that happened, in order."""

    layer: str
    seed: int
    events: int
    requests: int
    counts: dict[str, int]
    seconds: float  # virtual
    digest: str


class Layer(ABC):
    """One simulation. To be made inside a running `WatchedLoop`."""

    name: ClassVar[str]

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        self.seed, self._note = seed, note
        self.random = Random(f"{self.name} {seed}")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WatchedLoop)
        self.loop, self._main = loop, asyncio.current_task()
        self.events = self.requests = 0
        self.counts: Counter[str] = Counter()
        self.trouble: BaseException | None = None
        self._digest = blake2b(digest_size=8)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self.around = ExitStack()  # what the layer patches, undone at the end and after a violation
        loop.set_exception_handler(self._unhandled)

    # --- what each layer does ---------------------------------------------------------------------------------------

    async def begin(self) -> None:  # noqa: B027 (most need nothing)
        """Before the first event."""

    @abstractmethod
    def act(self) -> None:
        """One event."""

    @abstractmethod
    def pause(self) -> float:
        """Seconds until the next event."""

    @abstractmethod
    def watch(self, seconds: float) -> None:
        """The clock is about to move by so many seconds: does everything hold?"""

    @abstractmethod
    async def recover(self) -> None:
        """Nothing goes wrong any more: service returns, and everything that is open ends."""

    # --- the run ----------------------------------------------------------------------------------------------------

    async def run(self, events: int) -> Report:
        """Raises `Violation` where something does not hold."""
        await self.begin()
        while self.events < events:
            self.events += 1
            self.loop.turns = 0
            self.say(f"--- {self.events}")
            self.act()
            await self.wait(self.pause())
        for timer in self._timers:
            timer.cancel()
        await self.recover()
        await self.wait(0)
        left = busy(self.loop)
        self.require(not left, f"{len(left)} tasks or timers are left at the end: {left[:5]}")
        return Report(
            self.name,
            self.seed,
            self.events,
            self.requests,
            dict(sorted(self.counts.items())),
            round(self.loop.time(), 6),
            self._digest.hexdigest(),
        )

    async def wait(self, seconds: float) -> None:
        """Let virtual time pass, and raise what has gone wrong in it."""
        await asyncio.sleep(seconds)
        if self.trouble:
            raise self.trouble

    async def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until ``done``; a violation after ``seconds`` without it."""
        limit = self.loop.time() + seconds
        while not done():
            self.require(self.loop.time() < limit, f"{what} within {seconds:g} s")
            await self.wait(0.05)

    def go(self, coroutine: Any) -> asyncio.Task[Any]:
        """Run it beside the events; what it raises is a violation."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        """Call it then, if events still happen."""
        self._timers.append(self.loop.call_later(seconds, call, *args))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)

    # --- the record -------------------------------------------------------------------------------------------------

    def say(self, *what: object) -> None:
        """Put a line into the record."""
        line = f"{self.loop.time():10.4f} " + " ".join(map(str, what))
        self._digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        if self._note:
            self._note(line)

    def require(self, holds: bool, message: str) -> None:
        if not holds:
            raise Violation(message)

    def fail(self, error: BaseException) -> None:
        self.trouble = self.trouble or error

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.fail(context.get("exception") or Violation(context["message"]))

    def quiet(self, seconds: float) -> None:
        """Called by the loop each time before the clock moves."""
        if not self.trouble:
            try:
                self.watch(seconds)
            except Violation as violation:
                self.fail(violation)

    def stuck(self) -> None:
        """Called by the loop when the clock does not come to move."""
        self.fail(Violation("everything is busy, and no time passes"))
        if self._main:
            self._main.cancel()


def simulate(layer: type[Layer], seed: int, events: int = 300, note: Callable[[str], None] | None = None) -> Report:
    """Run one seed of one layer. Raises `Violation` where something does not hold."""

    async def main() -> Report:
        simulation = loop.simulation = layer(seed, note)
        try:
            return await simulation.run(events)
        except BaseException as error:
            error = simulation.trouble or error
            command = f"python -m tests.simulation.run --layer {layer.name} --seed {seed} --events {simulation.events}"
            error.add_note(f"event {simulation.events}; to reproduce: {command}")
            raise error from None
        finally:
            loop.simulation = None
            simulation.around.close()

    loop = WatchedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main())
