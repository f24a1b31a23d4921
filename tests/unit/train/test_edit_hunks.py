"""Hunks of releases: all of them give the new file in any order, and each moment between is what was done so far."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.train.edits.hunks import MOST_LINES, LineHunk, after, applied, hunks_between, small_hunks
from tabspec.train.edits.moment import EditMoment, half_typed
from tabspec.train.edits.order import order_of
from tabspec.train.edits.synthetic.make import as_hunks, reverse
from tests.examples import examples

LINES = st.lists(st.sampled_from(["", "a = b", "def f(a):", "    return a", "x", "import os"]), max_size=30)
BLOCK = st.lists(st.sampled_from(["long", "block", "of", "lines"]), min_size=MOST_LINES + 1, max_size=30)


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES, new=LINES)
def test_hunks_turn_the_old_lines_into_the_new_ones(old: list[str], new: list[str]) -> None:
    hunks = hunks_between(old, new)
    assert applied(old, hunks) == new
    assert all(first.stop < second.start for first, second in pairwise(hunks))
    assert all(list(hunk.new) != old[hunk.start : hunk.stop] for hunk in hunks)


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES, new=LINES, block=BLOCK, at=st.integers(0, 30))
def test_long_hunks_are_made_before(old: list[str], new: list[str], block: list[str], at: int) -> None:
    longer = new[:at] + block + new[at:]
    base, hunks = small_hunks(old, longer)
    assert applied(base, hunks) == longer
    assert all(max(len(hunk.new), hunk.stop - hunk.start) <= MOST_LINES for hunk in hunks)


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES, new=LINES, seed=st.integers(0, 10_000))
def test_any_order_of_hunks_leads_to_the_new_lines(old: list[str], new: list[str], seed: int) -> None:
    rng = Random(seed)
    hunks = hunks_between(old, new)
    order = order_of(old, hunks, rng)
    assert sorted(order) == hunks
    moment = EditMoment("a.py", list(old), [], list(order))
    made: list[LineHunk] = []
    for hunk in order:
        moment.make(moment.due[0])
        made.append(hunk)
        assert moment.lines == applied(old, sorted(made))  # the oracle: the hunks made so far, applied from the top
        assert moment.last is not None
        assert moment.lines[slice(*moment.last)] == list(hunk.new)
        past = moment.history[-1]
        assert past.old == ("\n".join(old[hunk.start : hunk.stop]) if hunk.start < hunk.stop else None)
        assert applied(moment.lines, sorted(moment.due)) == new
    assert moment.lines == new
    assert len(moment.history) == len(hunks)


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES, new=LINES, seed=st.integers(0, 10_000))
def test_a_half_typed_edit_can_be_completed(old: list[str], new: list[str], seed: int) -> None:
    rng = Random(seed)
    moment = EditMoment("a.py", list(old), [], hunks_between(old, new))
    rng.shuffle(moment.due)
    if moment.due and moment.make_half(moment.due[0], rng):
        assert applied(moment.lines, sorted(moment.due)) == new
        assert moment.lines not in (old, new)


@settings(max_examples=examples(300), deadline=None)
@given(
    old=st.lists(st.text("ab (", max_size=6), max_size=3),
    new=st.lists(st.text("ab (", max_size=12), min_size=1, max_size=3),
    seed=st.integers(0, 10_000),
)
def test_half_typed_lines_are_cut_within_what_was_typed(old: list[str], new: list[str], seed: int) -> None:
    found = half_typed(old, new, Random(seed))
    if found is not None:
        cut, replaced = found
        assert list(cut[:-1]) == new[: len(cut) - 1]
        assert replaced == min(len(cut), len(old))
        assert 0 < len(cut[-1].strip()) <= len(new[len(cut) - 1])
        assert cut[-1] != new[len(cut) - 1]


@settings(max_examples=examples(200), deadline=None)
@given(
    old=LINES.filter(bool),
    new=st.dictionaries(st.integers(0, 29), st.lists(st.sampled_from(["x", "y", "a = b"]), max_size=3), min_size=1),
    joined=st.booleans(),
)
def test_reversed_hunks_lead_back(old: list[str], new: dict[int, list[str]], joined: bool) -> None:
    changes = {number: tuple(lines) for number, lines in new.items() if number < len(old)}
    hunks = as_hunks(old, changes, joined)
    expected = [line for number, own in enumerate(old) for line in changes.get(number, (own,))]
    assert applied(old, hunks) == expected
    text, back = reverse(old, hunks)
    assert text == expected
    assert applied(text, back) == old


def test_of_two_insertions_at_a_line_the_first_one_made_comes_first() -> None:
    assert after(LineHunk(3, 3, ("b",)), LineHunk(3, 3, ("a",))) == LineHunk(4, 4, ("b",))
    assert after(LineHunk(3, 4, ("b",)), LineHunk(5, 6, ("a", "c"))) == LineHunk(3, 4, ("b",))
