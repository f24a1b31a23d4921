"""The edit model of a local process on texts at its limits: long lines, deletions, overlapping scenes, long windows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.writer import CHUNK, changed
from tabspec.prompt.edit_format import Tag
from tests.edit_decoder import ruled

PAST = PastEdit("a.py", 0, "def f(count):\n", "def f(total):\n")


def renamed(window: str) -> str:
    return window.replace("count", "total")


def tagged(line: str) -> Tag:
    return Tag.CHANGES if "count" in line else Tag.STAYS


def asked(text: str, *past: PastEdit, cursor: int = 0) -> EditRequest:
    return EditRequest("a.py", "python", "", text, "", cursor, 0, "", past or (PAST,))


@pytest.mark.parametrize("chars", [2_000, pytest.param(12_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_line_that_is_too_long_to_read_gets_no_edit(chars: int, elsewhere: bool) -> None:
    model, decoder = ruled(renamed, tagged)
    line = "count, " * (chars // 7) + "\n"
    gap = "".join(f"    step_{number}()\n" for number in range(60))
    text = "def f(total):\n" + gap + line if elsewhere else line + gap
    past = PAST if elsewhere else PastEdit("b.py", 0, PAST.old, PAST.new, elsewhere=True)
    found = asyncio.run(model.edit(asked(text, past)))
    assert found.change is None and sum(decoder.passes) < decoder.context


def test_an_accepted_deletion_outside_of_the_region_does_not_come_back() -> None:
    model, _ = ruled(renamed, tagged)
    text = "x = total\n" + "".join(f"step_{number}()\n" for number in range(40))
    typed = PastEdit("a.py", 0, "x = count\n", "x = total\n")
    deleted = PastEdit("a.py", 900, "gone(count)\n", "", accepted=True, proposed=True)
    found = asyncio.run(model.edit(asked(text, typed, deleted)))
    assert found.change is None


def test_a_place_in_both_scenes_is_asked_about_once() -> None:
    model, _ = ruled(renamed, lambda line: Tag.CHANGES if "use(count)" in line else Tag.STAYS)
    shared = 0
    for at in range(2, 18):
        lines = [f"    value_{number} = compute(first_{number}, second_{number})" for number in range(40)]
        lines[at], lines[18] = "    use(count)", "    # count"
        request = asked("def f(total):\n" + "\n".join(lines) + "\n")
        scenes = model.prompts.scenes.scenes(request)
        seen = [scene.first <= at + 1 < scene.first + len(scene.lines) for scene in scenes]
        shared += sum(seen) > 1
        places, _ = asyncio.run(model.places(request, 2))
        taken = [(scene.first + place.start, scene.first + place.stop) for scene, place in places]
        assert len([span for span in taken if span[0] <= at + 1 < span[1]]) == any(seen)
    assert shared, "no line was in both scenes"


def test_no_pass_is_longer_than_a_chunk() -> None:
    model, decoder = ruled(renamed, tagged)
    lines = [f"    count_{number} = compute(other_{number}, third_{number}, fourth_{number})" for number in range(11)]
    text = "def f(total):\n" + "\n".join(lines) + "\n"
    found = asyncio.run(model.edit(asked(text)))
    assert found.change is not None and found.change.apply(text) == renamed(text)
    assert max(decoder.passes) <= CHUNK


@pytest.mark.parametrize(
    ("region", "change", "new"),
    [
        ("a\n\n", LineChange(0, 1, ()), "\n"),
        ("\na\n", LineChange(1, 2, ()), "\n"),
        ("x\n", LineChange(0, 1, ("",)), "\n"),
        ("x\n", LineChange(0, 1, ()), ""),
        ("a\nx", LineChange(1, 2, ()), "a"),
    ],
)
def test_an_empty_line_is_a_line(region: str, change: LineChange, new: str) -> None:
    found = changed(region, change)
    assert found is not None and found.apply(region) == new


def test_what_is_read_ahead_stays_until_it_is_asked_about() -> None:
    """Requests have left pairs of scans, which speculation leaves alone. It needs two slots of its own: in one, each
    question about a scan would have its lines read anew, because the other scan has taken their place."""
    model, _ = ruled(renamed, tagged, sure=0.5)
    gap = "".join(f"other_{number}(a, [{number}], {{}}) and then_{number}(b, c)\n" for number in range(60))
    text = f"def f(total):\nx = count\n{gap}y = count\n{gap}"
    for word in ("one", "two", "three", "four"):
        asyncio.run(model.edit(asked(text, PastEdit("a.py", 40, f"{word} = count\n", f"{word} = total\n"))))
    ahead = replace(asked(text, PastEdit("a.py", 40, "five = count\n", "five = total\n")), foreground=False)
    assert len(model.prompts.scenes.scenes(ahead)) == 2
    fresh, _ = ruled(renamed, tagged, sure=0.5)
    assert asyncio.run(model.edit(ahead)).usage.prefill <= asyncio.run(fresh.edit(ahead)).usage.prefill
