"""Whether a recording goes on to make an edit that is offered, and what it still does once the edit is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from tabspec.replay.users.actions import Action
from tabspec.text import Edit, is_word


class Making(NamedTuple):
    """``actions``: after how many of the coming actions the edit is made; None if the recording does not make it.
    ``alone``: these actions do nothing else."""

    actions: int | None
    alone: bool


def making(change: Edit, text: str, coming: Iterable[Action], part: int = 0) -> Making:
    """Follow ``coming`` until the range of ``change`` in ``text`` reads as ``change`` would have it, and stays so.
    ``part``: the part of the session that ``text`` belongs to.

    It stays so if what comes next there does not change it, nor lengthens the word that it ends with.
    """
    start, region = change.offset, text[change.offset : change.offset + change.delete]
    found: int | None = None
    alone = True
    for number, action in enumerate(coming, 1):
        if action.part != part:
            alone = alone and not action.edits
            continue
        for edit in action.edits:
            at, stop = edit.offset - start, edit.offset + edit.delete - start
            beside = _beside(at, stop, edit.insert, region)
            if found is not None:
                if beside:
                    return Making(found, alone)
                found = None
            if stop < 0 or at > len(region):
                alone = False
                start += len(edit.insert) - edit.delete if stop < 0 else 0
            elif at < 0 or stop > len(region):
                return Making(None, False)
            else:
                region = region[:at] + edit.insert + region[stop:]
        if action.edits and region == change.insert:
            found = number
    return Making(found, alone and found is not None)


def remaining(change: Edit, text: str, actions: Iterable[Action], part: int = 0) -> tuple[Action, ...]:
    """What is left of ``actions``, which make ``change`` in ``text`` and other edits, once ``change`` has been made.
    ``part``: the part of the session that ``text`` belongs to.

    Edits inside its range are left out, and moves of the cursor into it. The others keep their places.
    """
    start, size, final = change.offset, change.delete, len(change.insert)

    def moved(offset: int) -> int:
        """A place of the recording's text, in the text where the change is made already."""
        if offset <= start:
            return offset
        return offset + final - size if offset >= start + size else start + min(offset - start, final)

    left: list[Action] = []
    for action in actions:
        if action.part != part:
            left.append(action)
            continue
        edits = []
        for edit in action.edits:
            at, stop = edit.offset - start, edit.offset + edit.delete - start
            if stop < 0:
                edits.append(edit)
                start += len(edit.insert) - edit.delete
            elif at > size:
                edits.append(replace(edit, offset=moved(edit.offset)))
            else:
                size += len(edit.insert) - edit.delete
        inside = start <= action.cursor <= start + size
        if edits or not (action.edits or inside):
            left.append(replace(action, edits=tuple(edits), cursor=moved(action.cursor)))
    return tuple(left)


def _beside(at: int, stop: int, insert: str, region: str) -> bool:
    """Whether an edit leaves a region as it is, and the words at its ends."""
    if stop < 0 or at > len(region):
        return True
    if not region or (at < len(region) and stop > 0):
        return False
    if at == len(region):
        return not (is_word(region[-1:]) and is_word(insert[:1]))
    return not (is_word(insert[-1:]) and is_word(region[:1]))
