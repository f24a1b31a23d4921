"""How long a simulated user looks at a suggestion before Tab."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Eight keystrokes a second, a practised typist's: no time to read, the eye is a word ahead.
QUICK = 0.12


@dataclass(frozen=True, slots=True)
class Thinking:
    """Pauses between a suggestion being shown and Tab, in seconds.

    ``seconds`` is the median. With ``jitter`` above 0 the pauses vary, log-normally as reaction times do, with this
    standard deviation of their logarithm (0.3: two thirds of them lie between 0.74 and 1.35 times the median).

    With ``burst`` above 1 the user presses Tab so many times in a row, as one who knows what comes: the first after
    thinking, the others `QUICK` seconds after their suggestion is shown.
    """

    seconds: float = 0.6
    jitter: float = 0.0
    burst: int = 1
    seed: int = 0

    def pause(self, place: int, row: int) -> float:
        """The pause before Tab at the recording's action number ``place``, after ``row`` Tabs in a row.

        It depends on nothing else, so that all policies meet the same user.
        """
        median = QUICK if row % self.burst else self.seconds
        if not self.jitter:
            return median
        # A string seeds by its digest: alike in every process.
        return median * random.Random(f"{self.seed}:{place}").lognormvariate(0.0, self.jitter)
