"""Reads the next-edit cases of public suites, and makes an offer for each.

The format is that of `../shared/next-edit/README.md`: one JSON object on each line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.edits.history import EMPTY, History
from tabspec.edits.proposals.propose import propose
from tabspec.edits.step import Step
from tabspec.engine.engine import CompletionEngine
from tabspec.errors import InputError, ModelError
from tabspec.models.edit_protocol import EditModel
from tabspec.models.protocol import Model
from tabspec.models.scripted.model import ScriptedModel
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Position, PositionEncoding, difference

# Seconds between the texts of a case that has one text for each keystroke: a typical interval of a practised typist.
KEYSTROKE_S = 0.2
# Ends the URI of a step in a part of the file that the case does not have.
_NOT_SHOWN = "#elsewhere"


@dataclass(frozen=True)
class Case:
    """One case: the current document, the cursor, ``insert`` (the offset for a completion), and the earlier steps."""

    id: str
    document: Document
    offset: int
    insert: int
    steps: tuple[Step, ...]
    touched: bool  # whether the case has a history


@dataclass(frozen=True)
class CaseOffer:
    """The offer for a case: the document's text after it (None: no offer), the seconds it took, and its source."""

    id: str
    text: str | None
    seconds: float
    source: str = ""

    def as_json(self) -> dict[str, object]:
        """The JSON object that the suite's `score.py` reads. It does not use ``source``."""
        return {"id": self.id, "text": self.text, "ms": round(self.seconds * 1e3, 3), "source": self.source}


def read_cases(path: Path) -> list[Case]:
    """The cases of a file. Raises `InputError` with the number of the first line that is not a case."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # U+2028 may be in a string
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    cases = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            cases.append(_case(json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(f"{path}:{number}: not a next-edit case: {error!r}") from error
    if not cases:
        raise InputError(f"{path}: holds no cases")
    return cases


def _case(data: Mapping[str, Any]) -> Case:
    document = Document(_uri(data["path"]), data["text"], _language(data["language"]))
    offset = _offset(document, data["cursor"])
    insert = _offset(document, data.get("insert_cursor") or data["cursor"])
    if data.get("edits") is not None:
        steps = _typed(data["edits"]).steps
    else:
        steps = tuple(_shown(each, document) for each in data.get("history") or ())
    return Case(data["id"], document, offset, insert, steps, bool(steps))


def _uri(path: str) -> str:
    return "file:///" + path.replace("\\", "/")


def _language(name: str) -> str:
    return {"ts": "typescript", "js": "javascript", "h": "cpp", "ipynb": "python"}.get(name, name)


def _offset(document: Document, place: list[int]) -> int:
    return document.offset(Position(place[0], place[1]), PositionEncoding.UTF16)


def _shown(change: Mapping[str, str], document: Document) -> Step:
    """The step of a change that is given by its old and new lines.

    If the new lines are not in the document, the step belongs to another document, because the suites contain only
    parts of files.
    """
    old, new = (text + "\n" if text else "" for text in (change["old"], change["new"]))
    uri = _uri(change["path"])
    at = document.text.find(new) if new else -1
    if at > 0 and document.text[at - 1] != "\n":
        at = -1
    if uri != document.uri or at < 0:
        return Step(uri + _NOT_SHOWN, 0, 0, old, new)
    return Step(uri, document.position(at).line, at, old, new)


def _in_file(step: Step) -> Step:
    """The step in the file that it belongs to: for patterns, a change of the same file is none of another document."""
    return replace(step, uri=step.uri.removesuffix(_NOT_SHOWN))


def _typed(edits: list[Mapping[str, str]]) -> History:
    """The history of changes that are given by the whole text before and after each."""
    history = EMPTY
    for number, each in enumerate(edits):
        before = Document(_uri(each["path"]), each["before"])
        change = difference(each["before"], each["after"])
        if change is not None:
            history = history.changed(before, [change], before.edited(change), number * KEYSTROKE_S)
    return history


async def offers(cases: list[Case], model: Model | None, edits: EditModel | None = None) -> list[CaseOffer]:
    """The offer for each case: an edit from a pattern, otherwise a completion by the model, otherwise an edit that the
    model ``edits`` writes."""
    config = EngineConfig(policy=Policy.NONE)
    engine = CompletionEngine(model, config) if model is not None else None
    writer = CompletionEngine(ScriptedModel({}), config, edits=edits) if edits is not None else None
    try:
        return [await _offer(case, engine, writer) for case in cases]
    finally:
        for each in (engine, writer):
            if each is not None:
                await each.close()


async def _offer(case: Case, engine: CompletionEngine | None, writer: CompletionEngine | None) -> CaseOffer:
    began = time.perf_counter()
    chain = propose(case.document, case.offset, [_in_file(step) for step in case.steps])
    if chain:
        text = chain[0].apply(case.document).text
        return CaseOffer(
            case.id, text, time.perf_counter() - began, f"{chain[0].source.value} {chain[0].probability:.2f}"
        )
    suggestion = await _completion(case, engine) if engine is not None else None
    if suggestion is None and writer is not None:
        edit = await _written(case, writer)
        if edit is not None:
            text, taken = edit.apply(case.document).text, time.perf_counter() - began
            return CaseOffer(case.id, text, taken, f"{edit.source.value} {edit.probability:.2f}")
    taken = time.perf_counter() - began
    if suggestion is None:
        return CaseOffer(case.id, None, taken)
    context = EditContext(case.document, case.insert)
    text = context.after_accept(suggestion).document.text
    return CaseOffer(case.id, text, taken, f"completion {suggestion.probability or 0.0:.2f}")


async def _completion(case: Case, engine: CompletionEngine) -> Suggestion | None:
    return (await engine.complete(EditContext(case.document, case.insert))).suggestion


async def _written(case: Case, writer: CompletionEngine) -> ProposedEdit | None:
    """The edit of the edit model. Raises `ModelError` where the model fails: that is no silence."""
    answer = await writer.complete(EditContext(case.document, case.offset, History(case.steps)))
    if answer.detail:
        raise ModelError(answer.detail)
    return answer.suggestion.edit if answer.suggestion else None


def sources(found: list[CaseOffer]) -> Iterator[str]:
    """For each case, a line of text that names the source of its offer."""
    for offer in found:
        yield f"{offer.id}: {offer.source or 'nothing'}"
