"""A chain as edits that could each be made now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tabspec.edits.edit import ProposedEdit
from tabspec.text import Edit


def at_once(chain: tuple[ProposedEdit, ...]) -> Iterator[ProposedEdit]:
    """The edits of a chain, each for its document as it is before all of them.

    One that changes what an edit before it inserts is left out: without that edit it is not possible.
    """
    made: dict[str, list[Edit]] = {}  # those before it, each in the document that it was made for
    for edit in chain:
        earlier = made.setdefault(edit.uri, [])
        change: Edit | None = edit.change
        for before in reversed(earlier):
            change = None if change is None else _without(change, before)
        if change is not None:
            moved = change.offset - edit.change.offset
            yield replace(edit, change=change, cursor=edit.cursor + moved)
        earlier.append(edit.change)


def _without(change: Edit, before: Edit) -> Edit | None:
    """``change`` as it is where ``before`` was not made; None if it touches what that inserted."""
    if change.offset + change.delete <= before.offset:
        return change
    if change.offset >= before.end:
        return replace(change, offset=change.offset - len(before.insert) + before.delete)
    return None
