"""Whether the user has written the old name of a rename again: then it stays in use, and what is left may mean that.

In the commits of eight projects, 7 of 40 edits after such renames were right (docs/decisions/2026-11-29-old-names.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step


def is_written_again(names: tuple[str, str], step: Step) -> bool:
    """Whether a step added the old one of the two ``names``. In `Old = New` it stands for those who still use it."""
    old, new = names
    alias = re.compile(rf"\b{re.escape(old)}\s*=\s*{re.escape(new)}\b")
    left = sum(len(occurrences(line, old)) for line in step.new_lines if not alias.search(line))
    return left > len(occurrences(step.old, old))


def is_in_use(
    names: tuple[str, str], renamed: Sequence[Step], steps: Sequence[Step], places: Places, scope: tuple[int, int]
) -> bool:
    """Whether the old one of the two ``names`` of a definition was written again in ``scope`` of the document, or at
    its top level, or on one line with the new one.

    ``renamed`` are the steps that show the rename. What was written before them may use the definition, unless it is an
    import or a definition itself; what was written after them does not. In other documents, what was written after
    them counts if the scope is a whole document.
    """
    document, (name, new) = places.document, names
    first = steps.index(renamed[0])
    moved = re.compile(rf"\b{re.escape(new)}\.{re.escape(name)}\b")
    before: set[str] = set()
    after: set[str] = set()
    for number, step in enumerate(steps):
        if moved.search(step.new) and not moved.search(step.old):
            return True  # the value has moved into another one: `instance` became `serializer`
        if step in renamed or not is_written_again(names, step):
            continue
        if any(occurrences(line, name) and occurrences(line, new) for line in step.new_lines):
            return True
        if step.uri == document.uri:
            (before if number < first else after).update(step.new_lines)
        elif number > first and scope == (0, len(document.text)):
            return True
    if not before and not after:
        return False
    for at in occurrences(document.text, name):
        inside, line = scope[0] <= at < scope[1], places.line(at)
        if line in after and inside:
            return True
        if line in before | after and _is_other(places, at, inside):
            return True
    return False


def _is_other(places: Places, at: int, inside: bool) -> bool:
    """Whether the name at a place is imported or defined: in the scope, or for all the document."""
    if places.is_import(at):
        return True
    return places.is_definition(at) and (inside or places.function(at) is None)
