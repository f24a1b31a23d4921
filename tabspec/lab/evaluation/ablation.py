"""Ablation: the effect of each step of post-processing, with all steps on and with each step off.

It compares the engine's suggestions with held-out code. As in an editor, brackets that are open on the cursor's line
are closed directly after the cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.fitting.truncation import FitStep
from tabspec.lab.evaluation.infilling.infill import STOPS
from tabspec.lab.evaluation.infilling.similarity import same
from tabspec.lab.evaluation.infilling.snippets import HoleKind, Snippet
from tabspec.lab.evaluation.infilling.syntax import can_be_finished, parses_in_place
from tabspec.lab.evaluation.offers import OfferPlace, end_is_whole, joints_hold
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo
from tabspec.suggestion import Suggestion
from tabspec.text import Document

_CLOSER = {"(": ")", "[": "]", "{": "}"}
# The most characters that are typed in one case. A line has about 40; this limits the time that a long block takes.
_TYPED = 120


class AblationPart(StrEnum):
    """The steps that can be switched off, and the first column of the table. `DOUBT` is the probability thresholds."""

    HEALING = "token healing"
    DOUBT = "doubt"
    OVERLAP = "overlap"
    INDENTATION = "indentation"
    REPETITION = "repetition"
    ENDS = "ends"


_STEPS = {
    AblationPart.OVERLAP: FitStep.OVERLAP,
    AblationPart.INDENTATION: FitStep.INDENTATION,
    AblationPart.REPETITION: FitStep.REPETITION,
    AblationPart.ENDS: FitStep.ENDS,
}


@dataclass(frozen=True, slots=True)
class AblationCase:
    """A cursor in a document, and the text that the author wrote there.

    The author's document is ``context.prefix + written + beyond``. The document of ``context`` has, between its cursor
    and ``beyond``, only the closing brackets that the editor inserted.
    """

    context: EditContext
    written: str
    beyond: str
    kind: HoleKind

    @classmethod
    def of(cls, snippet: Snippet) -> AblationCase:
        """The case for a snippet, in an editor that inserts closing brackets."""
        closers = _closers(snippet.prefix[snippet.prefix.rfind("\n") + 1 :], snippet.middle)
        text = snippet.prefix + closers + snippet.suffix
        document = Document(f"file:///{snippet.path}", text, snippet.language)
        return cls(EditContext(document, len(snippet.prefix)), snippet.middle, snippet.suffix, snippet.kind)

    def config(self, policy: Policy, doubt: bool) -> EngineConfig:
        """The engine's settings for this case. Without ``doubt``, the probability thresholds are 0."""
        stop = STOPS[self.kind]
        config = EngineConfig(policy=policy, max_lines=stop.max_lines, max_tokens=stop.max_tokens)
        return config if doubt else replace(config, min_token_probability=0.0, min_probability=0.0)


@dataclass(frozen=True, slots=True)
class AblationOutcome:
    """The result of one case under one setting.

    ``shown``: there was a suggestion. ``right``: the author's text starts with it. ``exact``: it equals the author's
    text. ``parses``: the document parses with it. ``finishes``: it parses if it is finished (`can_be_finished`).
    ``bracket``: it leaves more unmatched closing brackets than the author's text. ``whole`` and ``joined``: the
    checks of `tabspec.lab.evaluation.offers`. ``typed``: characters written. ``saved``: those of them written by Tab.
    """

    kind: HoleKind
    shown: bool
    right: bool
    exact: bool
    parses: bool | None
    finishes: bool | None
    bracket: bool
    whole: bool
    joined: bool
    typed: int
    saved: int


class Remembering:
    """A model whose outputs are cached. Settings that change only later steps send the same requests."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[GenerationRequest, tuple[Chunk, ...]] = {}

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        request = replace(request, foreground=True)
        if request not in self._known:
            async with aclosing(self._model.stream(request)) as chunks:
                self._known[request] = tuple([chunk async for chunk in chunks])
        for chunk in self._known[request]:
            yield chunk

    async def close(self) -> None:
        return None


class Unhealed(Remembering):
    """A model without token healing: its prompt ends at the cursor, even within a token."""

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        plain = replace(request, head=request.head + request.forced, forced="")
        async with aclosing(super().stream(plain)) as chunks:
            async for chunk in chunks:
                yield chunk


async def outcomes(
    model: Model, places: Sequence[AblationCase], off: AblationPart | None, done: Callable[[int], None]
) -> list[AblationOutcome]:
    """The outcomes of all cases without the step ``off``. ``model`` is a `Remembering`, to compute no output twice."""
    steps = frozenset(FitStep) - {_STEPS[off]} if off in _STEPS else frozenset(FitStep)
    found = []
    for number, place in enumerate(places, 1):
        found.append(await _outcome(model, place, steps, doubt=off is not AblationPart.DOUBT))
        done(number)
    return found


async def _outcome(model: Model, place: AblationCase, steps: Collection[FitStep], doubt: bool) -> AblationOutcome:
    engine = CompletionEngine(model, place.config(Policy.CACHE, doubt), steps=steps)
    try:
        first = (await engine.complete(place.context)).suggestion
        typed, saved = await _type(engine, place)
    finally:
        await engine.close()
    if first is None:
        return AblationOutcome(place.kind, False, False, False, None, None, False, False, False, typed, saved)
    after = place.context.after_accept(first)
    inserted = after.document.text[place.context.offset : len(after.document.text) - len(place.beyond)]
    prefix = place.context.prefix
    around = (prefix, inserted, place.beyond, place.written, place.context.document.language)
    line = prefix[prefix.rfind("\n") + 1 :]
    seen = OfferPlace(prefix, first.text, after.suffix, place.written, place.context.document.language)
    return AblationOutcome(
        place.kind,
        shown=True,
        right=_agrees(place, after),
        exact=same(inserted, place.written),
        parses=parses_in_place(*around),
        finishes=can_be_finished(*around),
        bracket=_surplus(line + inserted) > max(_surplus(line + place.written), 0),
        whole=end_is_whole(seen),
        joined=joints_hold(seen),
        typed=typed,
        saved=saved,
    )


async def _type(engine: CompletionEngine, place: AblationCase) -> tuple[int, int]:
    """Write the author's text as the simulated user `tab` does, who waits for every suggestion.

    A suggestion that agrees with the author's text is accepted. Otherwise the next character is typed. Returns the
    characters written, and those of them written by Tab.
    """
    goal = min(len(place.written), _TYPED)
    context, start, saved = place.context, place.context.offset, 0
    while (done := context.offset - start) < goal:
        suggestion = (await engine.complete(context)).suggestion
        if suggestion and _agrees(place, after := context.after_accept(suggestion)):
            saved += after.offset - context.offset
            context = after
            continue
        context = _key(place, context, place.written[done])
    return context.offset - start, saved


def _agrees(place: AblationCase, after: EditContext) -> bool:
    """Whether the author's document starts with the text before the cursor of ``after``."""
    return (place.context.prefix + place.written).startswith(after.prefix)


def _key(place: AblationCase, context: EditContext, char: str) -> EditContext:
    """Type a character. It replaces the same closing bracket, where the editor inserted one after the cursor."""
    mine = len(context.suffix) - len(place.beyond)
    if mine > 0 and context.suffix[0] == char:
        return context.after_accept(Suggestion(char, replace_after=1))
    return context.after_typing(char)


def _closers(line: str, middle: str) -> str:
    """The closing brackets that an editor inserted after the cursor: one for each bracket that ``line`` leaves open.

    Empty unless the first line of ``middle`` closes all of them. Otherwise the closing brackets are on a later line.
    """
    open_: list[str] = []
    for char in line:
        if char in _CLOSER:
            open_.append(_CLOSER[char])
        elif open_ and char == open_[-1]:
            open_.pop()
    wanted = "".join(reversed(open_))
    return wanted if _surplus(middle.split("\n", 1)[0]) == len(wanted) else ""


def _surplus(text: str) -> int:
    """The number of closing brackets minus the number of opening brackets."""
    return sum(text.count(closer) - text.count(opener) for opener, closer in _CLOSER.items())


@dataclass(frozen=True, slots=True)
class AblationRow:
    """A row of the table.

    ``shown`` and ``exact`` are shares of all cases, ``saved`` of the characters written, and the others of the cases
    with a suggestion.
    """

    off: AblationPart | None
    kind: HoleKind
    count: int
    shown: float
    right: float
    exact: float
    parses: float
    finishes: float
    bracket: float
    whole: float
    joined: float
    saved: float


def ablate(model: Model, snippets: Sequence[Snippet], progress: Callable[[str, int, int], None]) -> list[AblationRow]:
    """The rows: all steps on, then each step off, for each kind of hole."""
    places = [AblationCase.of(snippet) for snippet in snippets]
    healed, unhealed = Remembering(model), Unhealed(model)
    rows = []
    for off in (None, *AblationPart):

        def done(count: int, what: str = f"without {off}" if off else "everything on") -> None:
            progress(what, count, len(places))

        found = asyncio.run(outcomes(unhealed if off is AblationPart.HEALING else healed, places, off, done))
        kinds = dict.fromkeys(place.kind for place in places)
        rows += [_row(off, kind, [each for each in found if each.kind is kind]) for kind in kinds]
    return rows


def _row(off: AblationPart | None, kind: HoleKind, found: Sequence[AblationOutcome]) -> AblationRow:
    shown = [o for o in found if o.shown]
    known = [o for o in shown if o.parses is not None]
    few = max(len(shown), 1)
    return AblationRow(
        off,
        kind,
        len(found),
        shown=len(shown) / len(found),
        right=sum(o.right for o in shown) / few,
        exact=sum(o.exact for o in found) / len(found),
        parses=sum(bool(o.parses) for o in known) / max(len(known), 1),
        finishes=sum(bool(o.finishes) for o in known) / max(len(known), 1),
        bracket=sum(o.bracket for o in shown) / few,
        whole=sum(o.whole for o in shown) / few,
        joined=sum(o.joined for o in shown) / few,
        saved=sum(o.saved for o in found) / max(sum(o.typed for o in found), 1),
    )
