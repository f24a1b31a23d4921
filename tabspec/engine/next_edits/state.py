"""From an edit context to the request that an edit model gets, and from its answer to proposed edits."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabspec.cache.digests import digest
from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.edits.history import History
from tabspec.edits.lessons import agreeing
from tabspec.edits.proposals.written import written
from tabspec.edits.step import Step
from tabspec.engine.prompt_state import FindRelated, base_name
from tabspec.fitting.unseen import unseen
from tabspec.models.edit_protocol import EditRequest, PastEdit, RegionSize
from tabspec.models.protocol import RelatedText, StopRule
from tabspec.prompt.window import Window, WindowSize, window
from tabspec.text import Document, with_lf

# Where a model reports no log-probabilities, an edit is as likely as a completion without a probability.
UNKNOWN = 0.5
WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class EditState:
    """What an edit model sees of a document state, and the scope in which its answer may be reused.

    The region is the text from ``start`` to ``stop``, and what is shown is that from ``begin`` to ``end``. For a model
    with a region of its own size (`RegionSize.chars`) it lies around the user's last own edit, if it then holds the
    cursor: so it stays where it is while the user takes one next edit after another. Otherwise around the cursor.
    """

    context: EditContext
    begin: int
    start: int
    stop: int
    end: int
    region: RegionSize
    steps: tuple[Step, ...]
    related: tuple[RelatedText, ...]
    beyond: tuple[str, str]
    scope: tuple[object, ...]

    @classmethod
    def of(
        cls, context: EditContext, region: RegionSize, size: WindowSize, fingerprint: str, related: FindRelated
    ) -> EditState | None:
        """The state for the model with this fingerprint. None where the cursor's line is longer than what the model may
        see."""
        history = agreed(context)
        past = (history.digest, history.steps) if history else (0, ())
        centres = [context.offset]
        if region.chars:
            size = WindowSize(region.chars, region.chars, max(region.chars // 3, 1))
            centres = [*_last_own(context.document, past[1]), *centres]
        found = (_place(replace(context, offset=centre), context.offset, region, size) for centre in centres)
        place, seen = next((each for each in found if each is not None), (None, None))
        if place is None or seen is None:
            return None
        shown = related(context, seen)
        around = digest("\0".join(part for text in shown for part in (text.path, text.text)))
        scope = (WRITTEN, fingerprint, context.document.language, past[0], around)
        beyond = ("", "") if region.chars else (seen.before, seen.after)
        return cls(context, *place, region, past[1], shown, beyond, scope)

    def request(self, stop: StopRule, resume: str = "", foreground: bool = True, beginnings: int = 0) -> EditRequest:
        """The request to the model. An interrupted one is made again from the start: ``resume`` is not used."""
        document, offset = self.context.document, self.context.offset
        text = document.text
        first = document.line_starts[bisect_left(document.line_starts, self.begin)]
        return EditRequest(
            path=base_name(document.uri),
            language=document.language,
            before=with_lf(text[first : self.start]),
            region=with_lf(text[self.start : self.stop]),
            after=with_lf(text[self.stop : self.end]),
            cursor=len(with_lf(text[self.start : offset]).removesuffix("\r")),
            line=document.position(self.start).line,
            earlier=with_lf(self._earlier()),
            history=self._past(),
            related=tuple(RelatedText(each.path, with_lf(each.text)) for each in self.related),
            beyond=(with_lf(self.beyond[0]), with_lf(self.beyond[1])),
            foreground=foreground,
        )

    def edits(self, new: str, logprobs: Sequence[float], probability: float | None = None) -> tuple[ProposedEdit, ...]:
        """The chain that turns the region into ``new``. No chain where it writes a character that a user would not see.

        Without a calibrated ``probability`` the model's least likely token decides how likely it is: that is where the
        model was in doubt. The user's own answers correct it (`tabspec.edits.gate.Experience`)."""
        if probability is None:
            probability = math.exp(min(logprobs)) if logprobs else UNKNOWN
        chain = written(self.context.document, (self.start, self.stop), new, self.context.offset, probability)
        return () if any(unseen(edit.change.insert) is not None for edit in chain) else chain

    def _past(self) -> tuple[PastEdit, ...]:
        """The last steps, as many as may be shown."""
        past: list[PastEdit] = []
        left = self.region.past_chars
        for step in reversed(self.steps[-self.region.steps :]):
            left -= step.chars
            if left < 0:
                break
            elsewhere, proposed = step.uri != self.context.uri, step.source is not None
            old, new = with_lf(step.old), with_lf(step.new)
            path = base_name(step.uri)
            past.append(PastEdit(path, step.line, old, new, step.accepted, proposed, elsewhere, step.typed))
        return tuple(reversed(past))

    def _earlier(self) -> str:
        """The region before the last step of this document; the region itself where that step was elsewhere."""
        document = self.context.document
        step = next((each for each in reversed(self.steps) if each.uri == document.uri), None)
        text, region = document.text, document.text[self.start : self.stop]
        if step is None:
            return region
        stop = step.offset + len(step.new)
        if not self.start <= step.offset <= stop <= self.stop or text[step.offset : stop] != step.new:
            return region
        return text[self.start : step.offset] + step.old + text[stop : self.stop]


def agreed(context: EditContext) -> History | None:
    """The history, without the documents whose text is not what it led to."""
    return context.history and agreeing(context.history, (*context.others, context.document))


def _last_own(document: Document, steps: Sequence[Step]) -> list[int]:
    """Where the lines of the last edit of ``document`` that is no accepted next edit begin now; nothing if there is
    none."""
    own = [step for step in steps if step.uri == document.uri]
    last = next((at for at in range(len(own) - 1, -1, -1) if own[at].source is None), None)
    if last is None:
        return []
    offset = own[last].offset
    for step in own[last + 1 :]:
        if step.offset + len(step.old) <= offset:
            offset += len(step.new) - len(step.old)
        else:
            offset = min(offset, step.offset)
    return [offset]


def _place(
    centre: EditContext, cursor: int, region: RegionSize, size: WindowSize
) -> tuple[tuple[int, int, int, int], Window] | None:
    """Begin, start, stop and end around ``centre``, and its window; None where the region does not hold the cursor."""
    seen = window(centre, size)
    begin, end = centre.offset - len(seen.head + seen.forced), centre.offset + len(seen.suffix)
    place = _region(centre.document, centre.offset, region, begin, end)
    if place is None or not place[0] <= cursor <= place[1] or cursor == place[1] < len(centre.document.text):
        return None
    return (begin, *place, end), seen


def _region(document: Document, offset: int, size: RegionSize, begin: int, end: int) -> tuple[int, int] | None:
    """The lines around a cursor, by offsets, that lie between ``begin`` and ``end``."""
    starts = [*document.line_starts, len(document.text)]
    line = document.position(offset).line
    first = next((at for at in range(max(line - size.above, 0), line + 1) if starts[at] >= begin), None)
    bottom = min(line + size.below, document.line_count - 1)
    last = next((at for at in range(bottom, line - 1, -1) if starts[at + 1] <= end), None)
    return None if first is None or last is None else (starts[first], starts[last + 1])
