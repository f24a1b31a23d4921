"""Two editors on one daemon in their simulation: no invariant is violated, and planted bugs are found."""

from __future__ import annotations

from collections import Counter

import pytest

from ..layers.layer import simulate
from ..mutant import Mutant
from .shared import SharedLayer
from .shared_mutants import MUTANTS

# The nightly part: the rarest planted bug was found by the ninth seed.
SEEDS, BUG_SEEDS, EVENTS = 40, 60, 200
# What has to come about within a few seeds.
COUNTED = ("cancelled", "died", "edit", "edit taken", "instant edit", "left", "offered", "taken")


@pytest.mark.slow
def test_a_few_seeds() -> None:
    counts = Counter[str]()
    for seed in range(6):
        counts.update(simulate(SharedLayer, seed, EVENTS).counts)
    assert min(counts[name] for name in COUNTED) > 5, counts


def test_a_seed_is_reproduced_to_the_event() -> None:
    assert simulate(SharedLayer, 2, 60) == simulate(SharedLayer, 2, 60)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_bug_can_be_planted(mutant: Mutant) -> None:
    """The place for it is still in the source; whether it is found is seen each night."""
    with mutant.planted():
        pass


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_nothing_is_found_where_no_bug_was_planted(first: int) -> None:
    for seed in range(first, first + 10):
        simulate(SharedLayer, seed, EVENTS)


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    with mutant.planted():
        for seed in range(BUG_SEEDS):
            try:
                simulate(SharedLayer, seed, EVENTS)
            except Exception:
                return
    pytest.fail(f"not found in {BUG_SEEDS} seeds of {EVENTS} events: {mutant}")
