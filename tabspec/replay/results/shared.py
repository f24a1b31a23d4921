"""Many users on one service: the field ``shared`` of a run in the result file."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Waits:
    """Percentiles in milliseconds. None: too few requests were answered to estimate it."""

    p50: float | None = 0.0
    p90: float | None = 0.0
    p99: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Shared:
    """``users`` users at the same time on ``servers`` servers (0: a real service, whose number is unknown).

    ``wait_ms``: time of a foreground generation on the service, from the request to the last token. ``queue_ms``: the
    part of it before the first decode step. Both estimates include cancelled generations
    (`tabspec.lab.capacity.waits`).

    ``foreground`` and ``ahead`` (speculation) count generations, ``closed`` those of both that were cancelled.

    Rates cover the time in which all users were active: decoded tokens and computed prompt tokens per second,
    the share of the time that a server was busy, and the mean number of generations in a decode step.

    ``servers_needed``: the smallest number that keeps the foreground's p90 below ``bound_ms`` (None: no number does).
    ``played``: how many of the users had an engine (0: all). Counts are of these users, rates of all.
    """

    users: int
    servers: int
    service: str
    economy: float
    bound_ms: float
    wait_ms: Waits = field(default_factory=Waits)
    queue_ms: Waits = field(default_factory=Waits)
    foreground: int = 0
    ahead: int = 0
    closed: int = 0
    tokens_per_s: float = 0.0
    prompt_tokens_per_s: float = 0.0
    busy_rate: float = 0.0
    mean_batch: float = 0.0
    servers_needed: int | None = None
    played: int = 0

    @property
    def holds(self) -> bool:
        """Whether the foreground's p90 stayed below the bound."""
        return self.wait_ms.p90 is not None and self.wait_ms.p90 < self.bound_ms
