"""From a suggestion's log-probability to the probability that it is right.

A logistic curve that `tabspec evaluate` fits on held-out code (tabspec.lab.evaluation.calibration):

    p(right) = 1 / (1 + exp(-(bias + total * L + mean * L / n + length * log(n))))

with n the number of tokens and L the sum of their natural log-probabilities. ``calibration.json`` in a model's folder
holds it:

    {"format": "tabspec-calibration", "version": 1, "bias": b, "total": t, "mean": m, "length": l, "snippets": count}
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from tabspec.errors import InputError

FORMAT = "tabspec-calibration"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The fitted curve; ``snippets`` is how many it was fitted on."""

    bias: float
    total: float
    mean: float
    length: float
    snippets: int = 0

    def probability(self, logprob: float, tokens: int) -> float:
        """Probability that a suggestion of ``tokens`` tokens with summed log-probability ``logprob`` is right."""
        n = max(tokens, 1)
        z = self.bias + self.total * logprob + self.mean * logprob / n + self.length * math.log(n)
        return 1.0 / (1.0 + math.exp(-max(min(z, 50.0), -50.0)))  # beyond 50 a float is 0 or 1 anyway

    def save(self, path: Path) -> None:
        """Write ``calibration.json`` atomically: to another file first, which then replaces it."""
        values = {name: round(getattr(self, name), 6) for name in ("bias", "total", "mean", "length")}
        text = json.dumps({"format": FORMAT, "version": 1, **values, "snippets": self.snippets}, indent=2)
        aside = path.with_name(path.name + ".partial")
        aside.write_text(text + "\n", encoding="utf-8")
        aside.replace(path)


def load_calibration(path: Path) -> Calibration:
    """Read ``calibration.json``. Raises `InputError` if it is not one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT or data["version"] != 1:
            raise InputError(f"{path}: is of another format or version")
        bias, total, mean, length = (float(data[name]) for name in ("bias", "total", "mean", "length"))
        return Calibration(bias, total, mean, length, int(data["snippets"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a calibration: {error!r}") from error
