"""What speculation costs and saves, in seconds of this model on this machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Price:
    """Running means of what a suggestion takes.

    ``economy`` is what a second of the model's work is worth in seconds of the user's waiting: near 0 on mains power
    with a machine to oneself, 1 where the work costs as much as the wait (a shared GPU, battery).
    """

    economy: float
    # Before anything was measured: about what a suggestion of the bundled model takes on two cores.
    busy: float = 0.06
    cost: float = 0.06
    waited: float = 0.06
    # Seconds from showing to accept; before anything was measured, about a simple reaction to something seen.
    pace: float = 0.3
    # A mean over about the last 20 suggestions: quick enough to follow a machine that goes onto battery.
    rate: float = field(default=0.05)

    def measured(self, seconds: float, cost: float) -> None:
        """A generation was with the model for so long, of which ``cost`` is its share: what ran beside it, in the same
        passes, bears the rest."""
        self.busy += self.rate * (seconds - self.busy)
        self.cost += self.rate * (cost - self.cost)

    def waited_for(self, seconds: float) -> None:
        """A request waited for this long."""
        self.waited += self.rate * (seconds - self.waited)

    def paced(self, seconds: float) -> None:
        """A suggestion was taken this long after it was shown."""
        self.pace += self.rate * (seconds - self.pace)

    def worth(self, probability: float, ahead: int) -> bool:
        """Whether a future of this probability, so many accepts ahead, is worth its cost: P(taken) x time saved > cost.

        The next accept may come at any moment. One behind it can still be asked for once that one is shown, and only
        what would not be done by then is saved by asking now: the chance that the user, who takes suggestions at this
        ``pace`` (exponentially distributed), is faster than the model.
        """
        saved = self.waited if ahead <= 1 else self.waited * (1 - math.exp(-self.busy / max(self.pace, 1e-3)))
        return probability * saved > self.economy * self.cost
