"""How many examples a property test draws: all of them in `make test`, fewer in `make test-fast`."""

from __future__ import annotations

import os

# `make test-fast` sets it to 10: a tenth of the examples still runs each property, in a tenth of the time.
_PART = int(os.environ.get("TABSPEC_TEST_EXAMPLES_DIVISOR", "1"))
# At the least: the first examples that Hypothesis draws are the simplest ones, where many bugs show.
_LEAST = 5


def examples(full: int) -> int:
    """The number of examples to draw where ``full`` is the number in `make test`."""
    return min(full, max(full // _PART, _LEAST))
