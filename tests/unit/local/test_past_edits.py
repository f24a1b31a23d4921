"""What past edits come to: the hunks of a diff, as the edit model was trained on them."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.edit_protocol import PastEdit
from tabspec.models.local.edits.past import MOST_LINES, net
from tabspec.prompt.edit_format import PastLines

LINE = st.sampled_from(["a", "b = 1", "", "c(d)", "é"])


def edit(line: int, old: list[str], new: list[str], elsewhere: bool = False) -> PastEdit:
    texts = ("".join(f"{each}\n" for each in lines) for lines in (old, new))
    return PastEdit("b.py" if elsewhere else "a.py", line, *texts, elsewhere=elsewhere)


def test_a_copied_line_that_is_changed_is_one_inserted_line() -> None:
    copied, changed = edit(4, [], ["version"]), edit(4, ["version"], ["documentation"])
    assert net([copied, changed]) == (PastLines(None, "documentation"),)
    # What was written above it has moved it.
    above = edit(1, ["x"], ["x", "y"])
    moved = edit(5, ["version"], ["documentation"])
    assert net([copied, above, moved]) == (PastLines("x", "x\ny"), PastLines(None, "documentation"))


def test_what_is_as_it_was_is_left_out_and_what_touches_stays_apart() -> None:
    there, back = edit(2, ["a"], ["b"]), edit(2, ["b"], ["a"])
    assert net([there, back]) == ()
    assert net([edit(2, [], ["a"]), edit(2, ["a"], [])]) == ()
    beside = edit(3, [], ["c"])
    assert net([there, beside]) == (PastLines("a", "b"), PastLines(None, "c"))
    partly = edit(2, ["b", "z"], ["c"])
    assert net([there, partly]) == (PastLines("a", "b"), PastLines("b\nz", "c"))
    # After a change that took a part of its lines, nothing is within it any more.
    assert len(net([there, partly, edit(2, ["c"], ["d"]), edit(2, ["d"], ["e"])])) == 2


def test_edits_of_other_files_are_left_as_they_are() -> None:
    other = edit(2, ["b"], ["c"], elsewhere=True)
    assert net([edit(2, ["a"], ["b"]), other]) == (PastLines("a", "b"), PastLines("b", "c", "b.py"))


def test_a_block_that_grows_longer_than_a_hunk_of_training_is_not_one_edit() -> None:
    block = edit(0, [], [str(number) for number in range(MOST_LINES)])
    assert len(net([block, edit(3, ["3"], ["3", "x"])])) == 2
    assert len(net([block, edit(3, ["3"], ["x"])])) == 1


@given(st.lists(st.tuples(st.integers(0, 30), LINE, st.lists(LINE, max_size=2)), max_size=12))
def test_edits_within_an_inserted_block_are_one_insertion(changes: list[tuple[int, str, list[str]]]) -> None:
    """Brute force: the block's text after all of them."""
    block = ["first", "second", "third"]
    history = [edit(10, [], list(block))]
    for place, _, new in changes:
        at = place % len(block)
        if len(block) - 1 + len(new) not in range(1, MOST_LINES + 1):
            continue
        history.append(edit(10 + at, [block[at]], new))
        block[at : at + 1] = new
    assert net(history) == (PastLines(None, "\n".join(block)),)


@given(
    st.lists(st.tuples(st.lists(LINE, max_size=2), st.lists(LINE, max_size=3), st.integers(1, 3)), max_size=8),
    st.randoms(),
)
def test_edits_that_do_not_touch_are_left_as_they_are(
    hunks: list[tuple[list[str], list[str], int]], random: Random
) -> None:
    """In any order, from a text to another: what stands at which line is brute force."""
    lines: list[tuple[str, int | None]] = [("top", None)]
    for number, (old, _, gap) in enumerate(hunks):
        lines += [(text, number) for text in old]
        lines += [("between", None)] * gap
    order = [number for number, (old, new, _) in enumerate(hunks) if old != new and old]
    random.shuffle(order)
    history, expected = [], []
    for number in order:
        old, new, _ = hunks[number]
        at = next(place for place, (_, owner) in enumerate(lines) if owner == number)
        history.append(edit(at, old, new))
        lines[at : at + len(old)] = [(text, -1) for text in new]
        expected.append(PastLines("\n".join(old), "\n".join(new) if new else None))
    assert net(history) == tuple(expected)
