"""What speculation costs and saves, in seconds of this model on this machine and of this user's waiting."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from tabspec.engine.speculation.pace import STARTS, UserPace

# Before anything was measured: about what a suggestion of the bundled model takes on two cores, in seconds.
USUAL = 0.06


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion that has been on the screen for ``age`` seconds: the probabilities that it is ``taken``, and that
    another Tab follows ``again``; ``follows_accept``: it came by an accept itself."""

    taken: float
    again: float
    follows_accept: bool = False
    age: float = 0.0


class Price:
    """Tells what is worth asking ahead, and when to begin.

    ``economy`` is what a second of the model's work in vain is worth in seconds of the user's waiting: near 0 on mains
    power with a machine to oneself, 1 where the work costs as much as the wait (a shared GPU, battery). Work whose
    answer is used costs nothing: it would have been done later.
    """

    def __init__(self, economy: float) -> None:
        self.economy, self.pace = economy, UserPace()
        # Of the last generations: quick enough to follow a machine that goes onto battery.
        self._busy = deque([USUAL], maxlen=16)
        self._share = 1.0  # of the time with the model that is a generation's own, the others' beside it taken off
        self._rate = 0.05  # of a running mean over about 20 of them

    def measured(self, seconds: float, cost: float) -> None:
        """A generation was with the model for so long, of which ``cost`` is its share: what ran beside it, in the same
        passes, bears the rest."""
        self._busy.append(seconds)
        if seconds > 0:
            self._share += self._rate * (cost / seconds - self._share)

    @property
    def service(self) -> float:
        """Seconds that a generation takes, on the safe side: what nine of ten took no longer than.

        In steps of a seventh, so that what follows from it need not be computed anew with each generation.
        """
        tenth = sorted(self._busy)[math.ceil(0.9 * len(self._busy)) - 1]
        return math.exp(math.ceil(math.log(max(tenth, 1e-4)) * 7) / 7)

    def start(self, probability: float, shown: Shown, deeper: bool = False) -> float | None:
        """How long after a suggestion was ``shown`` to ask for what comes behind it with this ``probability``; None:
        not at all. ``deeper``: more than one accept lies between. A start before the suggestion's age means now.

        Begun early, it is there when Tab comes; begun late, much of what will be typed over is gone by then. The best
        moment is that of the highest P · seconds saved - ``economy`` · (1 - P) · seconds in vain. Both shrink alike
        with the chance that the suggestion is still there, so that the best of what is left stays so.
        """
        best, at = 0.0, None
        now = bisect_right(STARTS, shown.age) - 1
        table = self.pace.table(self.service, shown.follows_accept, deeper)
        for start, row in zip(STARTS[now:], table[now:], strict=True):
            saved = probability * (row.saved + shown.again * row.saved_next)
            vain = max(shown.taken - probability, 0.0) * row.wasted_if_taken + (1 - shown.taken) * row.wasted_if_refused
            if (worth := saved - self.economy * self._share * vain) > best:
                best, at = worth, start
        return at
