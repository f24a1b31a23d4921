"""The number of threads for decoding."""

from __future__ import annotations

import pytest

from tabspec.models.machine.threads import fitting, threads_to_use


@pytest.mark.parametrize(
    ("most", "cores", "lately", "others", "threads"),
    [
        (2, 2, 0.3, 0, 2),  # idle
        (2, 2, 0.3, 2, 2),  # a moment's noise
        (2, 2, 6.0, 0, 2),  # was busy, is not any more
        (2, 2, 6.0, 1, 1),
        (2, 2, 6.0, 5, 1),
        (8, 16, 14.0, 4, 8),
        (16, 16, 14.0, 4, 12),
        (1, 16, 14.0, 4, 1),
    ],
)
@pytest.mark.parametrize("own", [1, 2, 3])
def test_threads_follow_the_load_of_the_machine(
    most: int, cores: int, lately: float, others: int, threads: int, own: int
) -> None:
    assert fitting(most, cores, lately, others + own, lambda: own) == threads


@pytest.mark.parametrize(("lately", "running"), [(0.3, 5), (6.0, 1)])
def test_the_load_is_not_read_when_it_does_not_matter(lately: float, running: int) -> None:
    assert fitting(2, 2, lately, running, lambda: pytest.fail("reads a file a thread")) == 2


def test_the_number_of_threads_on_this_machine() -> None:
    assert 1 <= threads_to_use(2) <= 2
    assert threads_to_use(1) == 1
