"""Counts tokens that were decoded but not offered, by the step of post-processing that removes them."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from tabspec.context import EditContext
from tabspec.fitting.postprocess import stages, trimmed
from tabspec.fitting.truncation import FitPlace, FitStep
from tabspec.suggestion import GeneratedText, Suggestion


class Cut(StrEnum):
    """Why tokens are removed."""

    SETTLED = "after the place where that was known"  # a model that stops early decodes none of these
    BLANK = "blanks and the line end"
    REPETITION = "repetition"
    INDENTATION = "another block"
    ENDS = "an end where a person would not stop"
    OVERLAP = "what does not fit its place"
    STANDS = "is in the document already"


# The cut that each step of post-processing makes.
_CUTS = {
    None: Cut.BLANK,
    FitStep.REPETITION: Cut.REPETITION,
    FitStep.INDENTATION: Cut.INDENTATION,
    FitStep.ENDS: Cut.ENDS,
    FitStep.OVERLAP: Cut.OVERLAP,
}


def cut_away(context: EditContext, written: GeneratedText) -> Counter[Cut]:
    """How many tokens of ``written``, generated at ``context``, are removed completely by each cut."""
    lengths = _lengths(context, written)
    starts = (0, *written.ends[:-1])
    found = Counter[Cut]()
    for start in starts[: len(written.ends)]:
        cut = next((cut for cut, left in lengths if start >= left), None)
        if cut:
            found[cut] += 1
    return found


def _lengths(context: EditContext, written: GeneratedText) -> list[tuple[Cut, int]]:
    """The length of the text after each step of post-processing. A token that starts at or after this length is
    removed. The first entry is one longer than an untruncated text, so a token that only ends it is not counted there.
    """
    place = FitPlace(context)
    settled = place.truncate(written)
    found = [(Cut.SETTLED, len(settled.text) if settled != written else len(written.text) + 1)]
    for step, text, _ in stages(place, settled):
        found.append((_CUTS[step], len(text.rstrip())))
    offered = trimmed(place, settled)
    found.append((Cut.STANDS, len(offered.text) if isinstance(offered, Suggestion) else 0))
    return found
