"""The cut point of a generated text at a place in a document. Post-processing truncates the text there first, and
models may stop there early."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from tabspec.context import EditContext
from tabspec.fitting.early_stop import WORD_ENDED, Around
from tabspec.suggestion import GeneratedText
from tabspec.syntax.languages import grammar_of
from tabspec.text import uses_crlf

# Characters before and after the cursor that are examined. Bracket pairs that matter span less of a line, and a model
# does not repeat a line that is farther below.
_NEAR = 400


class FitStep(StrEnum):
    """The steps of post-processing, in order. `tabspec evaluate` can leave out each one to measure its effect."""

    REPETITION = "repetition"  # cuts loops, and a copy of the next line
    INDENTATION = "indentation"  # cuts lines outside the block of the cursor's line
    ENDS = "ends"  # cuts half words, open strings and hanging operators, if the model stopped at an arbitrary place
    OVERLAP = "overlap"  # avoids repeating text after the cursor, such as a closing bracket


def around(context: EditContext, steps: Collection[FitStep] = frozenset(FitStep)) -> Around:
    """The text around the cursor of ``context`` that determines cut points there."""
    below = (line.strip() for line in _near_after(context).splitlines()[1:])
    return Around(
        line_before(context),
        next((line for line in below if line), ""),
        FitStep.REPETITION in steps,
        FitStep.INDENTATION in steps,
        grammar_of(context.document) in WORD_ENDED,
    )


def cut_point(context: EditContext, text: str, steps: Collection[FitStep] = frozenset(FitStep)) -> int | None:
    """The cut point of ``text``, generated at ``context`` (see `Around.cut_point`); None if it has none."""
    if not uses_crlf(context.document.text):
        return around(context, steps).cut_point(text)
    end = around(context, steps).cut_point(text.replace("\r\n", "\n"))  # models write \n only
    return None if end is None else _crlf_offset(text, end)


def truncate(
    context: EditContext, generated: GeneratedText, steps: Collection[FitStep] = frozenset(FitStep)
) -> GeneratedText:
    """``generated`` up to its cut point at ``context``, as if the model had stopped there."""
    end = cut_point(context, generated.text, steps)
    return generated if end is None else generated.stopped_at(end)


def line_before(context: EditContext) -> str:
    """The line of the cursor, up to the cursor."""
    before = context.prefix[-_NEAR:]
    return before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]


def rest_of_line(context: EditContext) -> str:
    """The line of the cursor, from the cursor to the line's end, without the line end itself."""
    after = _near_after(context)
    for i, char in enumerate(after):
        if char in "\r\n":
            return after[:i]
    return after


def _near_after(context: EditContext) -> str:
    return context.document.text[context.offset : context.offset + _NEAR]


def _crlf_offset(text: str, count: int) -> int:
    """The offset in ``text`` after ``count`` characters, counting each CRLF as one."""
    at = 0
    for _ in range(count):
        at += 2 if text.startswith("\r\n", at) else 1
    return at
