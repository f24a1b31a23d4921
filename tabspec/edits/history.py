"""The edit history: the last steps that were made, oldest first, over all documents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tabspec.edits.edit import digest_of
from tabspec.edits.step import Step


@dataclass(frozen=True)
class History:
    """An immutable edit history. ``steps`` are its steps, the oldest first."""

    steps: tuple[Step, ...] = ()

    @cached_property
    def digest(self) -> int:
        """128-bit digest of the steps; 0 where there are none."""
        return digest_of(*(step.digest for step in self.steps)) if self.steps else 0

    def of(self, uri: str) -> tuple[Step, ...]:
        """The steps of one document."""
        return tuple(step for step in self.steps if step.uri == uri)


EMPTY = History()
