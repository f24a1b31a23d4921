"""Asks an edit model about release steps, and judges what it writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath
from typing import Any

from tabspec.lab.evaluation.next_edit.releases.kinds import Kind
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.calibration import Evidence
from tabspec.models.local.edits.places import Place
from tabspec.models.local.edits.scene import Change, run_of
from tabspec.models.local.edits.writer import LocalEdits, Written
from tabspec.models.local.logits import Logits
from tabspec.models.local.slots import Decoder
from tabspec.prompt.edit_format import window_of
from tabspec.train.edits.hunks import Hunk

# A place counts as found if it is no more than so many lines away.
NEAR = 2
# Places whose hits are counted.
PLACES = 5
# Other hunks in the same window, which may be written with a hunk or not: with more, only all of them and one alone
# count.
_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Passes:
    """The cost of an answer: seconds, prompt tokens computed, passes of the decoder and tokens decoded."""

    seconds: float
    prefill: int
    passes: int
    decoded: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model has made of a step.

    ``given``: whether the text is right where the place is given (None: no edit is due); ``same`` whether it stated
    there that nothing changes. ``found``: for each of its best places whether a remaining hunk is there, and whether
    the next one is. ``shown`` has what it would show, the best place first, and whether place and text are right.
    """

    project: str
    kind: Kind
    given: bool | None
    same: bool
    found: tuple[tuple[bool, bool], ...]
    shown: tuple[tuple[Evidence, bool], ...]
    anew: Passes
    chain: Passes | None


def request_of(step: ReleaseStep) -> EditRequest:
    """The request at a step: the user has just made the newest edit."""
    name = PurePosixPath(step.path).name
    past = [
        PastEdit(edit.path or name, 0, _ended(edit.old), _ended(edit.new), elsewhere=bool(edit.path))
        for edit in step.history
    ]
    newest = past[-1]
    past[-1] = PastEdit(newest.path, step.last, newest.old, newest.new, elsewhere=newest.elsewhere)
    text = "\n".join(step.lines)
    cursor = sum(len(line) + 1 for line in step.lines[: step.last])
    return EditRequest(name, "python", "", text, "", min(cursor, len(text)), 0, "", tuple(past))


class Counted:
    """A decoder that counts its passes."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder, self.passes = decoder, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def forward(self, kv: Any, tokens: Sequence[int], want: int) -> Logits:
        self.passes += 1
        return self._decoder.forward(kv, tokens, want)


def counted(model: LocalEdits) -> tuple[LocalEdits, Counted]:
    """The same model on a decoder that counts its passes. One sequence a pass."""
    decoder = Counted(model.local.decoder)
    return LocalEdits.of(model.info, decoder, model.local.vocabulary, None, model.calibration), decoder


async def outcomes(
    model: LocalEdits, steps: Iterable[ReleaseStep], show: Callable[[int], None] = lambda _: None
) -> list[Outcome]:
    """The outcomes of all steps."""
    found = []
    model, decoder = counted(model)
    for step in steps:
        found.append(await _outcome(model, decoder, step))
        show(len(found))
    return found


async def _outcome(model: LocalEdits, decoder: Counted, step: ReleaseStep) -> Outcome:
    request = request_of(step)
    model.forget()
    written, anew = await _written(model, decoder, request)
    shown = [(each.evidence, is_right(step, each.change)) for each in written if each is not None]
    chain = None
    right = next((each for each in written if each is not None and is_right(step, each.change)), None)
    if right is not None:
        chain = (await _written(model, decoder, accepted(request, right.change)))[1]
    places, _ = await model.places(request, PLACES)
    lines = [scene.first + place.line for scene, place in places]
    hits = tuple((_near(step.due, line), _near(step.due[:1], line)) for line in lines)
    given, same = (None, False) if step.hunk is None else await _at_place(model, step, request)
    return Outcome(step.project, step.kind, given, same, hits, tuple(shown), anew, chain)


async def _written(model: LocalEdits, decoder: Counted, request: EditRequest) -> tuple[list[Written | None], Passes]:
    """What the model writes, the best place first. The cost is that until the first change."""
    before, began = decoder.passes, time.perf_counter()
    written: list[Written | None] = []
    cost: Passes | None = None
    prefill = decoded = 0
    async for each, usage in model.written(request):
        prefill, decoded = prefill + usage.prefill, decoded + usage.decoded
        written.append(each)
        if cost is None or (written[-1] is not None and not any(written[:-1])):
            cost = Passes(time.perf_counter() - began, prefill, decoder.passes - before, decoded)
    return written, cost or Passes(time.perf_counter() - began, prefill, decoder.passes - before, decoded)


def accepted(request: EditRequest, change: Change) -> EditRequest:
    """The request after a change was accepted."""
    lines = request.region.split("\n")
    old = lines[change.start : change.stop]
    new = [*lines[: change.start], *change.new, *lines[change.stop :]]
    head = next(
        (at for at, (a, b) in enumerate(zip(old, change.new, strict=False)) if a != b), min(len(old), len(change.new))
    )
    tail = 0
    while tail < min(len(old), len(change.new)) - head and old[-1 - tail] == change.new[-1 - tail]:
        tail += 1
    step = PastEdit(
        request.path,
        change.start + head,
        "".join(f"{line}\n" for line in old[head : len(old) - tail]),
        "".join(f"{line}\n" for line in change.new[head : len(change.new) - tail]),
        accepted=True,
        proposed=True,
    )
    return EditRequest(
        request.path,
        request.language,
        "",
        "\n".join(new),
        "",
        0,
        0,
        "",
        (*request.history, step),
    )


async def _at_place(model: LocalEdits, step: ReleaseStep, request: EditRequest) -> tuple[bool, bool]:
    """Whether the text is right at the place of the next edit, and whether the model stated that nothing changes."""
    hunk = step.hunk
    assert hunk is not None
    scene = model.prompts.scenes.around(request, hunk.start)
    if scene is None:
        return False, False
    start, stop = run_of(scene.lines, max(hunk.start - scene.first, 0), max(hunk.stop - scene.first, 0))
    first, last = window_of(scene.lines, start, stop)
    place = Place(first, last, 1.0, start)
    written, _ = await model.ask(scene, place, 0, True)
    return (False, True) if written is None else (is_right(step, written.change), False)


def is_right(step: ReleaseStep, change: Change) -> bool:
    """Whether a change makes exactly one of the remaining hunks, or some that it touches together."""
    made = [*step.lines[: change.start], *change.new, *step.lines[change.stop :]]
    touched = [hunk for hunk in step.due if hunk.start <= change.stop and hunk.stop >= change.start]
    touched.sort(key=lambda hunk: (hunk.start, hunk.stop))
    sizes = range(1, len(touched) + 1) if len(touched) <= _TOGETHER else (1, len(touched))
    return any(_applied(step.lines, some) == made for size in sizes for some in combinations(touched, size))


def _applied(lines: Sequence[str], hunks: Sequence[Hunk]) -> list[str]:
    found: list[str] = []
    at = 0
    for hunk in hunks:
        found += [*lines[at : hunk.start], *hunk.new]
        at = hunk.stop
    return [*found, *lines[at:]]


def _near(hunks: Sequence[Hunk], line: int) -> bool:
    return any(hunk.start - NEAR <= line < max(hunk.stop, hunk.start + 1) + NEAR for hunk in hunks)


def _ended(text: str | None) -> str:
    return "" if text is None else text + "\n"
