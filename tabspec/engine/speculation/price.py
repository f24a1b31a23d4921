"""What speculation saves and costs, in seconds of the model on this machine and of this user's waiting."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from tabspec.engine.speculation.pace import STARTS, UserPace

# Seconds that a generation is assumed to take before any was measured: a suggestion of the bundled model on two cores.
USUAL = 0.06
# Of the places where a cursor was put, the share where the next thing was that something was typed there: 86 of 761 in
# the one development session that recorded its cursors (67 of 493 where it stayed for 200 ms). In 4 of 880 it was what
# the model suggests there (docs/decisions/2026-11-25-price.md).
TYPED_AT_REST = 0.11
REST, TAKEN_AT_REST = "rest", 0.005


@dataclass(frozen=True, slots=True)
class ShownSuggestion:
    """A suggestion that has been on the screen for ``age`` seconds.

    ``taken`` is the probability that it is accepted, ``again`` the same of the suggestion that follows it.
    ``follows_accept``: an accept has led to its place.
    """

    taken: float
    again: float
    follows_accept: bool = False
    age: float = 0.0


class Price:
    """Decides whether a speculation is worth its cost, and when to begin.

    ``economy`` is the price of a second of unused work, in seconds of waiting: near 0 on mains power with the machine
    to oneself, up to 1 on battery or a shared GPU. Work whose answer is used costs nothing: it would be done later.
    """

    def __init__(self, economy: float) -> None:
        self.economy, self.pace = economy, UserPace()
        # Seconds of the last generations: few enough to follow a machine that changes to battery.
        self._busy = deque([USUAL], maxlen=16)
        self._share = 1.0  # of a generation's time on the model, the part that is not borne by others in the same batch
        self._rate = 0.05  # of a running mean over about 20 of them

    def measured(self, seconds: float, cost: float) -> None:
        """A generation ran on the model for ``seconds``, of which ``cost`` is its share: generations in the same batch
        bear the rest."""
        self._busy.append(seconds)
        if seconds > 0:
            self._share += self._rate * (cost / seconds - self._share)

    @property
    def service(self) -> float:
        """Seconds that a generation takes: the 90th percentile of the last ones.

        Rounded up to steps of a seventh, so that the tables made from it stay valid for several generations.
        """
        tenth = sorted(self._busy)[math.ceil(0.9 * len(self._busy)) - 1]
        return math.exp(math.ceil(math.log(max(tenth, 1e-4)) * 7) / 7)

    def start(self, probability: float, shown: ShownSuggestion, depth: int = 1) -> float | None:
        """When to begin a speculation, in seconds after its suggestion was ``shown``. None: it is not worth its cost. A
        moment that has passed means now. ``probability``: that the user makes the ``depth`` accepts that lead to its
        state.

        An early start has the answer ready at Tab; a late start does not work for suggestions that are soon typed
        over. The best moment maximizes P · seconds saved - ``economy`` · (1 - P) · seconds unused. Both terms shrink
        in proportion while the suggestion stays on the screen, so that the best moment does not change.
        """
        best, at = 0.0, None
        now = bisect_right(STARTS, shown.age) - 1
        table = self.pace.table(self.service, shown.follows_accept, depth)
        for start, row in zip(STARTS[now:], table[now:], strict=True):
            saved = probability * (row.saved + shown.again * row.saved_next)
            vain = max(shown.taken - probability, 0.0) * row.wasted_if_taken + (1 - shown.taken) * row.wasted_if_refused
            if (worth := saved - self.economy * self._share * vain) > best:
                best, at = worth, start
        return at
