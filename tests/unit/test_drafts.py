"""Prompt lookup, against a search that is plain and slow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.drafts import PromptLookup

TOKENS = st.lists(st.integers(0, 3) | st.sampled_from([256, 65536, 1 << 24]), max_size=40)


def slow(tokens: list[int], length: int) -> list[int]:
    for count in (4, 3, 2):
        for at in range(len(tokens) - count - 1, -1, -1):
            if tokens[at : at + count] == tokens[-count:]:
                return tokens[at + count : at + count + length]
    return []


@given(tokens=TOKENS, length=st.integers(1, 5))
def test_what_followed_last_time(tokens: list[int], length: int) -> None:
    assert list(PromptLookup(length=length).propose(tokens)) == slow(tokens, length)


def test_control_tokens_end_a_proposal() -> None:
    assert list(PromptLookup(barred={9}).propose([1, 2, 3, 9, 4, 1, 2])) == [3]
    assert list(PromptLookup(barred={3}).propose([1, 2, 3, 9, 4, 1, 2])) == []


def test_it_stops_guessing_where_guesses_are_wrong() -> None:
    lookup, tokens = PromptLookup(), [1, 2, 3, 4, 1, 2]
    for _ in range(30):
        if lookup.propose(tokens):
            lookup.verified(0, 3)
    offered = [bool(lookup.propose(tokens)) for _ in range(120)]
    assert 1 <= sum(offered) <= 12
    for _ in range(20):
        lookup.verified(3, 3)
    assert lookup.propose(tokens)
