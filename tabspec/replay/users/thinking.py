"""The time that a simulated user reads a suggestion before Tab."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Seconds. Eight keystrokes a second are those of a practised typist, who does not read each suggestion.
QUICK = 0.12


@dataclass(frozen=True, slots=True)
class Thinking:
    """Pauses between a suggestion being shown and Tab, in seconds.

    ``seconds`` is the median. ``jitter`` is the standard deviation of the logarithm: pauses are log-normal, as reaction
    times are (0.3: two thirds of them are between 0.74 and 1.35 times the median).

    ``burst``: Tabs in a row by a user who knows what follows. The first comes after thinking, the others `QUICK`
    seconds after their suggestion is shown.
    """

    seconds: float = 0.6
    jitter: float = 0.0
    burst: int = 1
    seed: int = 0

    def pause(self, place: int, row: int) -> float:
        """The pause before Tab at action number ``place`` of the recording, after ``row`` Tabs in a row.

        It depends on nothing else, so that the user is the same for all policies.
        """
        median = QUICK if row % self.burst else self.seconds
        if not self.jitter:
            return median
        # A string as seed gives the same numbers in every process.
        return median * random.Random(f"{self.seed}:{place}").lognormvariate(0.0, self.jitter)
