"""What next edits are learned from: the part of the edit history that proposals may see."""

from __future__ import annotations

from collections.abc import Iterable

from tabspec.edits.edit import digest_of
from tabspec.edits.history import History
from tabspec.edits.step import Step
from tabspec.text import Document


def agreeing(history: History, documents: Iterable[Document]) -> History:
    """The history without the documents whose text is not what it led to: the editor has missed a change."""
    for document in documents:
        history = history.opened(document)
    return history


def lessons(history: History) -> tuple[Step, ...]:
    """The steps that proposals learn from, oldest first: what the user typed, or completed at the cursor.

    An accepted next edit is not among them. So after an accept the examples are those that the chain was made from, and
    proposing anew gives the places that are left.
    """
    return tuple(step for step in history.steps if step.teaches)


def digest(steps: Iterable[Step]) -> int:
    """128-bit digest of steps; 0 where there are none."""
    digests = [step.digest for step in steps]
    return digest_of(*digests) if digests else 0
