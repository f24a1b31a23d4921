"""The reward of what is shown: its sign, its scale, and where showing begins to be worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.reward import ACCEPTED, REFUSED, effort, expected_reward, reward, saved_keys
from tabspec.text import Edit

KEYS = st.integers(0, 10_000)


@given(KEYS, KEYS)
def test_an_accept_is_a_gain_and_a_refusal_a_loss_in_proportion(one: int, more: int) -> None:
    assert reward(False, one) <= 0 <= reward(True, one)
    assert reward(True, one) == -3 * reward(False, one)
    for accepted in (True, False):
        assert reward(accepted, one) + reward(accepted, more) == reward(accepted, one + more)
    assert reward(True, 0) == reward(False, 0) == 0


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_showing_pays_above_one_in_four_at_any_length(probability: float, saved: int) -> None:
    found = expected_reward(probability, saved)
    assert REFUSED * saved <= found <= ACCEPTED * saved
    if abs(probability - 0.25) > 1e-9:
        assert (found > 0) == (probability > 0.25)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 200))
def test_the_expectation_is_the_mean_of_the_outcomes(outcomes: list[bool], saved: int) -> None:
    mean = sum(reward(accepted, saved) for accepted in outcomes) / len(outcomes)
    assert expected_reward(sum(outcomes) / len(outcomes), saved) == pytest.approx(mean)


@given(st.integers(0, 50), st.integers(0, 50), st.text(max_size=50), st.booleans())
def test_saved_keys_are_those_of_typing_it_without_the_tab(offset: int, delete: int, insert: str, moves: bool) -> None:
    change = Edit(offset, delete, insert)
    pressed = (["move"] if moves else []) + (["delete"] if delete else []) + list(insert)
    assert effort(change, moves) == len(pressed)
    assert saved_keys(change, moves) == (len(pressed) - 1 if pressed else 0)
