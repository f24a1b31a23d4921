"""The document as it was before the last edits: along a chain of edits it stays the same."""

from __future__ import annotations

from tabspec.edits.step import lines_with_ends
from tabspec.models.edit_protocol import EditRequest


def undone(request: EditRequest) -> tuple[str, str]:
    """The text of a request (``before``, ``region`` and ``after``) without the document's own edits in the history, and
    what was the region then.

    They are taken back from the newest to the oldest. This ends before an edit whose lines are not in the text, or
    which reaches over a border of the region.
    """
    lines = lines_with_ends(request.before + request.region + request.after)
    start = len(lines_with_ends(request.before))
    top, stop = request.line - start, start + len(lines_with_ends(request.region))
    for edit in reversed(request.history):
        if edit.elsewhere:
            continue
        old, new = lines_with_ends(edit.old), lines_with_ends(edit.new)
        first, last = edit.line - top, edit.line - top + len(new)
        grown = len(old) - len(new)
        if first < 0 and last <= 0:  # above what is shown
            top += grown
            continue
        if first > len(lines):  # below it
            continue
        if first < 0 or lines[first:last] != new:
            break
        if start <= first and last <= stop:
            stop += grown
        elif last <= start:
            start, stop = start + grown, stop + grown
        elif first < stop:
            break
        lines[first:last] = old
    return "".join(lines), "".join(lines[start:stop])
