"""What many users on one service add up to: the field ``shared`` of a run in the result file."""

from __future__ import annotations

from dataclasses import dataclass, field

from tabspec.replay.results.waits import Waits


@dataclass(frozen=True, slots=True)
class Shared:
    """``users`` at once on ``servers`` servers (0: not known, a real service).

    ``wait_ms`` is how long the foreground's generations took on the service, from being asked to the last token;
    ``queue_ms`` how much of that they waited for their first step. Both are estimated with those in mind that were
    closed before (`tabspec.replay.results.waits`). ``foreground`` and ``ahead`` are generations, ``closed`` those of
    both that their user closed. Rates and shares are of the time in which everybody was at work: tokens decoded and
    prompt tokens computed a second, the share of its time that a server was busy, how many a step decoded for.
    ``servers_needed`` is the smallest number that keeps the foreground's p90 below ``bound_ms`` (None: no number does).
    ``played``: how many of the users had an engine (0: all); counts are theirs, and rates stand for all.
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

    @property
    def users_a_server(self) -> float | None:
        """How many users a server carries."""
        return self.users / self.servers_needed if self.servers_needed else None
