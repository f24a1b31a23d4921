"""Whether a recording goes on to make an edit that is offered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from tabspec.text import Edit


class Action(Protocol):
    """What a recording does at one moment: edits, one after another (none: the cursor moves)."""

    @property
    def edits(self) -> tuple[Edit, ...]: ...


class Making(NamedTuple):
    """``actions``: how many of the coming actions make the edit and nothing else; None if other edits come first.
    ``made``: whether the recording makes it at all."""

    actions: int | None
    made: bool


def making(change: Edit, text: str, coming: Iterable[Action]) -> Making:
    """Follow ``coming`` until the range of ``change`` in ``text`` reads as ``change`` would have it, and stays so.

    It stays so if what comes next there does not change it, nor lengthens the word that it ends with.
    """
    start, region = change.offset, text[change.offset : change.offset + change.delete]
    found: int | None = None
    alone = True
    for number, action in enumerate(coming, 1):
        for edit in action.edits:
            at, stop = edit.offset - start, edit.offset + edit.delete - start
            beside = _beside(at, stop, edit.insert, region)
            if found is not None:
                if beside:
                    return Making(found if alone else None, True)
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
    return Making(found if alone else None, found is not None)


def _beside(at: int, stop: int, insert: str, region: str) -> bool:
    """Whether an edit leaves a region as it is, and the words at its ends."""
    if stop < 0 or at > len(region):
        return True
    if not region or (at < len(region) and stop > 0):
        return False
    if at == len(region):
        return not (_is_word(region[-1:]) and _is_word(insert[:1]))
    return not (_is_word(insert[-1:]) and _is_word(region[:1]))


def _is_word(char: str) -> bool:
    return char == "_" or char.isalnum()
