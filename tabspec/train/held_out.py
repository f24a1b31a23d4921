"""Figures of held-out rows: losses by part, and how many answers and tags are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabspec.train.examples.parts import Part
from tabspec.train.goals import Goals, SpecialIds


@dataclass(frozen=True, slots=True)
class Judged:
    """The goals of some rows, with the loss of each, and the most likely token."""

    goals: Goals
    losses: NDArray[np.float32]
    chosen: NDArray[np.int64]


def figures(judged: Sequence[Judged], special: SpecialIds) -> dict[str, float]:
    """Figures by the field names of `tabspec.train.journal.Record`. Those of no goals are left out."""
    targets = np.concatenate([each.goals.targets for each in judged])
    parts = np.concatenate([each.goals.parts for each in judged])
    losses = np.concatenate([each.losses for each in judged])
    right = np.concatenate([each.chosen for each in judged]) == targets
    first, exact, same = _answers(judged, special)
    tag = parts >= Part.TAG_STAYS
    values = {
        "validation": losses,
        "prefixes": losses[parts == Part.PREFIX],
        "middles": losses[parts == Part.MIDDLE],
        "ends": losses[(parts == Part.MIDDLE) & (targets == special.end)],
        "copied": losses[parts == Part.COPIED],
        "written": losses[parts == Part.WRITTEN],
        "tags": losses[tag],
        "answers": exact[~same],
        "changes": first[~same],
        "stays": first[same],
        "found": right[tag & (parts != Part.TAG_STAYS)],
        "false": ~right[parts == Part.TAG_STAYS],
    }
    return {name: float(value.mean()) for name, value in values.items() if len(value)}


def _answers(
    judged: Sequence[Judged], special: SpecialIds
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """For each answer: whether its decision between "same" and a change is right, whether all its tokens are, and
    whether it is "same"."""
    decided: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)]
    exact, same = list(decided), list(decided)
    for each in judged:
        places = np.flatnonzero(np.isin(each.goals.parts, (Part.COPIED, Part.WRITTEN)))
        if not len(places):
            continue
        targets, chosen = each.goals.targets[places], each.chosen[places]
        begins = np.flatnonzero(
            np.diff(each.goals.places[places], prepend=-2) != 1
        )  # a question is between two answers
        same.append(targets[begins] == special.same)
        exact.append(np.logical_and.reduceat(targets == chosen, begins))
        decided.append((chosen[begins] == special.same) == same[-1])
    return np.concatenate(decided), np.concatenate(exact), np.concatenate(same)
