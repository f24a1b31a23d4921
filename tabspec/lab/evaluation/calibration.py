"""How far probabilities are from how often they come true, and logistic regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = 50  # Newton's method needs about ten


def logistic(features: NDArray[np.float64], truth: Sequence[bool], ridge: float) -> NDArray[np.float64]:
    """The weights of maximum likelihood for ``features``, of shape (observations, weights). ``ridge`` keeps them finite
    if a curve separates true from false perfectly."""
    wanted = np.array(truth, dtype=np.float64)
    weights: NDArray[np.float64] = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        p = probabilities(features, weights)
        gradient = features.T @ (wanted - p) - ridge * weights
        curvature = (features * (p * (1 - p))[:, None]).T @ features + ridge * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def probabilities(features: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve's values."""
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(features @ weights, -50, 50)))
    return found


@dataclass(frozen=True, slots=True)
class Bin:
    """Suggestions of similar probability: their count, mean predicted probability, and share of right ones."""

    count: int
    predicted: float
    right: float


def reliability(predicted: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """Ten bins of equal width from 0 to 1, without the empty ones."""
    found = []
    for number in range(10):
        inside = [(p, r) for p, r in zip(predicted, right, strict=True) if min(int(p * 10), 9) == number]
        if inside:
            mean = sum(p for p, _ in inside) / len(inside)
            found.append(Bin(len(inside), mean, sum(r for _, r in inside) / len(inside)))
    return found


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean difference of predicted and actual rates, weighted by count. 0 is perfect."""
    count = sum(b.count for b in bins)
    return sum(b.count * abs(b.predicted - b.right) for b in bins) / count if count else math.nan
