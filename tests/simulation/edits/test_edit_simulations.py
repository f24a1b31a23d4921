"""Next edits and two editors on one daemon, simulated: no invariant is violated, and planted bugs are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from ..layers.layer import Layer, simulate
from ..mutant import Mutant
from . import mutants, shared_mutants
from .layer import EditsLayer
from .shared import SharedLayer


@dataclass(frozen=True)
class Simulation:
    """``counted`` has to come about within ``few`` seeds of ``events`` events. Without a planted bug nothing is found
    in `SEEDS` seeds; each planted bug is found within ``bug_seeds``."""

    layer: type[Layer]
    mutants: Sequence[Mutant]
    events: int
    few: int
    bug_seeds: int
    counted: tuple[str, ...]

    def __str__(self) -> str:
        return self.layer.__name__


SEEDS = 40
EDITS = Simulation(
    EditsLayer,
    mutants.MUTANTS,
    events=300,
    few=16,
    bug_seeds=80,
    counted=("accepted", "again", "edit", "instant", "jumped", "offered", "refused", "slept", "undone"),
)
SHARED = Simulation(
    SharedLayer,
    shared_mutants.MUTANTS,
    events=200,
    few=6,
    bug_seeds=60,  # the rarest planted bug was found by the ninth seed
    counted=("cancelled", "died", "edit", "edit taken", "instant edit", "left", "offered", "taken"),
)
EACH = pytest.mark.parametrize("simulation", [EDITS, SHARED], ids=str)
EACH_MUTANT = pytest.mark.parametrize(
    ("simulation", "mutant"), [(each, mutant) for each in (EDITS, SHARED) for mutant in each.mutants], ids=str
)


@pytest.mark.slow
@EACH
def test_a_few_seeds(simulation: Simulation) -> None:
    counts = Counter[str]()
    for seed in range(simulation.few):
        counts.update(simulate(simulation.layer, seed, simulation.events).counts)
    assert min(counts[name] for name in simulation.counted) > 5, counts


@EACH
def test_a_seed_is_reproduced_to_the_event(simulation: Simulation) -> None:
    assert simulate(simulation.layer, 2, 60) == simulate(simulation.layer, 2, 60)


@EACH_MUTANT
def test_a_bug_can_be_planted(simulation: Simulation, mutant: Mutant) -> None:
    """The place for it is still in the source; whether it is found is seen each night."""
    with mutant.planted():
        pass


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, 10))
@EACH
def test_nothing_is_found_where_no_bug_was_planted(simulation: Simulation, first: int) -> None:
    for seed in range(first, first + 10):
        simulate(simulation.layer, seed, simulation.events)


@pytest.mark.nightly
@pytest.mark.slow
@EACH_MUTANT
def test_a_planted_bug_is_found(simulation: Simulation, mutant: Mutant) -> None:
    with mutant.planted():
        for seed in range(simulation.bug_seeds):
            try:
                simulate(simulation.layer, seed, simulation.events)
            except Exception:
                return
    pytest.fail(f"not found in {simulation.bug_seeds} seeds of {simulation.events} events: {mutant}")
