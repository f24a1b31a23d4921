"""Asks an edit model about release steps, and judges what it writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tabspec.lab.evaluation.next_edit.releases.scoring import RANKS, PredictedChange, Prediction, is_right
from tabspec.lab.evaluation.next_edit.releases.steps import ReleaseStep
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.judge import WrittenChange
from tabspec.models.local.edits.places import EditPlace
from tabspec.models.local.edits.scene import run_of
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.local.logits import Logits
from tabspec.models.local.slots import Decoder
from tabspec.models.protocol import Usage
from tabspec.prompt.edit_format import window_of
from tabspec.train.edits.hunks import LineHunk

# Lines of edits whose place is not known: no two hunks of a release touch, so that they are far from one another.
_APART = 1_000_000


@dataclass(frozen=True, slots=True)
class Passes:
    """The cost of an answer: seconds, prompt tokens computed, passes of the decoder and tokens decoded."""

    seconds: float
    prefill: int
    passes: int
    decoded: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model has made of a step. ``written`` is what it wrote, at the best place first.

    ``prediction`` has no proposal: which one is offered depends on the calibration. ``anew`` is the cost of the answer,
    ``chain`` that of the next one, after a right one was accepted.
    """

    step: ReleaseStep
    prediction: Prediction
    written: tuple[PredictedChange, ...]
    anew: Passes
    chain: Passes | None


def request_of(step: ReleaseStep) -> EditRequest:
    """The request at a step: the user has just made the newest edit."""
    name = PurePosixPath(step.path).name
    past = [
        PastEdit(edit.path or name, line, _ended(edit.old), _ended(edit.new), elsewhere=bool(edit.path))
        for edit, line in zip(step.history, lines_of_history(step), strict=True)
    ]
    text = "\n".join(step.lines)
    cursor = sum(len(line) + 1 for line in step.lines[: step.last])
    return EditRequest(name, "python", "", text, "", min(cursor, len(text)), 0, "", tuple(past))


def lines_of_history(step: ReleaseStep) -> list[int]:
    """The first line of each past edit, in the text after it. Of older ones the file of steps does not state it: it is
    the line from which their lines stand, as far as they stand at one place only."""
    lines, found = list(step.lines), []
    for number, edit in enumerate(reversed(step.history)):
        new = edit.new.split("\n") if edit.new is not None else []
        at: int | None = step.last
        if number:
            there = [line for line in range(len(lines) - len(new) + 1) if lines[line : line + len(new)] == new]
            at = there[0] if new and len(there) == 1 and not edit.path else None
        if at is not None:
            lines[at : at + len(new)] = edit.old.split("\n") if edit.old is not None else []
        found.append(_APART * (number + 1) if at is None else at)
    return found[::-1]


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
    proposals = [_proposal(each) for each in written if each is not None]
    chain = None
    right = next((each for each in written if each is not None and is_right(step, _proposal(each))), None)
    if right is not None:
        chain = (await _written(model, decoder, accepted(request, right.change)))[1]
    places, _ = await model.places(request, max(RANKS))
    lines = tuple(scene.first + place.line for scene, place in places)
    given = None if step.hunk is None else await _at_place(model, step.hunk, request)
    return Outcome(step, Prediction(given, lines), tuple(proposals), anew, chain)


def _proposal(written: WrittenChange) -> PredictedChange:
    change, features = written.change, written.evidence.numbers()[1:]
    return PredictedChange(change.start, change.stop, change.new, features)


async def _written(
    model: LocalEdits, decoder: Counted, request: EditRequest
) -> tuple[list[WrittenChange | None], Passes]:
    """What the model writes, the best place first, and the cost of all of it."""
    before, began = decoder.passes, time.perf_counter()
    written: list[WrittenChange | None] = []
    cost = Usage()
    async for each, usage in model.written(request):
        cost += usage
        written.append(each)
    seconds, passes = time.perf_counter() - began, decoder.passes - before
    return written, Passes(seconds, cost.prefill, passes, cost.decoded)


def accepted(request: EditRequest, change: LineChange) -> EditRequest:
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


async def _at_place(model: LocalEdits, hunk: LineHunk, request: EditRequest) -> PredictedChange | None:
    """What the model writes at the place of the next edit; None: nothing changes."""
    scene = model.prompts.scenes.around(request, hunk.start)
    if scene is None:
        return None
    start, stop = run_of(scene.lines, max(hunk.start - scene.first, 0), max(hunk.stop - scene.first, 0))
    first, last = window_of(scene.lines, start, stop)
    change, _, _ = await model.ask(scene, EditPlace(first, last, 1.0, start), True)
    return None if change is None else PredictedChange(change.start, change.stop, change.new)


def _ended(text: str | None) -> str:
    return "" if text is None else text + "\n"
