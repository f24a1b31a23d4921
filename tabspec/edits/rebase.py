"""Carrying a proposed edit over to a document that has changed, by position arithmetic.

An edit is anchored on the lines that it touches. A change of anything else moves it; a change of these lines ends it,
unless the user begins to make the very same edit: then what is left of it stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tabspec.edits.edit import ProposedEdit, chained
from tabspec.text import Document, Edit


def rebased(edit: ProposedEdit, document: Document, changes: Iterable[Edit]) -> ProposedEdit | None:
    """``edit`` after ``changes`` of ``document``, each applied to the result of the one before; None if it is gone.

    An edit of another document stays as it is.
    """
    if edit.uri != document.uri:
        return edit
    found, text = edit, document.text
    for change in changes:
        left = _rebased(found, text, change)
        if left is None:
            return None
        found, text = left, change.apply(text)
    return found


def rebased_chain(
    chain: tuple[ProposedEdit, ...], document: Document, changes: Iterable[Edit]
) -> tuple[ProposedEdit, ...]:
    """The edits of a chain after ``changes`` of ``document``, up to the first that is gone."""
    text = document.text
    for change in changes:
        chain = _rebased_chain(chain, document.uri, text, change)
        text = change.apply(text)
    return chain


def _rebased_chain(chain: tuple[ProposedEdit, ...], uri: str, text: str, change: Edit) -> tuple[ProposedEdit, ...]:
    left: list[ProposedEdit] = []
    for at, edit in enumerate(chain):
        if edit.uri != uri:
            left.append(edit)
            continue
        found = _rebased(edit, text, change)
        if found is None:
            break
        left.append(found)
        if _agreeing(edit.change, change) is not None:  # the change is a part of this edit: those after it stay
            left += chain[at + 1 :]
            break
        text, change = edit.change.apply(text), carried(change, edit.change)
    return chained(tuple(left))


def _rebased(edit: ProposedEdit, text: str, change: Edit) -> ProposedEdit | None:
    agreeing = _agreeing(edit.change, change)
    if agreeing is not None:
        return replace(edit, change=agreeing) if agreeing.delete or agreeing.insert else None
    if not _elsewhere(edit.change, text, change):
        return None
    if _before(change, edit.change):
        moved = len(change.insert) - change.delete
        cursor = edit.cursor + moved if edit.cursor >= edit.change.offset else _moved(edit.cursor, change)
        own = replace(edit.change, offset=edit.change.offset + moved)
    else:
        cursor, own = _moved(edit.cursor, carried(change, edit.change)), edit.change
    return None if cursor is None else replace(edit, change=own, cursor=cursor)


def carried(change: Edit, across: Edit) -> Edit:
    """A user's ``change`` as it is after the proposed edit ``across``, which lies elsewhere in the same document."""
    moved = 0 if _before(change, across) else len(across.insert) - across.delete
    return replace(change, offset=change.offset + moved)


def _before(change: Edit, edit: Edit) -> bool:
    return change.offset + change.delete <= edit.offset


def _agreeing(edit: Edit, change: Edit) -> Edit | None:
    """What is left of ``edit`` once ``change`` has made a part of it; None if ``change`` does something else.

    A part of it is to delete some of what it deletes, or to type the beginning of what it inserts at its place.
    """
    stop, change_stop = edit.offset + edit.delete, change.offset + change.delete
    if not edit.offset <= change.offset <= change_stop <= stop:
        return None
    if not change.insert:
        return replace(edit, delete=edit.delete - change.delete) if change.delete else None
    if change.offset > edit.offset or not edit.insert.startswith(change.insert):
        return None
    typed = len(change.insert)
    return Edit(edit.offset + typed, edit.delete - change.delete, edit.insert[typed:])


def _elsewhere(edit: Edit, text: str, change: Edit) -> bool:
    """Whether ``change`` leaves the lines alone that ``edit`` touches."""
    begin, end, after = _lines_around(text, edit.offset, edit.offset + edit.delete)
    stop = change.offset + change.delete
    if stop < begin:
        # Not between a "\r" and what may become its "\n".
        return stop < begin - 1 or text[begin - 2 : begin] != "\r\n"
    if change.offset >= after:  # not before what may become the second half of the line end
        return not (change.offset == after and text[after - 1] == "\r")
    if stop == begin:  # whole lines before it
        whole = change.offset == 0 or text[change.offset - 1] == "\n"
        return change.insert.endswith("\n") or (whole and not change.insert and begin > 0)
    enter = change.insert.startswith(("\n", "\r\n")) and not change.delete
    return enter and change.offset == end and end > edit.offset + edit.delete


def _lines_around(text: str, start: int, stop: int) -> tuple[int, int, int]:
    """Where the lines of a range begin, where they end, and where the line after them begins (beyond the text if there
    is none). Looks at the text only: a chain has a text for each edit, and finding all its lines takes too long."""
    begin = text.rfind("\n", 0, start) + 1
    cr = text.rfind("\r", begin, start)
    if cr >= 0 and cr + 1 == start and text[start : start + 1] == "\n":
        cr = text.rfind("\r", begin, cr)
    end = text.find("\n", stop)
    if end < 0:
        end = len(text)
    early = text.find("\r", stop, end)
    if early >= 0:
        end = early
    after = end + (2 if text[end : end + 2] == "\r\n" else 1)
    return max(begin, cr + 1), end, after


def _moved(place: int, change: Edit) -> int | None:
    """A place after ``change``; None if it lay within what was deleted."""
    if place <= change.offset:
        return place
    return place + len(change.insert) - change.delete if place >= change.offset + change.delete else None
