"""Patterns that are not shown at once: the edit model judges them before it writes anything."""

from __future__ import annotations

import asyncio

from tabspec.edits.proposals.propose import LEAST as SHOWN
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.calibration import NAMES, EditCalibration
from tabspec.models.local.edits.judge import Judge
from tabspec.models.local.edits.patterns import patterns
from tabspec.models.local.edits.scene import region_lines
from tabspec.models.local.edits.writer import AS_SHOWN, CHUNK, MOST_LEFT, REJECTED, LocalEdits
from tabspec.prompt.edit_format import Tag
from tests.edit_decoder import ruled


def asked(text: str, *past: PastEdit) -> EditRequest:
    return EditRequest("a.py", "python", "", text, "", 0, 0, "", past)


# Two examples make the repetition likely enough to be shown at once, if the engine did not leave it to the model.
TWICE = tuple(PastEdit("a.py", n, f"print({x}.size)\n", f"print({x}.count)\n") for n, x in enumerate("pq"))
BETWEEN = "x = 0\n" * 5
LEFT = asked(
    f"print(p.count)\nprint(q.count)\n{BETWEEN}" + "".join(f"print({name}.size)\n{BETWEEN}" for name in "abcd"), *TWICE
)


def edited(model: LocalEdits, request: EditRequest = LEFT) -> tuple[str | None, float | None]:
    answer = asyncio.run(model.edit(request))
    return answer.change and answer.change.apply(request.region), answer.probability


def test_repetitions_that_are_likely_enough_are_left_to_the_model() -> None:
    lines = region_lines(LEFT.region)
    found = patterns(LEFT, lines, LEFT.history, 0)
    assert [each.left for each in found] == [True] * 4
    once = patterns(asked(LEFT.region, TWICE[0]), region_lines(LEFT.region), TWICE[:1], 0)
    assert once and not any(each.left for each in once)
    rename = PastEdit("a.py", 0, "def f(count):\n", "def f(total):\n")
    renamed = patterns(
        asked("def f(total):\n    return count\n", rename), ["def f(total):", "    return count"], (rename,), 0
    )
    assert [each.left for each in renamed] == [False]


def test_a_pattern_that_the_model_would_write_is_answered_before_it_writes_anything() -> None:
    model, decoder = ruled(
        lambda window: window.replace("size", "count"),
        lambda line: Tag.CHANGES if "size" in line else Tag.STAYS,
    )
    new, probability = edited(model)
    assert new == LEFT.region.replace("size", "count", MOST_LEFT)  # behind a refused one come others
    assert probability == patterns(LEFT, region_lines(LEFT.region), LEFT.history, 0)[0].probability >= SHOWN
    scan = len(model.prompts.scan(model.prompts.scenes.scenes(LEFT)[0]).tokens)
    assert len(decoder.passes) == -(-scan // CHUNK) + MOST_LEFT  # the scan, and one pass for each of them


def test_a_pattern_that_the_model_rejects_is_not_shown() -> None:
    model, _ = ruled(lambda window: window, lambda line: Tag.STAYS)
    odds = {name: 0.0 for name in NAMES} | {"place": 0.2, "least": 1.0}
    model.calibration = EditCalibration(tuple(odds.values()), 0.25)
    assert edited(model)[0] is None
    model, _ = ruled(
        lambda window: window.replace("c.size", "c.length"),
        lambda line: Tag.CHANGES if "c.size" in line else Tag.STAYS,
    )
    model.calibration = EditCalibration(tuple(odds.values()), 0.25)
    assert edited(model)[0] == LEFT.region.replace("c.size", "c.length")


def test_a_doubtful_pattern_is_shown_where_the_model_shows_nothing_itself() -> None:
    odds = {name: 0.0 for name in NAMES} | {"bias": 1.5, "pattern": -6.0}
    for least, shown in ((0.25, "c.length"), (0.95, "a.count")):
        model, _ = ruled(
            lambda window: window.replace("c.size", "c.length"),
            lambda line: Tag.CHANGES if "c.size" in line else Tag.STAYS,
        )
        model.calibration = EditCalibration(tuple(odds.values()), least)
        judge = Judge(LEFT)
        doubt = judge.written(patterns(LEFT, region_lines(LEFT.region), LEFT.history, 0)[0].change, 0.9, (-0.1,))
        assert doubt is not None and REJECTED < model.calibration.probability(doubt.evidence) < AS_SHOWN
        new, _ = edited(model)
        assert new is not None and shown in new
