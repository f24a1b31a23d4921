"""Time the next-edit proposals that a pattern in the recent edits gives, in documents of 200 to 20,000 lines."""

from __future__ import annotations

import statistics
import time

from tabspec.edits.proposals.propose import propose
from tabspec.edits.step import Step
from tabspec.text import Document

SIZES = (200, 2_000, 20_000)
# With 20 rounds, the medians of two runs agree.
ROUNDS = 20


def measure() -> list[dict[str, float]]:
    """Return for each size the number of lines, the milliseconds of the first proposal, which includes parsing the
    document, and the median milliseconds of a proposal after a keystroke."""
    return [_one(lines) for lines in SIZES]


def _one(lines: int) -> dict[str, float]:
    body = "".join(f"def use{n}(a):\n    return total(a, {n})\n" for n in range(lines // 40))
    filler = "".join(f"value{n} = [{n}, 'text', other{n % 7}]\n" for n in range(lines - 2 * (lines // 40) - 2))
    head = "def summed(a, b):\n    return a\n"
    text = head + body + filler
    step = Step(f"file:///bench{lines}.py", 0, 0, "def total(a, b):\n", "def summed(a, b):\n")
    times = []
    for number in range(ROUNDS + 1):
        document = Document(step.uri, text + "x" * number)
        document.line_starts  # noqa: B018  computed before the clock starts: the engine keeps them between keystrokes
        began = time.perf_counter()
        propose(document, 17, [step])
        times.append((time.perf_counter() - began) * 1e3)
    return {"lines": lines, "first_ms": round(times[0], 2), "median_ms": round(statistics.median(times[1:]), 2)}


if __name__ == "__main__":
    for row in measure():
        print(row)
