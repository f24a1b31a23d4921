"""The cut point of a generated text at a place in a document. Post-processing truncates the text there first, and
models may stop there early."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from functools import cached_property

from tabspec.context import EditContext
from tabspec.fitting.early_stop import WORD_ENDED, Around
from tabspec.fitting.ends import Ending
from tabspec.suggestion import GeneratedText
from tabspec.syntax.languages import grammar_of
from tabspec.syntax.trees import tree_of
from tabspec.text import uses_crlf

# Characters before and after the cursor that are examined. Bracket pairs that matter span less of a line, and a model
# does not repeat a line that is farther below.
_NEAR = 400


class FitStep(StrEnum):
    """The steps of post-processing, in order. `tabspec evaluate` can leave out each one to measure its effect."""

    REPETITION = "repetition"  # cuts loops, a copy of the next line, and what is defined already
    INDENTATION = "indentation"  # cuts lines outside the block of the cursor's line
    ENDS = "ends"  # cuts half words, open strings and hanging operators, if the model stopped at an arbitrary place
    OVERLAP = "overlap"  # avoids repeating text after the cursor, such as a closing bracket


class FitPlace:
    """A document state at which generated texts are fitted. What all of them need is computed once.

    ``steps`` are the steps of post-processing.
    """

    def __init__(self, context: EditContext, steps: Collection[FitStep] = frozenset(FitStep)) -> None:
        self.context, self.steps = context, steps
        self._parsed = False

    @cached_property
    def around(self) -> Around:
        """The text around the cursor that determines cut points here."""
        below = (line.strip() for line in _near_after(self.context).splitlines()[1:])
        return Around(
            line_before(self.context),
            next((line for line in below if line), ""),
            FitStep.REPETITION in self.steps,
            FitStep.INDENTATION in self.steps,
            grammar_of(self.context.document) in WORD_ENDED,
        )

    @cached_property
    def ending(self) -> Ending:
        """Where texts may end here."""
        return Ending(self.context, line_before(self.context))

    def parse_ahead(self) -> None:
        """Parse the document around the cursor, if that was not done before. Texts are then fitted faster here."""
        if not self._parsed and (grammar := grammar_of(self.context.document)):
            tree_of(grammar, self.context.document, self.context.offset)
        self._parsed = True

    def cut_point(self, text: str) -> int | None:
        """The cut point of ``text``, generated here (see `Around.cut_point`); None if it has none."""
        if not uses_crlf(self.context.document.text):
            return self.around.cut_point(text)
        end = self.around.cut_point(text.replace("\r\n", "\n"))  # models write \n only
        return None if end is None else _crlf_offset(text, end)

    def truncate(self, generated: GeneratedText) -> GeneratedText:
        """``generated`` up to its cut point here, as if the model had stopped there."""
        end = self.cut_point(generated.text)
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
