"""How many threads to compute with."""

from __future__ import annotations

import pytest

from tabspec.models.threads import fitting, threads_to_use


@pytest.mark.parametrize(
    ("most", "cores", "lately", "others", "threads"),
    [
        (2, 2, 0.3, 0, 2),  # idle
        (2, 2, 0.3, 2, 2),  # a moment's noise
        (2, 2, 6.0, 0, 2),  # was busy, is not any more
        (2, 2, 6.0, 5, 1),
        (8, 16, 14.0, 4, 8),
        (16, 16, 14.0, 4, 12),
        (1, 16, 14.0, 4, 1),
    ],
)
def test_the_rule(most: int, cores: int, lately: float, others: int, threads: int) -> None:
    assert fitting(most, cores, lately, lambda: others) == threads


def test_where_there_was_no_load_nobody_is_counted() -> None:
    assert fitting(2, 2, 0.3, lambda: pytest.fail("reads a file a thread")) == 2


def test_here() -> None:
    assert 1 <= threads_to_use(2) <= 2
    assert threads_to_use(1) == 1
