"""How many threads to compute with."""

from __future__ import annotations

import pytest
import torch

from tabspec.models import threads
from tabspec.models.threads import Threads, fitting, leaving_one, threads_to_use


@pytest.mark.parametrize(
    ("most", "cores", "lately", "others", "found"),
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
def test_the_rule(most: int, cores: int, lately: float, others: int, found: int) -> None:
    assert fitting(most, cores, lately, others) == found


def test_here() -> None:
    assert 1 <= threads_to_use(2) <= 2
    assert threads_to_use(1) == 1


def test_what_is_asked_ahead_leaves_a_core() -> None:
    assert [leaving_one(number) for number in (1, 2, 8)] == [1, 1, 7]


@pytest.mark.parametrize(("free", "foreground", "ahead"), [(4, 4, 3), (2, 2, 1), (1, 1, 1)])
def test_threads_of_a_pass(monkeypatch: pytest.MonkeyPatch, free: int, foreground: int, ahead: int) -> None:
    monkeypatch.setattr(threads, "threads_to_use", lambda most: min(free, most))
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        for model in (Threads(), Threads()):  # what one has set is not taken by another for all there are
            model.look()
            for urgent, count in ((True, foreground), (False, ahead), (True, foreground), (False, ahead)):
                model.use(urgent)
                assert torch.get_num_threads() == count
        torch.set_num_threads(5)  # somebody else has
        model.look()
        model.use(False)
        assert torch.get_num_threads() == ahead
    finally:
        torch.set_num_threads(before)
