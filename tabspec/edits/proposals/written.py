"""From a region that a model has rewritten to a chain of proposed edits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.order import as_chain
from tabspec.edits.step import lines_of, lines_with_ends
from tabspec.text import Document, Edit, common_prefix, difference, uses_crlf


def written(
    document: Document, region: tuple[int, int], new: str, cursor: int, probability: float
) -> tuple[ProposedEdit, ...]:
    """The edits that turn the ``region`` of a document into ``new``, as one chain.

    ``region`` is a range of whole lines, by offsets. Lines that stay keep their line ends, whatever those of ``new``
    are; new lines get the document's. ``cursor`` is an offset: the chain begins near it. Each edit of the chain has
    this ``probability``.
    """
    start, stop = region
    found = [
        Found(document, replace(change, offset=start + change.offset), EditSource.MODEL, "written")
        for change in _changes(document.text[start:stop], new, "\r\n" if uses_crlf(document.text) else "\n")
    ]
    chain = as_chain(found, (document.uri, document.position(cursor).line), 0.0)
    return tuple(replace(edit, probability=probability) for edit in chain)


def _changes(old: str, new: str, line_end: str) -> Iterator[Edit]:
    """The changes of ``old``, one for each run of lines that differ."""
    before, after = lines_with_ends(old), lines_of(new)
    ended = not before or before[-1][-1] in "\r\n"
    # As if the last line had a line end: else a line after it would be written on it.
    lines = before if ended else [*before[:-1], before[-1] + line_end]
    shown = [line.rstrip("\r\n") for line in lines]
    # What is equal at both ends is left out: comparing all lines of a region of hundreds takes tens of milliseconds.
    head = common_prefix(shown, after)
    tail = common_prefix(shown[head:][::-1], after[head:][::-1])
    matcher = SequenceMatcher(None, shown[head : len(shown) - tail], after[head : len(after) - tail], autojunk=False)
    for kind, first, last, new_first, new_last in matcher.get_opcodes():
        if kind != "equal":
            inserted = [line + line_end for line in after[head + new_first : head + new_last]]
            text = "".join([*lines[: head + first], *inserted, *lines[head + last :]])
            change = difference(old, text if ended else text.removesuffix(line_end))
            if change is not None:
                yield change
