"""Past edits in prompts: as unified diffs, and the document as it was before them."""

from __future__ import annotations

from tabspec.edits.step import lines_with_ends
from tabspec.models.edit_protocol import EditRequest, PastEdit


def hunk(edit: PastEdit) -> str:
    """The edit as one hunk without lines of context: the history keeps whole lines that changed. Each line ends with a
    line end."""
    old, new = _lines(edit.old), _lines(edit.new)
    head = f"@@ -{_range(edit.line, old)} +{_range(edit.line, new)} @@\n"
    return head + "".join(f"-{line}\n" for line in old) + "".join(f"+{line}\n" for line in new)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _range(line: int, lines: list[str]) -> str:
    """Where no line is, a diff names the line before."""
    return f"{line + bool(lines)},{len(lines)}"


def ended(text: str) -> str:
    """The text with a line end after its last line."""
    return text if not text or text.endswith("\n") else text + "\n"


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
