"""A proposed edit: the one value that a completion and a next edit have in common.

`tabspec.text.Edit` is the change itself (a range of a text and what takes its place). A `ProposedEdit` adds what an
offer needs: the document, the cursor after accepting, where the proposal comes from, and its place in a chain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import xxhash

from tabspec.text import Document, Edit


class EditSource(StrEnum):
    """What proposed an edit. Each has a calibration of its own."""

    RENAME = "rename"  # a leftover of a rename or of another replacement of a token
    SIBLING = "sibling"  # the same change on a line like the one that was changed
    COUNTERPART = "counterpart"  # a place that has to follow a change of a type, of a signature or of a parallel list
    MODEL = "model"  # a next edit by the model
    RECORDED = "recorded"  # by the assistant of a recorded session


@dataclass(frozen=True)
class ProposedEdit:
    """An edit that is offered, for its document as it is after the edits before it in the chain.

    ``change`` and ``cursor`` are code-point offsets; ``cursor`` is counted in the edited document. ``probability`` is
    the calibrated chance that the user takes it. ``position`` is the number of edits before it in the chain, ``parent``
    the `digest` of the last of them (0 for the first of a chain).
    """

    uri: str
    change: Edit
    cursor: int
    source: EditSource
    probability: float
    position: int = 0
    parent: int = 0

    @cached_property
    def digest(self) -> int:
        """128-bit digest of what it does and of the chain that led to it; the probability is no part of it."""
        parts = (self.uri, self.change.offset, self.change.delete, self.cursor, self.parent, self.change.insert)
        return digest_of(*parts)

    def apply(self, document: Document) -> Document:
        """The document after it. Raises `PositionError` if the range or the cursor lies outside."""
        if document.uri != self.uri:
            raise ValueError(f"an edit of {self.uri} was applied to {document.uri}")
        after = document.edited(self.change)
        after.position(self.cursor)  # raises if it lies outside
        return after

    def following(self, before: ProposedEdit) -> ProposedEdit:
        """This edit as the next one of the chain that ``before`` ends."""
        return replace(self, position=before.position + 1, parent=before.digest)


def chained(edits: tuple[ProposedEdit, ...]) -> tuple[ProposedEdit, ...]:
    """The edits as one chain: each with its position and the digest of the one before."""
    chain: list[ProposedEdit] = []
    for edit in edits:
        chain.append(edit.following(chain[-1]) if chain else replace(edit, position=0, parent=0))
    return tuple(chain)


def digest_of(*parts: object) -> int:
    """128-bit digest of values. Each value's length is part of it, so that ("ab", "c") differs from ("a", "bc"). Valid
    within one process only."""
    state = xxhash.xxh3_128()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "little") + data)
    return state.intdigest()
