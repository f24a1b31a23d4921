"""What the patterns of `tabspec.edits.proposals` propose for the lines of a request.

The model judges them beside its own answers. Those of them that are likely enough by themselves are shown without a
model, before it is asked; here it is also about the others. A function of the request alone: along a chain, the scenes
are found again from the lines before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tabspec.edits.chain import at_once
from tabspec.edits.edit import EditSource
from tabspec.edits.hunks import step_of
from tabspec.edits.proposals.propose import LEAST as SHOWN
from tabspec.edits.proposals.propose import propose
from tabspec.edits.step import Step
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.local.edits.changes import LineChange
from tabspec.text import Document

# Of less likely ones, 2 % were right at steps between releases; each would cost a pass.
LEAST = 0.3
# As many as are compared by the tags of their lines.
MOST = 8


@dataclass(frozen=True, slots=True)
class Pattern:
    """A ``change`` of the region's lines, which changes the first and the last of these; and how often its case is
    right, by the table of patterns. ``left``: it would be shown at once, if the engine did not leave it to the model.
    """

    change: LineChange
    probability: float
    left: bool = False


def patterns(
    request: EditRequest, lines: Sequence[str], history: Sequence[PastEdit], cursor: int
) -> tuple[Pattern, ...]:
    """What is proposed for ``lines`` after ``history``, the nearest to line ``cursor`` first."""
    uri = f"file:///{request.path}"
    document = Document(uri, "".join(f"{line}\n" for line in lines), request.language)
    if document.line_count != len(lines) + 1:
        return ()  # a carriage return begins a line there, and none here
    starts = [*accumulate((len(line) + 1 for line in lines), initial=0)]
    steps = [_step(edit, uri, edit.line - request.line, starts) for edit in history]
    taught = [step for step in steps if step.teaches]
    found = []
    for edit in at_once(propose(document, starts[min(cursor, len(lines))], taught, least=LEAST)):
        step = step_of(document, edit.change)
        if step is not None:
            left = edit.source is EditSource.SIBLING and edit.probability >= SHOWN
            found.append(Pattern(LineChange(*step.old_range, step.new_lines), edit.probability, left))
    return tuple(found[:MOST])


def _step(edit: PastEdit, uri: str, line: int, starts: Sequence[int]) -> Step:
    line = min(max(line, 0), len(starts) - 1)
    own = f"file:///other/{edit.path}" if edit.elsewhere else uri
    source = EditSource.MODEL if edit.proposed else None
    return Step(own, line, starts[line], edit.old, edit.new, edit.accepted, edit.typed, source)
