"""Tokens that were decoded and are not offered: which part of post-processing takes them away."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from tabspec.context import EditContext
from tabspec.engine.postprocess import fit_line_end, postprocess, trim_end
from tabspec.engine.settling import around, rest_of_line, settle
from tabspec.suggestion import GeneratedText, Suggestion
from tabspec.trimming.indentation import end_with_block
from tabspec.trimming.repetition import cut_repetition


class Cut(StrEnum):
    """What takes tokens away."""

    SETTLED = "behind the place where that was known"  # a model that stops early decodes none of these
    BLANK = "blanks and the line end"
    REPETITION = "repetition"
    INDENTATION = "another block"
    OVERLAP = "overlap with the rest of the line"
    STANDS = "stands there already"


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
    """What is left of a text behind each step, in the order of `postprocess`. A start at which nothing is left of the
    text itself is that of a token which only ended it: a line end."""
    near = around(context)
    settled = settle(context, written).text
    text = trim_end(settled)
    found = [(Cut.SETTLED, len(settled) if settled != written.text else len(written.text) + 1), (Cut.BLANK, len(text))]
    text = trim_end(cut_repetition(near.line, text, near.below))
    found.append((Cut.REPETITION, len(text)))
    text = trim_end(end_with_block(near.line, text))
    found.append((Cut.INDENTATION, len(text)))
    text, _ = fit_line_end(near.line, text, rest_of_line(context))
    found.append((Cut.OVERLAP, len(text)))
    offered = postprocess(context, written)
    found.append((Cut.STANDS, len(offered.text) if isinstance(offered, Suggestion) else 0))
    return found
