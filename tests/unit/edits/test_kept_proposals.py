"""What the rules found in a document is kept for other cursors, and for the other documents after an accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tabspec.edits.proposals import propose as proposing
from tabspec.edits.proposals.found import Found
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

STEP = Step("file:///a.py", 0, 0, "def area(r):\n", "def surface(r):\n")
HERE = Document("file:///a.py", "def surface(r):\n    return 3 * r\n\n\n\n\nprint(area(2))\n", "python")
OTHERS = tuple(Document(f"file:///{name}.py", "print(area(1))\n", "python") for name in "bc")


def test_each_document_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    found_in = proposing.found_in

    def counted(document: Document, steps: Sequence[Step], here: bool) -> Iterator[Found]:
        assert here is (document.uri == HERE.uri)
        searched.append(document.uri)
        return found_in(document, steps, here)

    monkeypatch.setattr(proposing, "found_in", counted)
    proposing._kept.clear()
    first = proposing.propose(HERE, 20, [STEP], OTHERS, 0.01)
    assert searched == [HERE.uri, *(other.uri for other in OTHERS)] and first
    assert proposing.propose(HERE, 0, [STEP], OTHERS, 0.01) and len(searched) == 3
    after = HERE.edited(Edit(HERE.text.index("area(2)"), 4, "surface"))
    proposing.propose(after, 0, [STEP], OTHERS, 0.01)
    assert searched[3:] == [HERE.uri]
    other_language = Document(HERE.uri, after.text, "markdown")
    proposing.propose(other_language, 0, [STEP], OTHERS, 0.01)
    proposing.propose(after, 0, [Step(HERE.uri, 0, 0, "def area(r):\n", "def size(r):\n")], (), 0.01)
    assert searched[4:] == [HERE.uri, HERE.uri]
    proposing._kept.clear()
    assert proposing.propose(HERE, 20, [STEP], OTHERS, 0.01) == first
