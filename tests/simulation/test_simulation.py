"""The engine in the simulator: no invariant is violated, and there was something to violate."""

from __future__ import annotations

from collections import Counter

import pytest

from tabspec.suggestion import Reason, Source

from . import run
from .faults import FAILURES
from .invariants import Violation
from .simulator import Report, simulate
from .test_mutants import EVENTS, SEEDS
from .world import World

# Those whose sum `test_a_few_seeds` looks at; the others are only run.
FEW = 16
# 100 seeds of 2,000 events, each night. `scripts/soak.sh` runs fifty times as many.
MANY = [range(first, first + 10) for first in range(0, 100, 10)]


@pytest.mark.slow
def test_a_few_seeds() -> None:
    """Everything that can come about does within a few seeds: each source, each reason, failures, evictions."""
    sources, reasons, totals = Counter[str](), Counter[str](), Counter[str]()
    for seed in range(FEW):
        report = simulate(seed, EVENTS)
        sources.update(report.sources)
        reasons.update(report.reasons)
        totals.update(failures=report.failures, evictions=report.evictions, events=report.events)
        totals.update(endless=report.endless, freezes=report.freezes)
    assert {source for source, n in sources.items() if n} == set(Source)
    assert {reason for reason, n in reasons.items() if n} == set(Reason)
    assert totals["failures"] > 20 * len(FAILURES) and totals["evictions"] > 100
    assert totals["endless"] > 20 and totals["freezes"] > 5


@pytest.mark.parametrize("seed", [5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 6, 11))])
def test_a_seed_is_reproduced_to_the_byte(seed: int) -> None:
    """Seed 5 has answers without end; seed 6 has a process that freezes, too."""
    runs: list[list[str]] = [[], []]
    first, second = (simulate(seed, 300, run.append) for run in runs)
    assert runs[0] == runs[1] and first == second
    longer: list[str] = []
    simulate(seed, 400, longer.append)
    last = next(i for i, line in enumerate(runs[0]) if "--- 300 " in line)
    assert longer[:last] == runs[0][:last], "more events change nothing in those before"


def test_seeds_give_different_configurations() -> None:
    worlds = [World(seed) for seed in range(100)]
    assert len({repr(world.config) for world in worlds}) > 90
    assert {world.slots for world in worlds} == {1, 2, 4}
    assert {world.together for world in worlds} == {1, 2, 4}
    assert len({world.config.policy for world in worlds}) == len(type(worlds[0].config.policy))


def test_the_runner_prints_one_line_when_all_invariants_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--seeds", "0..3", "--events", "50", "--processes", "2"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "seeds 0..3, no violation" in line and int(line.partition(" ")[0]) >= 200


def test_the_runner_fails_at_a_violation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(seed: int, events: int, note: object) -> Report:
        if seed == 2:
            raise Violation("planted")
        return simulate(seed, events)

    monkeypatch.setattr(run, "simulate", broken)
    assert run.main(["--seeds", "0..3", "--events", "50"]) == 1
    assert "planted" in capsys.readouterr().err
    for wrong in (["--seeds", "3..1"], ["--seeds", "3"], ["--processes", "x"], ["--trace", "--processes", "2"]):
        with pytest.raises(SystemExit) as ended:
            run.main(wrong)
        assert ended.value.code == 2


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("seeds", MANY, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_no_violation_in_two_hundred_thousand_events(seeds: range) -> None:
    assert sum(simulate(seed, 2000).events for seed in seeds) >= 20_000


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FEW, SEEDS, 11))
def test_nothing_is_found_where_no_bug_was_planted(first: int) -> None:
    """The seeds and events in which `test_mutants` finds each planted bug; `test_a_few_seeds` has the first of them."""
    for seed in range(first, min(first + 11, SEEDS)):
        simulate(seed, EVENTS)
