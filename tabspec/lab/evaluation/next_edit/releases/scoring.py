"""Scores of predicted next edits: the text given the place, the place, both by threshold, and what is shown at ends.

A proposal is right if it makes one remaining hunk, or all those that it touches, and nothing else. Its probability is
fitted on the other half of the projects. What is shown at an end is wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabspec.lab.evaluation.calibration import logistic
from tabspec.lab.evaluation.calibration import probabilities as logistic_curve
from tabspec.lab.evaluation.next_edit.releases.kinds import Novelty
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep
from tabspec.train.edits.hunks import LineHunk, applied

NEAR = 2  # lines; a place is found if it is so near to a hunk
RANKS = (1, 3, 5)
THRESHOLDS = (0.7, 0.6, 0.5, 0.4, 0.0)  # of the probability from which a proposal is shown
PRECISIONS = (0.8, 0.7, 0.6, 0.5)
LARGEST = 10.0  # of a feature's absolute value; a log-probability far below says no more

_RIDGE = 1.0  # of the logistic fit, of a weight of a standardized feature


@dataclass(frozen=True, slots=True)
class PredictedChange:
    """Lines ``start`` to ``stop`` (excluded) become ``new``. ``features`` are what its probability is fitted on."""

    start: int
    stop: int
    new: tuple[str, ...]
    features: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of a model for a step.

    ``given``: what it writes where the place is given, None if nothing changes there. ``places``: lines, the likeliest
    first. ``proposal``: the one that it would show first, None if it has none.
    """

    given: PredictedChange | None = None
    places: tuple[int, ...] = ()
    proposal: PredictedChange | None = None


@dataclass(frozen=True, slots=True)
class ShownShares:
    """Of all next edits, and of all echoes, the shares that are shown and right; ``precision`` counts ends, too."""

    shown: float
    right: float
    echoes: float
    precision: float
    at_ends: float  # of all ends, those at which something is shown


def is_right(step: ReleaseStep, proposal: PredictedChange) -> bool:
    """Whether a proposal makes one of the remaining hunks, or all that it touches, and nothing else."""
    start, stop = _changed(step.lines, proposal)
    if start == stop and not _new_of(step.lines, proposal, start, stop):
        return False
    result = applied(step.lines, [LineHunk(proposal.start, proposal.stop, proposal.new)])
    touched = sorted(h for h in step.due if h.start <= proposal.stop and h.stop >= proposal.start)
    inside = [h for h in touched if h.start <= stop and h.stop >= start]
    sets = [[hunk] for hunk in touched] + [inside, touched]
    return any(hunks and applied(step.lines, hunks) == result for hunks in sets)


def _changed(lines: Sequence[str], proposal: PredictedChange) -> tuple[int, int]:
    """The lines that a proposal really changes."""
    start, stop, new = proposal.start, proposal.stop, list(proposal.new)
    while start < stop and new and lines[start] == new[0]:
        start, new = start + 1, new[1:]
    while stop > start and new and lines[stop - 1] == new[-1]:
        stop, new = stop - 1, new[:-1]
    return start, stop


def _new_of(lines: Sequence[str], proposal: PredictedChange, start: int, stop: int) -> tuple[str, ...]:
    after = len(proposal.new) - (proposal.stop - stop)
    return proposal.new[start - proposal.start : after]


def text_given_place(steps: Sequence[ReleaseStep], predictions: Sequence[Prediction]) -> dict[Novelty, float]:
    """The share of next edits of each kind whose text is exactly what the model writes at their place."""
    found: defaultdict[Novelty, list[bool]] = defaultdict(list)
    for step, prediction in zip(steps, predictions, strict=True):
        if step.hunk is not None:
            found[step.kind].append(prediction.given is not None and _makes_next(step, prediction.given))
    return {kind: _share(values) for kind, values in found.items()}


def _makes_next(step: ReleaseStep, given: PredictedChange) -> bool:
    """Whether the text makes the next hunk, alone or with others in the window."""
    result = applied(step.lines, [LineHunk(given.start, given.stop, given.new)])
    window = sorted(h for h in step.due if h.start >= given.start and h.stop <= given.stop)
    return any(applied(step.lines, hunks) == result for hunks in ([step.due[0]], window))


def place(steps: Sequence[ReleaseStep], predictions: Sequence[Prediction], rank: int) -> dict[str, float]:
    """The shares of next edits for which one of the first ``rank`` places is near a remaining hunk (``any``), or near
    the next one (``next``); and of echoes (``echo_any``, ``echo_next``)."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for step, prediction in zip(steps, predictions, strict=True):
        if step.hunk is None:
            continue
        places = prediction.places[:rank]
        hits = {
            "any": any(_near(line, hunk) for line in places for hunk in step.due),
            "next": any(_near(line, step.due[0]) for line in places),
        }
        for name, hit in hits.items():
            found[name].append(hit)
            if step.kind is Novelty.ECHO:
                found["echo_" + name].append(hit)
    return {name: _share(values) for name, values in found.items()}


def _near(line: int, hunk: LineHunk) -> bool:
    return hunk.start - NEAR <= line <= max(hunk.stop - 1, hunk.start) + NEAR


def halves(projects: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The projects in two halves, alternately in the order of their names."""
    ordered = sorted(set(projects))
    return frozenset(ordered[::2]), frozenset(ordered[1::2])


def probabilities(steps: Sequence[ReleaseStep], predictions: Sequence[Prediction]) -> list[float]:
    """Of each proposal, the probability that it is right, by a logistic curve fitted on the other half of the projects.
    0 where there is no proposal."""
    found = [0.0] * len(steps)
    first, second = halves(step.project for step in steps)
    for own, other in ((first, second), (second, first)):
        fitted = [n for n, p in enumerate(predictions) if p.proposal and steps[n].project in other]
        asked = [n for n, p in enumerate(predictions) if p.proposal and steps[n].project in own]
        if not asked:
            continue
        weights = fit([steps[n] for n in fitted], [predictions[n] for n in fitted])
        features = _features(predictions, asked)
        for n, probability in zip(asked, logistic_curve(_design(features), weights), strict=True):
            found[n] = float(probability)
    return found


def fit(steps: Sequence[ReleaseStep], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """The weights of the curve for the features of proposals, the bias first. Without any proposal they are 0, so that
    the probability is one half."""
    proposed = [n for n, p in enumerate(predictions) if p.proposal]
    features = _features(predictions, proposed)
    if not proposed:
        return np.zeros(1 + features.shape[1])
    truth = [is_right(steps[n], proposal) for n in proposed if (proposal := predictions[n].proposal)]
    middle, width = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    bias, *weights = logistic(_design((features - middle) / width), truth, _RIDGE)
    raw = np.array(weights) / width
    return np.array([bias - float(raw @ middle), *raw])


def _features(predictions: Sequence[Prediction], numbers: Sequence[int]) -> NDArray[np.float64]:
    rows = [proposal.features for n in numbers if (proposal := predictions[n].proposal)]
    width = len(rows[0]) if rows else 0
    return np.clip(np.array(rows, dtype=np.float64).reshape(len(rows), width), -LARGEST, LARGEST)


def _design(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(features)), features])


def shown(
    steps: Sequence[ReleaseStep], predictions: Sequence[Prediction], probability: Sequence[float]
) -> dict[float, ShownShares]:
    """What is shown at each of `THRESHOLDS` of the probability."""
    right = _right(steps, predictions)
    return {least: _shown(steps, predictions, right, probability, least) for least in THRESHOLDS}


def at_precision(
    steps: Sequence[ReleaseStep], predictions: Sequence[Prediction], probability: Sequence[float]
) -> dict[float, ShownShares | None]:
    """The most that can be shown at each of `PRECISIONS`, by the lowest threshold that keeps it. None if none does."""
    right = _right(steps, predictions)
    ordered = sorted((n for n, p in enumerate(predictions) if p.proposal), key=lambda n: -probability[n])
    lowest: dict[float, float] = {}
    good = 0
    for count, n in enumerate(ordered, 1):
        good += right[n]
        last = count == len(ordered) or probability[ordered[count]] < probability[n]
        for precision in PRECISIONS:
            if last and good >= precision * count:
                lowest[precision] = probability[n]
    return {
        precision: _shown(steps, predictions, right, probability, lowest[precision]) if precision in lowest else None
        for precision in PRECISIONS
    }


def _right(steps: Sequence[ReleaseStep], predictions: Sequence[Prediction]) -> list[bool]:
    return [p.proposal is not None and is_right(s, p.proposal) for s, p in zip(steps, predictions, strict=True)]


def _shown(
    steps: Sequence[ReleaseStep],
    predictions: Sequence[Prediction],
    right: Sequence[bool],
    probability: Sequence[float],
    least: float,
) -> ShownShares:
    on = [p.proposal is not None and value >= least for p, value in zip(predictions, probability, strict=True)]
    edits = [n for n, step in enumerate(steps) if step.hunk is not None]
    ends = [n for n, step in enumerate(steps) if step.hunk is None]
    echoes = [n for n in edits if steps[n].kind is Novelty.ECHO]
    good = [a and b for a, b in zip(on, right, strict=True)]
    return ShownShares(
        shown=_share([on[n] for n in edits]),
        right=_share([good[n] for n in edits]),
        echoes=_share([good[n] for n in echoes]),
        precision=_share([good[n] for n in range(len(steps)) if on[n]]),
        at_ends=_share([on[n] for n in ends]),
    )


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
