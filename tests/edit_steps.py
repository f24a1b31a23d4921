"""Documents after typed steps, and the chain of edits that is proposed for them."""

from __future__ import annotations

from tabspec.edits.edit import ProposedEdit
from tabspec.edits.proposals.propose import LEAST, propose
from tabspec.edits.step import Step
from tabspec.text import Document


def after(before: str, *pairs: tuple[str, str], uri: str = "file:///a.py") -> tuple[Document, list[Step]]:
    """The document and the steps after the first text of each pair (whole lines) was replaced by the second."""
    steps = []
    for old, new in pairs:
        at = before.index(old)
        assert at == 0 or before[at - 1] == "\n"
        steps.append(Step(uri, before.count("\n", 0, at), at, old, new))
        before = before[:at] + new + before[at + len(old) :]
    return Document(uri, before), steps


def chain(
    document: Document, steps: list[Step], cursor: int | None = None, least: float = 0.0
) -> tuple[ProposedEdit, ...]:
    """The proposals, at the end of the last step by default."""
    at = steps[-1].offset + len(steps[-1].new.rstrip("\n")) if cursor is None else cursor
    return propose(document, at, steps, least=least)


def walked(document: Document, edits: tuple[ProposedEdit, ...]) -> str:
    """The text after all edits of this document."""
    for edit in edits:
        if edit.uri == document.uri:
            document = edit.apply(document)
    return document.text


def shown(before: str, *pairs: tuple[str, str], name: str) -> str:
    """The text after the steps and after all edits that are likely enough to be shown, in a file of this name."""
    document, steps = after(before, *pairs, uri=f"file:///{name}")
    return walked(document, chain(document, steps, least=LEAST))
