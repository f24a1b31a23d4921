"""The edit model of a local process: what it reads and asks, what is kept along a chain, and what its answers change.
The decoder answers by a rule."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.edits.step import lines_with_ends
from tabspec.models.edit_protocol import EditAnswer, EditRequest, PastEdit
from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.scene import MOST_TOKENS, Scene
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.prompt.edit_format import Tag
from tests.edit_decoder import ruled
from tests.examples import examples


def renamed(window: str) -> str:
    return window.replace("count", "total")


def tagged(line: str) -> Tag:
    return Tag.CHANGES if "count" in line else Tag.STAYS


def first_scene(model: LocalEdits, request: EditRequest) -> Scene:
    return model.prompts.scenes.scenes(request)[0]


PAST = PastEdit("a.py", 0, "def f(count):\n", "def f(total):\n")


def asked(text: str, past: tuple[PastEdit, ...] = (PAST,), cursor: int = 0) -> EditRequest:
    return EditRequest("a.py", "python", "", text, "", cursor, 0, "", past)


def answer(model: LocalEdits, request: EditRequest) -> EditAnswer:
    return asyncio.run(model.edit(request))


def after(request: EditRequest, found: EditAnswer) -> EditRequest:
    """The request after the answer was accepted: the change is a step of whole lines, as in the edit history."""
    assert found.change is not None
    old, new = request.region, found.change.apply(request.region)
    before, now = lines_with_ends(old), lines_with_ends(new)
    head = next((at for at, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), min(len(before), len(now)))
    tail = next(
        (at for at, (a, b) in enumerate(zip(before[head:][::-1], now[head:][::-1], strict=False)) if a != b),
        min(len(before), len(now)) - head,
    )
    old_lines, new_lines = "".join(before[head : len(before) - tail]), "".join(now[head : len(now) - tail])
    step = PastEdit(request.path, head, old_lines, new_lines, accepted=True, proposed=True)
    return replace(request, region=new, history=(*request.history, step))


GAP = "".join(f"    step_{number}()\n" for number in range(6))
TEXT = f"def f(total):\n{GAP}    a = count\n{GAP}    b(count)\n{GAP}    return count\n"


def test_the_nearest_likeliest_place_is_written_and_nothing_else_changes() -> None:
    model, _ = ruled(renamed, tagged)
    found = answer(model, asked(TEXT))
    assert found.change is not None
    assert found.change.apply(TEXT) == TEXT.replace("a = count", "a = total")
    assert 0 < (found.probability or 0) < 1 and len(found.logprobs) > 3


def test_a_chain_reads_only_questions_and_ends_when_nothing_is_left() -> None:
    model, decoder = ruled(renamed, tagged)
    request = asked(TEXT)
    reads = []
    for expected in ("a = total", "b(total)", "return total"):
        decoder.passes.clear()
        found = answer(model, request)
        reads.append(sum(decoder.passes))
        request = after(request, found)
        assert expected in request.region
        assert reads[0] > len(model.prompts.scan(first_scene(model, asked(TEXT))).tokens)  # type: ignore[arg-type]
    assert request.region == TEXT.replace("count", "total")
    assert answer(model, request).change is None
    assert max(reads[1:]) < reads[0] / 2


def test_what_was_copied_costs_one_pass() -> None:
    """The window's text is the draft: an answer that changes one word takes a pass for each token of the word."""
    model, decoder = ruled(renamed, tagged, sure=14.0)
    answer(model, asked(TEXT))
    scans = [at for at, size in enumerate(decoder.passes) if size > 50]
    passes = decoder.passes[scans[-1] + 1 :] if scans else decoder.passes
    assert len(passes) <= 5


def test_where_the_best_place_stays_the_next_best_is_asked() -> None:
    def second(window: str) -> str:
        return window.replace("b(count)", "b(total)")

    model, _ = ruled(second, tagged)
    found = answer(model, asked(TEXT))
    assert found.change is not None and "b(total)" in found.change.apply(TEXT)


def test_lines_are_inserted_and_deleted() -> None:
    text = "import os\n\nimport sys\nx = 1\ny = 2\n"
    past = (PastEdit("a.py", 0, "", "import os\n"),)
    model, _ = ruled(
        lambda window: window.replace("y = 2", "y = 2\nz = 3"), lambda line: {"y = 2": Tag.INSERTS}.get(line, Tag.STAYS)
    )
    found = answer(model, asked(text, past))
    assert found.change is not None and found.change.apply(text) == text + "z = 3\n"
    model, _ = ruled(
        lambda window: window.replace("x = 1\n", ""), lambda line: {"x = 1": Tag.CHANGES}.get(line, Tag.STAYS)
    )
    found = answer(model, asked(text, past))
    assert found.change is not None and found.change.apply(text) == text.replace("x = 1\n", "")
    model, _ = ruled(lambda window: "", lambda line: {"only": Tag.CHANGES}.get(line, Tag.STAYS))
    found = answer(model, asked("only\n", past))
    assert found.change is not None and found.change.apply("only\n") == ""


@pytest.mark.parametrize("text", ["count", "count\n", "\ncount", "\n\n count \n\n", "grüß count 你好\n\ncount 🎉"])
def test_texts_of_any_kind(text: str) -> None:
    model, _ = ruled(renamed, tagged)
    request = asked(text)
    for _ in range(3):
        found = answer(model, request)
        if found.change is None:
            break
        request = after(request, found)
    assert request.region == text.replace("count", "total")


def test_nothing_is_asked_without_a_past_edit_and_where_no_line_changes() -> None:
    model, decoder = ruled(renamed, tagged)
    assert answer(model, asked(TEXT, ())).change is None
    assert not decoder.passes
    assert answer(model, asked(TEXT.replace("count", "total"))).change is None


def test_an_unlikely_answer_is_none() -> None:
    model, _ = ruled(renamed, tagged)
    model.calibration = replace(model.calibration, least=0.999999)
    found = answer(model, asked(TEXT))
    assert found.change is None and found.probability is not None and found.probability < 0.999999


def test_an_answer_that_does_not_end_or_is_no_text_is_dropped() -> None:
    for broken in ("count\n" * 60, "<|file|>"):
        model, decoder = ruled(renamed, tagged)
        tokens = (
            [*model.local.vocabulary.encode("\n" + broken)]
            if broken[0] != "<"
            else [model.local.vocabulary.ids[broken]]
        )

        def script(kv: list[int], asked: int, tokens: list[int] = tokens) -> int:
            return tokens[(len(kv) - asked - 1) % len(tokens)]

        decoder._answer = script  # type: ignore[method-assign]
        # Lines that were only inserted replace nothing, which would be judged instead.
        assert answer(model, asked(TEXT, (replace(PAST, old=""),))).change is None


def test_accepted_edits_elsewhere_and_typed_ones_are_part_of_the_scan() -> None:
    model, _ = ruled(renamed, tagged)
    typed = PastEdit("a.py", 7, "    a = count\n", "    a = 1\n")
    text = TEXT.replace("    a = count", "    a = 1")
    for last in (typed, replace(typed, accepted=True), replace(typed, accepted=True, proposed=True, elsewhere=True)):
        scene = first_scene(model, asked(text, (PAST, last)))
        assert scene is not None and not scene.answered and "    a = 1" in scene.scanned
    scene = first_scene(model, asked(text, (PAST, replace(typed, accepted=True, proposed=True))))
    assert scene is not None and len(scene.answered) == 1 and "    a = count" in scene.scanned


@pytest.mark.slow
def test_a_long_chain_is_scanned_anew_before_the_prompt_is_longer_than_in_training() -> None:
    model, _ = ruled(renamed, tagged)
    text = "def f(total):\n" + "".join(
        f"    call_{number}(count)\n    other_{number} = {number}\n\n" for number in range(40)
    )
    request, anew = asked(text), 0
    while (found := answer(model, request)).change is not None:
        request = after(request, found)
        scene = first_scene(model, request)
        assert scene is not None
        assert len(model.prompts.scan(scene).tokens) + len(model.prompts.answered(scene)) <= MOST_TOKENS
        anew += not scene.answered
    assert request.region.count("total") > 15 and anew


FAR = "".join(f"other_{number}(a, [{number}], {{}}) and then_{number}(b, c)\n" for number in range(60))


def test_the_lines_that_use_the_changed_words_are_read_too() -> None:
    """The use is farther away than the lines around the last edit reach."""
    text = f"def f(total):\n{FAR}x = count\n{FAR}y = 1\n"
    model, _ = ruled(renamed, tagged)
    near, far = model.prompts.scenes.scenes(asked(text))
    assert "x = count" not in near.scanned and "x = count" in far.scanned and near.past == far.past
    found = answer(model, asked(text))
    assert found.change is not None and found.change.apply(text) == text.replace("x = count", "x = total")


def test_no_second_place_where_the_words_are_nowhere_else() -> None:
    model, _ = ruled(renamed, tagged)
    assert len(model.prompts.scenes.scenes(asked(f"def f(total):\n{FAR}"))) == 1


@given(st.data())
def test_a_scene_has_the_lines_that_are_there_after_each_change(data: st.DataObject) -> None:
    """Wherever a change lies: within the scene, outside, next to it, or over its first or last line."""
    lines = [f"line {number}" for number in range(data.draw(st.integers(1, 12)))]
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first + 1, len(lines)))
    scanned = tuple(lines[first:last])
    scene = Scene("a.py", (), scanned, first, scanned, tuple(range(len(scanned))))
    for turn in range(3):
        start = data.draw(st.integers(0, len(lines)))
        stop = data.draw(st.integers(start, len(lines)))
        new = tuple(f"new {turn}.{number}" for number in range(data.draw(st.integers(0, 3))))
        change = LineChange(start, stop, new)
        below, above = scene.first, scene.first + len(scene.lines)
        longer = scene.then(change)
        lines = list(change.apply(lines))
        if longer is None:
            assert not scene.lines or (start <= below and above <= stop)
            return
        assert tuple(lines[longer.first : longer.first + len(longer.lines)]) == longer.lines
        for line, origin in zip(longer.lines, longer.origins, strict=True):
            assert line.startswith("new") if origin is None else line == scanned[origin]
        within = below <= start and stop <= above and not start == stop == below
        assert len(longer.answered) - len(scene.answered) == within
        if within:
            asked = longer.answered[-1]
            assert asked.lines == scene.lines
            assert (*asked.lines[: asked.start], *asked.new, *asked.lines[asked.stop :]) == longer.lines
        scene = longer


def test_what_lies_next_to_a_scene_is_no_reason_to_read_anew() -> None:
    """The change is in the second scene alone, and follows the last line of the first scene."""
    model, _ = ruled(renamed, tagged)
    text = f"def f(total):\n{FAR}"
    end = len(first_scene(model, asked(text)).scanned)
    lines = text.splitlines()
    lines[end] = lines[end].replace("other_", "count ")  # as long as before
    request = asked("\n".join(lines) + "\n")
    before = model.prompts.scenes.scenes(request)
    assert len(before[0].scanned) == end and before[1].first < end < before[1].first + len(before[1].scanned)
    old, new = f"{lines[end]}\n", lines[end].replace("count", "total") + "\n"
    step = PastEdit("a.py", end, old, new, accepted=True, proposed=True)
    made = replace(request, region=request.region.replace(old, new), history=(*request.history, step))
    after_it = model.prompts.scenes.scenes(made)
    assert [scene.scanned for scene in after_it] == [scene.scanned for scene in before]
    assert [len(scene.answered) for scene in after_it] == [0, 1]


LINES = st.sampled_from(["a = count", "count()", "", "    pass", "b = 1", "for x in count:", "é = 'count'"])


@settings(max_examples=examples(40))
@given(st.lists(LINES, min_size=1, max_size=30), st.integers(0, 29), st.booleans(), st.booleans())
def test_what_is_kept_answers_as_a_fresh_model(lines: list[str], at: int, half: bool, long: bool) -> None:
    """Along a chain, also one that typing interrupts, a model that has kept keys, values and tags answers as one that
    has not. In long texts it reads two places, and the chain goes from one to the other."""
    kept, _ = ruled(renamed, tagged, sure=3.0)
    at %= len(lines)
    beyond = [*FAR.splitlines(), "count(z)", "w = 1", "return count"] if long else []
    text = "\n".join([*lines[:at], "def f(total):", *lines[at:], *beyond]) + "\n"
    request = asked(text, (replace(PAST, line=at),))
    for turn in range(6):
        found = answer(kept, request)
        fresh, _ = ruled(renamed, tagged, sure=3.0)
        expected = answer(fresh, request)
        assert (found.change, found.probability) == (expected.change, expected.probability)
        assert found.logprobs == expected.logprobs
        if found.change is None:
            break
        request = after(request, found)
        if half and turn == 1:  # the user types a line of their own
            typed = PastEdit("a.py", 0, "", "count = 7\n")
            request = replace(request, region="count = 7\n" + request.region, history=(*request.history, typed))


def test_the_tags_of_a_scan_do_not_depend_on_its_pieces() -> None:
    whole, _ = ruled(renamed, tagged)
    model, _ = ruled(renamed, tagged)
    scene = first_scene(model, asked(TEXT))
    assert scene is not None
    expected, _ = asyncio.run(whole._read(whole.prompts.scan(scene), True))
    for chunk in (1, 3, 7):
        model.local.chunk = chunk
        model.local.slots.clear()
        model._tags.clear()
        assert asyncio.run(model._read(model.prompts.scan(scene), True))[0] == expected
    changing = {line for line, tag in expected.items() if tag.changes > 0.5}
    assert changing == {line for line, text in enumerate(scene.scanned) if "count" in text}
    assert all(math.isclose(tag.changes + tag.inserts, sum(tag)) for tag in expected.values())
