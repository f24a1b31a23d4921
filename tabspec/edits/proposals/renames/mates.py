"""The other name on a line that takes the value of a renamed one: ``self.size = size``, in Go also ``Size: size``.

Where a commit renamed the local name, it renamed the member on 10 of 10 such lines (starlette, rich, werkzeug), and the
field of a literal on 6 of 7 (lazygit). Keyword arguments stay: those of the callee are seldom renamed, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tabspec.edits.proposals.tokens import occurrences
from tabspec.text import Document, Edit

# A member that is given a value, and a field of one that is written out.
_GIVEN = re.compile(r"\b(?:self|this)\.(\w+)\s*=\s*$")
_FIELD = re.compile(r"(?:^|[{,])\s*(\w+):\s*&?$")
_AFTER = re.compile(r"\s*(?:[,;)}]|$)")
# Several spaces: the values of several lines stand in one column, and another line has the longest name.
_GAP = re.compile(r":( {2,})")
_MEMBER = re.compile(r"\b(?:self|this)\.$")


def mate(document: Document, at: int, old: str, new: str, grammar: str) -> Edit | None:
    """The change of the other name on the line of a use of ``old`` at offset ``at``, which becomes ``new``; None where
    there is none."""
    line = document.position(at).line
    start, text = document.line_starts[line], document.line(line)
    before = _GIVEN.search(text[: at - start]) or (_FIELD.search(text[: at - start]) if grammar == "go" else None)
    if before is None or not _AFTER.match(text, at - start + len(old)):
        return None
    wanted = _alike(before[1], old, new)
    return None if wanted is None else aligned(document, Edit(start + before.start(1), len(before[1]), wanted))


def aligned(document: Document, edit: Edit) -> Edit:
    """A change of a field's name that leaves the column of its value: ``Sha:    sha`` becomes ``Hash:   hash``."""
    stop = edit.offset + edit.delete
    gap = _GAP.match(document.text, stop)
    spaces = len(gap[1]) + edit.delete - len(edit.insert) if gap else 0
    if gap is None or spaces < 1:
        return edit
    return Edit(edit.offset, gap.end() - edit.offset, f"{edit.insert}:{' ' * spaces}")


def _alike(name: str, old: str, new: str) -> str | None:
    """``new`` as ``name`` writes ``old``: the same, private, or with a capital; None where it is another name."""
    if name == old:
        return new
    if name == f"_{old}":
        return f"_{new}"
    return new[:1].upper() + new[1:] if name == old[:1].upper() + old[1:] else None


def members(document: Document, old: str, new: str, around: tuple[int, int]) -> Iterator[int]:
    """Where the member ``self.old`` is used that takes the value of the renamed ``old``: ``self.old = old`` in the
    function ``around``, or already ``self.new = new``. None where it takes another value, too.
    """
    text = document.text
    if f".{old}" not in text:
        return
    here = text[around[0] : around[1]]
    given = [match.start() for match in re.finditer(rf"\b(?:self|this)\.{old}\s*=(?!=)", text)]
    own = [match.start() for match in re.finditer(rf"\b(?:self|this)\.{old}\s*=\s*{old}\s*;?\s*?$", here, re.MULTILINE)]
    made = re.search(rf"\b(?:self|this)\.{new}\s*=\s*{new}\s*;?\s*?$", here, re.MULTILINE)
    if len(given) != len(own) or not (own or made):
        return
    for at in occurrences(text, old):
        if _MEMBER.search(text, max(at - 5, 0), at) and not around[0] <= at < around[1]:
            yield at
