"""The virtual clock of a simulation: it calls the simulation before time moves, and detects when it never does."""

from __future__ import annotations

from typing import Protocol

from tabspec.replay.clock import VirtualTimeLoop

# Turns of the event loop between two events or moves of the clock. A model that takes no time, asked for all futures
# of a screen at one moment, takes some ten thousand.
MOST_TURNS = 100_000


class Watched(Protocol):
    """A simulation, as its loop knows it."""

    def quiet(self, seconds: float) -> None:
        """Called each time before the clock moves."""

    def stuck(self) -> None:
        """Called when the clock does not come to move."""


class WatchedLoop(VirtualTimeLoop):
    """Calls ``simulation``. ``turns`` counts the turns of the loop since the clock moved or an event began."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation: Watched | None = None
        self.turns = 0

    def _jump(self, seconds: float) -> None:
        if self.simulation and seconds > 0:
            self.turns = 0
            self.simulation.quiet(seconds)
        super()._jump(seconds)

    def _run_once(self) -> None:
        self.turns += 1
        if self.simulation and self.turns > MOST_TURNS:
            self.simulation.stuck()
        super()._run_once()  # type: ignore[misc]
