"""Logistic regression, for curves from what a model has stated to the probability that it is right."""

from __future__ import annotations

from collections.abc import Sequence

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
