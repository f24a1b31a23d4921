"""What a rule found: a change of the document, and the reasons to believe in it."""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.text import Document, Edit


@dataclass(frozen=True)
class Found:
    """One change of a document as it is now. ``bucket`` names its case in the table of probabilities."""

    document: Document
    change: Edit
    source: EditSource
    bucket: str

    @property
    def stop(self) -> int:
        return self.change.offset + self.change.delete

    @property
    def line(self) -> int:
        return self.document.position(self.change.offset).line

    @property
    def last_line(self) -> int:
        return self.document.position(self.stop).line
