"""How likely a written edit is right: a logistic curve over what the model has stated about it.

`tabspec evaluate --next-edit-releases FILE --calibration OUT` fits it on edits of projects that the model was not
trained on. ``edit_calibration.json`` in the model's folder holds it:

    {"format": "tabspec-edit-calibration", "version": 1, "weights": {NAME: weight, ...}, "least": p, "steps": count}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabspec.errors import InputError

FORMAT = "tabspec-edit-calibration"
NAMES = ("bias", "place", "same", "total", "mean", "length", "rank")
# Beyond these log-probabilities and log-odds, one number would outweigh all others.
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the model has stated about an answer.

    ``place`` is the probability of the place by its tag, ``same`` that nothing changes there, ``logprobs`` are those of
    the answer's tokens, and ``rank`` is 0 for the best place.
    """

    place: float
    same: float
    logprobs: tuple[float, ...]
    rank: int = 0

    def numbers(self) -> tuple[float, ...]:
        """The numbers that the weights of `NAMES` belong to."""
        total, count = sum(self.logprobs), max(len(self.logprobs), 1)
        changes = _clipped(math.log(max(1.0 - self.same, 1e-6)))
        return 1.0, _log_odds(self.place), changes, _clipped(total), _clipped(total / count), math.log(count), self.rank


@dataclass(frozen=True, slots=True)
class EditCalibration:
    """The fitted ``weights``, in the order of `NAMES`. Edits of a probability below ``least`` are not shown. ``steps``
    is how many it was fitted on."""

    weights: tuple[float, ...]
    least: float = 0.0
    steps: int = 0

    def probability(self, evidence: Evidence) -> float:
        """How likely the answer is right, place and text."""
        z = sum(weight * number for weight, number in zip(self.weights, evidence.numbers(), strict=True))
        return 1.0 / (1.0 + math.exp(-max(min(z, 50.0), -50.0)))  # beyond 50 a float is 0 or 1 anyway

    def save(self, path: Path) -> None:
        """Write the file."""
        weights = {name: round(weight, 6) for name, weight in zip(NAMES, self.weights, strict=True)}
        head = {"format": FORMAT, "version": 1, "weights": weights, "least": round(self.least, 4), "steps": self.steps}
        path.write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")


# Until a model is calibrated: the product of the probabilities of its place, of a change, and of the answer's tokens.
UNFITTED = EditCalibration((0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0))


def load_edit_calibration(path: Path) -> EditCalibration:
    """Read the file. Raises `InputError` if it is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT or data["version"] != 1:
            raise InputError(f"{path}: is of another format or version")
        weights: Mapping[str, float] = data["weights"]
        return EditCalibration(tuple(float(weights[name]) for name in NAMES), float(data["least"]), int(data["steps"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a calibration: {error!r}") from error


def _clipped(number: float) -> float:
    return max(min(number, _MOST), -_MOST)


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1e-6), 1.0 - 1e-6)
    return _clipped(math.log(p / (1.0 - p)))
