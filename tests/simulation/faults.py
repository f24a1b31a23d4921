"""What can go wrong with a model: one plan for each of its streams, drawn before the stream begins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from random import Random

from tabspec.errors import ModelError, ModelUnavailable


class Fault(Enum):
    """A way in which one stream misbehaves."""

    ERROR = "raises ModelError"
    UNAVAILABLE = "raises ModelUnavailable"
    BUG = "raises an error that is none of tabspec's"
    TORN = "its task is cancelled from inside, as by a library that lost its connection"
    BROKEN_OFF = "ends without saying why"
    SLOW = "takes fifty times as long"
    LATE = "is cancelled only once its decode step is over"
    DEAF = "overhears a cancellation, and yields one token more"
    CLEANUP = "takes a while to clean up"
    PASS = "a pass that it is in fails, and all that are in it with it"
    ENDLESS = "never ends: after its answer come tokens without a text, for ever"


FAILURES = frozenset({Fault.ERROR, Fault.UNAVAILABLE, Fault.BUG, Fault.TORN, Fault.BROKEN_OFF})
ALONE = tuple(fault for fault in Fault if fault not in (Fault.PASS, Fault.ENDLESS))
# Share of the streams without another fault that never end, in worlds that have such streams.
ENDLESS_RATE = 0.05


def raised(fault: Fault) -> BaseException | None:
    """What a stream with this fault raises."""
    return {
        Fault.ERROR: ModelError("out of memory"),
        Fault.UNAVAILABLE: ModelUnavailable("connection refused"),
        Fault.BUG: KeyError("a bug in a model"),
        Fault.TORN: asyncio.CancelledError(),
    }.get(fault)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one stream goes: seconds for its prefill, each of its steps and its cleanup; its fault, and before which step
    a failure comes (0: before the prefill)."""

    prefill: float
    step: float
    cleanup: float = 0.0
    fault: Fault | None = None
    at: int = 0

    @property
    def longest_step(self) -> float:
        """Seconds after a cancellation within which the stream must be gone."""
        return max(self.prefill, self.step) + self.cleanup


class Faults:
    """Draws plans. ``rate`` is the share of streams with a fault; a model's speed is drawn once. ``shared``: streams
    have passes together, which may fail. ``endless`` draws which streams never end (None: all do)."""

    def __init__(self, random: Random, rate: float, shared: bool = False, endless: Random | None = None) -> None:
        self._random, self.rate, self._endless = random, rate, endless
        # Often: several must be in a pass at the step at which it fails.
        self._kinds = (*ALONE, *4 * [Fault.PASS]) if shared else ALONE
        self._prefill = random.choice((0.0, 0.01, 0.1, 0.4))
        self._step = random.choice((0.0, 0.001, 0.01, 0.05))

    def plan(self) -> Plan:
        random = self._random
        prefill, step = self._prefill * (0.5 + random.random()), self._step * (0.5 + random.random())
        if random.random() >= self.rate:
            endless = self._endless is not None and self._endless.random() < ENDLESS_RATE
            return Plan(prefill, step, fault=Fault.ENDLESS if endless else None)
        fault = random.choice(self._kinds)
        if fault is Fault.SLOW:
            prefill, step = prefill * 50, step * 50
        cleanup = random.choice((0.02, 1.0)) if fault is Fault.CLEANUP else 0.0
        return Plan(prefill, step, cleanup, fault, random.randrange(6))

    def stop(self) -> None:
        """From now on nothing goes wrong."""
        self.rate, self._endless = 0.0, None
