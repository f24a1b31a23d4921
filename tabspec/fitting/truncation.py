"""Where what a model wrote is settled: the first part of post-processing, and what tells models where to stop."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from tabspec.context import EditContext
from tabspec.fitting.early_stop import WORD_ENDED, Around
from tabspec.suggestion import GeneratedText
from tabspec.syntax.languages import grammar_of
from tabspec.text import uses_crlf

# Characters before and behind the cursor that are looked at: no bracket pair of interest spans more than that on a
# line, and a line below that is farther away is not what is being written.
_NEAR = 400


class FitStep(StrEnum):
    """What is done to a text, in this order. Each can be left out, to see what it is worth (`tabspec evaluate`)."""

    REPETITION = "repetition"  # what repeats itself, or says the line below again
    INDENTATION = "indentation"  # lines that leave the block of the cursor's line
    ENDS = "ends"  # half words, opened strings and hanging operators where the text was cut anywhere
    OVERLAP = "overlap"  # what stands behind the cursor already: no second bracket


def around(context: EditContext, steps: Collection[FitStep] = frozenset(FitStep)) -> Around:
    """What decides at ``context`` where a text is settled."""
    below = (line.strip() for line in _near_behind(context).splitlines()[1:])
    return Around(
        line_before(context),
        next((line for line in below if line), ""),
        FitStep.REPETITION in steps,
        FitStep.INDENTATION in steps,
        grammar_of(context.document) in WORD_ENDED,
    )


def cut_point(context: EditContext, text: str, steps: Collection[FitStep] = frozenset(FitStep)) -> int | None:
    """Length of the shortest beginning of ``text``, written at ``context``, that is settled; None if it is not."""
    if not uses_crlf(context.document.text):
        return around(context, steps).cut_point(text)
    end = around(context, steps).cut_point(text.replace("\r\n", "\n"))  # as the model wrote it
    return None if end is None else _behind(text, end)


def truncate(
    context: EditContext, generated: GeneratedText, steps: Collection[FitStep] = frozenset(FitStep)
) -> GeneratedText:
    """``generated`` as a model would have written it at ``context`` that stops where its text is settled."""
    end = cut_point(context, generated.text, steps)
    return generated if end is None else generated.stopped_at(end)


def line_before(context: EditContext) -> str:
    """The line of the cursor, up to it."""
    before = context.prefix[-_NEAR:]
    return before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]


def rest_of_line(context: EditContext) -> str:
    """The line of the cursor, from it on, without its line end."""
    behind = _near_behind(context)
    for i, char in enumerate(behind):
        if char in "\r\n":
            return behind[:i]
    return behind


def _near_behind(context: EditContext) -> str:
    return context.document.text[context.offset : context.offset + _NEAR]


def _behind(text: str, count: int) -> int:
    """Where the first ``count`` characters of ``text`` end, if a CRLF counts as one."""
    at = 0
    for _ in range(count):
        at += 2 if text.startswith("\r\n", at) else 1
    return at
