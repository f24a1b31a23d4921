"""How likely an edit is right: a logistic curve over what the model has stated about it, and what it repeats.

`tabspec evaluate --next-edit-releases FILE --calibration OUT` fits it on edits of projects that the model was not
trained on. ``edit_calibration.json`` in the model's folder holds it:

    {"format": "tabspec-edit-calibration", "version": 2, "weights": {NAME: weight, ...}, "least": p, "steps": count}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabspec.errors import InputError

FORMAT = "tabspec-edit-calibration"
VERSION = 2
NAMES = ("bias", "place", "least", "repeats", "partly", "pattern")
# Beyond these log-probabilities and log-odds, one number would outweigh all others.
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an edit.

    ``place`` is the probability of the place by its tag, and ``logprobs`` are those of the answer's tokens.
    ``repeats``: all its replacements of tokens were made before; ``partly``: some of them were. ``pattern`` is the
    probability of the pattern that proposes the same edit, 0 if none does.
    """

    place: float
    logprobs: tuple[float, ...]
    repeats: bool = False
    partly: bool = False
    pattern: float = 0.0

    def numbers(self) -> tuple[float, ...]:
        """The numbers that the weights of `NAMES` belong to."""
        least = _clipped(min(self.logprobs, default=0.0))
        pattern = _log_odds(self.pattern) if self.pattern else 0.0
        return 1.0, _log_odds(self.place), least, float(self.repeats), float(self.partly), pattern


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
        head = {
            "format": FORMAT,
            "version": VERSION,
            "weights": weights,
            "least": round(self.least, 4),
            "steps": self.steps,
        }
        path.write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")


# Until a model is calibrated: the place's odds, times the probability of the answer's least likely token.
UNFITTED = EditCalibration((0.0, 1.0, 1.0, 0.0, 0.0, 0.0))


def load_edit_calibration(path: Path) -> EditCalibration:
    """Read the file. Raises `InputError` if it is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT or data["version"] != VERSION:
            raise InputError(
                f"{path}: is of another format or version: delete it, and write it anew with "
                f"`tabspec evaluate --next-edit-releases STEPS --edit-model {path.parent} --calibration {path}`"
            )
        weights: Mapping[str, float] = data["weights"]
        return EditCalibration(tuple(float(weights[name]) for name in NAMES), float(data["least"]), int(data["steps"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a calibration: {error!r}") from error


def _clipped(number: float) -> float:
    return max(min(number, _MOST), -_MOST)


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1e-6), 1.0 - 1e-6)
    return _clipped(math.log(p / (1.0 - p)))
