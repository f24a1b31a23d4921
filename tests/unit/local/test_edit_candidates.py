"""What the edit model judges beside its own answers: what repeats past edits, and what patterns propose."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.changes import LineChange, made_again, repeated, replacements
from tabspec.models.local.edits.judge import Judge, WrittenChange
from tabspec.models.local.edits.patterns import LEAST, patterns
from tabspec.models.local.edits.scene import region_lines
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.prompt.edit_format import PastLines, Tag
from tests.edit_decoder import ruled

FAR = "".join(f"other_{number}(a, [{number}], {{}}) and then_{number}(b, c)\n" for number in range(60))


def asked(text: str, *past: PastEdit) -> EditRequest:
    return EditRequest("a.py", "python", "", text, "", 0, 0, "", past)


def written(model: LocalEdits, request: EditRequest) -> list[WrittenChange]:
    async def read() -> list[WrittenChange]:
        return [each async for each, _ in model.written(request) if each is not None]

    return asyncio.run(read())


# The same operator between the same operands elsewhere is a proposal that is not likely enough by itself.
PAST = PastEdit("a.py", 0, "total = count + 1\n", "total = count - 1\n")
TEXT = f"total = count - 1\n{FAR}other = count + 1\n{FAR}"
WANTED = TEXT.replace("count + 1", "count - 1")


def proposed(request: EditRequest) -> list[str]:
    lines = region_lines(request.region)
    return ["\n".join(each.change.apply(lines)) + "\n" for each in patterns(request, lines, request.history, 0)]


def test_a_proposal_beyond_the_lines_around_the_last_edit_is_read_and_judged() -> None:
    request = asked(TEXT, PAST)
    assert proposed(request) == [WANTED]
    # The model itself would change nothing.
    model, _ = ruled(lambda window: window, lambda line: Tag.STAYS)
    near, far = model.prompts.scenes.scenes(request)
    assert "other = count + 1" not in near.scanned and "other = count + 1" in far.scanned
    (found,) = written(model, request)
    assert "\n".join(found.change.apply(region_lines(TEXT))) + "\n" == WANTED
    assert found.evidence.pattern >= LEAST and found.evidence.repeats and not found.evidence.partly
    assert min(found.evidence.logprobs) < -3  # it would have written that nothing changes


def test_what_the_model_writes_itself_is_not_judged_again() -> None:
    model, _ = ruled(
        lambda window: window.replace("count + 1", "count - 1"),
        lambda line: Tag.CHANGES if "count + 1" in line else Tag.STAYS,
    )

    async def judged(*_: object) -> None:
        raise AssertionError("a second question about the same change")

    model.score = judged  # type: ignore[method-assign,assignment]
    (found,) = written(model, asked(TEXT, PAST))
    assert found.evidence.pattern >= LEAST and found.evidence.repeats
    assert min(found.evidence.logprobs) > -1


def test_an_accepted_edit_is_no_example_and_a_paste_neither() -> None:
    for taught in ({"accepted": True, "proposed": True}, {"typed": False}):
        past = PastEdit("a.py", 0, PAST.old, PAST.new, **taught)
        assert proposed(asked(TEXT, past)) == []
    elsewhere = PastEdit("b.py", 7, PAST.old, PAST.new, elsewhere=True)
    assert proposed(asked(TEXT, elsewhere)) == [WANTED]


def test_the_lines_of_the_last_edit_are_left_to_the_user() -> None:
    text = f"a = 1\nb = fet\nc = 3\n{FAR}"
    model, _ = ruled(
        lambda window: window.replace("= fet\n", "= fetch()\n").replace("c = 3", "c = fetch(3)"),
        lambda line: Tag.CHANGES if line.startswith(("b =", "c =")) else Tag.STAYS,
    )
    typed = PastEdit("a.py", 1, "b = 2\n", "b = fet\n")
    # One window has both lines: the change of it begins with a line of the last edit.
    assert written(model, asked(text, typed)) == []
    (found,) = written(model, asked(text, replace(typed, line=0)))  # it is not there any more
    assert found.change.apply(region_lines(text))[1:3] == ["b = fetch()", "c = fetch(3)"]
    judge = Judge(asked(text, typed))
    touching = [LineChange(1, 2, ("x",)), LineChange(0, 2, ("x",)), LineChange(1, 3, ("x", "y"))]
    beside = [LineChange(0, 1, ("x",)), LineChange(2, 3, ("x",)), LineChange(1, 1, ("x",)), LineChange(2, 2, ("x",))]
    assert [judge.written(each, 0.5, (-0.1,)) for each in touching] == [None, None, None]
    assert all(judge.written(each, 0.5, (-0.1,)) for each in beside)


def test_lines_that_end_otherwise_have_no_proposals() -> None:
    assert proposed(asked(TEXT.replace(FAR, FAR + "a\rb\n", 1), PAST)) == []


def test_a_proposal_that_is_longer_than_an_answer_is_not_judged() -> None:
    line = f"total = count + {'number' * 100}\n"
    past = PastEdit("a.py", 0, "total = count + 1\n", line)
    request = asked(f"{line}{FAR}other = count + 1\n{FAR}", past)
    assert len(proposed(request)) == 1
    model, _ = ruled(lambda window: window, lambda line: Tag.STAYS)
    assert written(model, request) == []


def test_a_proposal_is_judged_by_the_likeliest_scene_that_holds_it() -> None:
    request = asked(TEXT, PAST)
    model, _ = ruled(lambda window: window, lambda line: Tag.STAYS)
    read, _ = asyncio.run(model._scenes(request))
    (found,) = Judge(request).proposals(read)
    inside = found.change.start - found.scene.first
    assert found.scene.lines[inside] == "other = count + 1"
    assert found.place.start <= inside < found.place.stop
    other = Judge(request).proposals([(scene, {}) for scene, _ in read])
    assert [each.place.probability for each in other] == [0.0]


WORD = st.sampled_from(["a", "b", "f(", ")", "1", ",", "\n", " "])
TEXTS = st.lists(WORD, max_size=12).map("".join)


@given(TEXTS, TEXTS)
def test_replacements_turn_the_old_tokens_into_the_new(old: str, new: str) -> None:
    """White space does not count; with all replacements undone, nothing is left to compare."""
    found = replacements(old, new)
    same = "".join(old.split()) == "".join(new.split())
    assert same or found
    removed, added = sum(len(a) for a, _ in found), sum(len(b) for _, b in found)
    before, after = ([char for char in text if not char.isspace()] for text in (old, new))
    assert removed <= len(before) and added <= len(after)
    if not SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        assert not found


LINE = st.sampled_from(["x = a", "y = b(a)", "", "z"])


@given(st.lists(LINE, max_size=6), st.lists(LINE, max_size=3), st.integers(0, 5), st.integers(0, 3))
def test_the_least_change_does_the_same_and_begins_and_ends_with_a_difference(
    lines: list[str], new: list[str], start: int, size: int
) -> None:
    start = min(start, len(lines))
    change = LineChange(start, min(start + size, len(lines)), tuple(new))
    least = change.least(lines)
    assert least.apply(lines) == change.apply(lines)
    old = lines[least.start : least.stop]
    assert not (old and least.new) or (old[0] != least.new[0] and old[-1] != least.new[-1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = old(1)\n  y = [old, older]", "x = new.name(1)\n  y = [new.name, older]"),
        ("a bar  baz  # old", "a qux  # new.name"),  # the longest that fits
        ("bar(2 + 1)", "quux(2 + 1)"),
        ("(x", "(x"),  # one letter or a bracket says nothing
        ("", ""),
    ],
)
def test_what_was_replaced_before_is_replaced_again(text: str, expected: str) -> None:
    past = (
        PastLines("f(old)", "f(not_this)"),
        PastLines("x = old(3)", "x = new.name(3)"),
        PastLines("m bar n", "m quux n"),
        PastLines("m bar baz n", "m qux n"),
        PastLines("(x)", "[x]"),
        PastLines("z = gone(1)", None),
    )
    assert made_again(text, past) == expected


NAMES = st.sampled_from(["alpha", "beta", "gamma", "x"])


@given(
    st.lists(st.tuples(NAMES, NAMES), max_size=5), st.lists(st.one_of(NAMES, st.sampled_from([" ", ".", "\n", "1"])))
)
def test_renames_made_again_are_made_all_at_once(renames: list[tuple[str, str]], pieces: list[str]) -> None:
    """Brute force: each word by itself, by the last rename of it. One letter is no name."""
    text = " ".join(pieces)
    past = [PastLines(f"f({old}, 1)", f"f({new}, 1)") for old, new in renames if old != new]
    table = {old: new for old, new in renames if old != new and len(old) > 1}
    expected = re.sub(r"[a-z]+", lambda word: table.get(word.group(), word.group()), text)
    assert made_again(text, past) == expected


def test_a_place_without_a_pattern_is_judged_with_what_was_replaced_before() -> None:
    text = f"total = fetch(first)\n{FAR}other = [fetch, count]\n{FAR}"
    past = PastEdit("a.py", 0, "total = count(first)\n", "total = fetch(first)\n")
    wanted = text.replace("[fetch, count]", "[fetch, fetch]")
    model, _ = ruled(lambda window: window, lambda line: Tag.CHANGES if "count]" in line else Tag.STAYS)
    (found,) = written(model, asked(text, past))
    assert "\n".join(found.change.apply(region_lines(text))) + "\n" == wanted
    assert found.evidence.repeats and not found.evidence.pattern


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("new(1)", (True, False)),
        ("new(2)", (False, True)),
        ("other(1)", (False, False)),
        ("old( 1 )", (False, False)),
    ],
)
def test_what_was_replaced_before_is_repeated(new: str, expected: tuple[bool, bool]) -> None:
    past = (PastLines("x = old(3)", "x = new(3)"), PastLines(None, "y"))
    assert repeated(LineChange(0, 1, (new,)), ["old(1)"], past) == expected


@pytest.mark.parametrize(("times", "repeats"), [(1, False), (2, True)])
def test_a_number_is_repeated_only_if_it_was_replaced_twice(times: int, repeats: bool) -> None:
    past = tuple(PastLines(f"{name} = 300", f"{name} = 250") for name in ("delay", "offset")[:times])
    assert repeated(LineChange(0, 1, ("wait(250)",)), ["wait(300)"], past) == (repeats, False)
