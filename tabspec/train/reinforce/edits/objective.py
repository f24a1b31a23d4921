"""The gate of edits, as the engine has it and made soft, and the reward that is expected of what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tabspec.models.local.edits.calibration import EditCalibration
from tabspec.train.reinforce.edits.moments import Earned

# How soft the two decisions are: nats between the first token and "same", and log-odds of the stated probability around
# the bound. An answer that is so far from the bound is shown with probability 0.73 or 0.27.
SOFT = 0.5
# Answers that are shown with a lower probability are left out.
LEAST_SHOWN = 0.01
_FAR = SOFT * math.log(LEAST_SHOWN / (1 - LEAST_SHOWN))
# Beyond these log-probabilities and log-odds the calibration looks no further.
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Brings:
    """`Earned` of many answers as tensors: (questions,) each."""

    shown: Tensor
    right: Tensor
    reward: Tensor
    saves: Tensor
    repeats: Tensor
    partly: Tensor

    @classmethod
    def of(cls, found: Sequence[Earned], device: str) -> Brings:
        """From those of each answer."""
        rows = [(o.shown, o.right, o.reward, o.saves, o.repeats, o.partly) for o in found]
        shown, right, reward, saves, repeats, partly = torch.tensor(rows, dtype=torch.float32).to(device).unbind(-1)
        return cls(shown > 0, right > 0, reward, saves, repeats, partly)


class Gate:
    """The log-odds of an answer by the calibration of the model at the start, relative to the bound for showing it. The
    engine also counts what patterns propose; here there are none."""

    def __init__(self, calibration: EditCalibration) -> None:
        self._weights = calibration.weights
        least = calibration.least
        self._bound = math.log(least / (1 - least)) if 0 < least < 1 else -math.inf

    def above(self, place: Tensor, least: Tensor, repeats: Tensor, partly: Tensor) -> Tensor:
        """How far the log-odds are above the bound. ``place`` is a probability, ``least`` the lowest log-probability of
        the answer's tokens."""
        bias, w_place, w_least, w_repeats, w_partly, _ = self._weights
        odds = torch.logit(place, 1e-6).clamp(-_MOST, _MOST)
        z = bias + w_place * odds + w_least * least.clamp(-_MOST, _MOST) + w_repeats * repeats + w_partly * partly
        return z - self._bound

    def floor(self, place: Tensor) -> Tensor:
        """The lowest log-probability with which an answer can be shown with `LEAST_SHOWN`, whatever it repeats."""
        best = max(self._weights[3], self._weights[4], 0.0)
        zero = torch.zeros_like(place)
        missing = _FAR - (self.above(place, zero, zero, zero) + best)
        weight = self._weights[2]
        found = missing / weight if weight > 0 else torch.full_like(place, -math.inf)
        return found.masked_fill(found < -_MOST, -math.inf)


def possible(above: Tensor) -> Tensor:
    """Whether answers so far above the bound, or nats above "same", are shown with at least `LEAST_SHOWN`."""
    return above >= _FAR


def expected(brings: Brings, above: Tensor, says: Tensor) -> Tensor:
    """The expected reward of each question, if the two decisions were soft. ``says``: the log-probability of the
    answer's first token less that of "same"."""
    return torch.sigmoid(says / SOFT) * torch.sigmoid(above / SOFT) * brings.reward


def shown(brings: Brings, above: Tensor, says: Tensor) -> Tensor:
    """Which answers are shown, by the engine's own rule."""
    return brings.shown & (above >= 0) & (says >= 0)
