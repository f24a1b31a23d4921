"""Tokens that were decoded and are not offered: which part of post-processing takes them away."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from tabspec.context import EditContext
from tabspec.fitting.postprocess import postprocess, stages
from tabspec.fitting.truncation import FitStep, truncate
from tabspec.suggestion import GeneratedText, Suggestion


class Cut(StrEnum):
    """What takes tokens away."""

    SETTLED = "after the place where that was known"  # a model that stops early decodes none of these
    BLANK = "blanks and the line end"
    REPETITION = "repetition"
    INDENTATION = "another block"
    ENDS = "an end where nobody could stop"
    OVERLAP = "what does not fit its place"
    STANDS = "stands there already"


# What each step of post-processing takes away.
_CUTS = {
    None: Cut.BLANK,
    FitStep.REPETITION: Cut.REPETITION,
    FitStep.INDENTATION: Cut.INDENTATION,
    FitStep.ENDS: Cut.ENDS,
    FitStep.OVERLAP: Cut.OVERLAP,
}


def cut_away(context: EditContext, written: GeneratedText) -> Counter[Cut]:
    """How many tokens of what was ``written`` at ``context`` are wholly cut off, by what."""
    lengths = _lengths(context, written)
    starts = (0, *written.ends[:-1])
    found = Counter[Cut]()
    for start in starts[: len(written.ends)]:
        cut = next((cut for cut, left in lengths if start >= left), None)
        if cut:
            found[cut] += 1
    return found


def _lengths(context: EditContext, written: GeneratedText) -> list[tuple[Cut, int]]:
    """What is left of a text after each step of post-processing. A start at which nothing is left of the text itself is
    that of a token which only ended it: a line end."""
    settled = truncate(context, written)
    found = [(Cut.SETTLED, len(settled.text) if settled != written else len(written.text) + 1)]
    for step, text, _ in stages(context, settled):
        found.append((_CUTS[step], len(text.rstrip())))
    offered = postprocess(context, written)
    found.append((Cut.STANDS, len(offered.text) if isinstance(offered, Suggestion) else 0))
    return found
