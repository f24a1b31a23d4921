"""The simulator finds planted bugs, so its checks are effective."""

from __future__ import annotations

import pytest

from .mutant import Mutant
from .mutants import MUTANTS
from .simulator import simulate

# The seeds (of so many events) that the fast test runs without a bug, and those within which every bug must be found:
# the rarest was found by the 93rd.
SEEDS, BUG_SEEDS, EVENTS = 60, 150, 500


def found(mutant: Mutant) -> tuple[int, BaseException] | None:
    """The first seed that finds it, and its message."""
    with mutant.planted():
        for seed in range(BUG_SEEDS):
            try:
                simulate(seed, EVENTS)
            except Exception as violation:
                return seed, violation
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_bug_can_be_planted(mutant: Mutant) -> None:
    """The place for it is still in the source; whether it is found is seen each night."""
    with mutant.planted():
        pass


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    assert found(mutant), f"not found in {BUG_SEEDS} seeds of {EVENTS} events: {mutant}"
