"""What speculation costs and saves, in seconds of this model on this machine."""

from __future__ import annotations

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
    waited: float = 0.06
    # A mean over about the last 20 suggestions: quick enough to follow a machine that goes onto battery.
    rate: float = field(default=0.05)

    def measured(self, seconds: float) -> None:
        """A generation kept the model busy for this long."""
        self.busy += self.rate * (seconds - self.busy)

    def waited_for(self, seconds: float) -> None:
        """A request waited for this long."""
        self.waited += self.rate * (seconds - self.waited)

    def worth(self, probability: float) -> bool:
        """Whether a future of this probability is worth asking for: P(taken) x time saved > cost."""
        return probability * self.waited > self.economy * self.busy
