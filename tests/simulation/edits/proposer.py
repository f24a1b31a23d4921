"""A proposer with one rule: a letter that the user has raised (``a`` became ``AA``) is to be raised everywhere.

Lines end with a number (``#7``), so that a place can be recognized whatever happens around it. Lines without a number
are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from zlib import crc32

from tabspec.edits.edit import EditSource, ProposedEdit, chained
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

LETTERS = "abcd"
NUMBER = re.compile(r"#(\d+)")
# So many steps are looked at, as the real rules look at the last few.
LAST_STEPS = 4


def raised(letter: str) -> str:
    return letter.upper() * 2


def propose(
    document: Document, cursor: int, steps: Sequence[Step], others: Sequence[Document] = ()
) -> tuple[ProposedEdit, ...]:
    """The chain: the lines from the cursor's on, then those above, then the other documents."""
    wanted = [letter for letter in LETTERS if any(_raises(step, letter) for step in steps[-LAST_STEPS:])]
    places: list[tuple[Document, int, str]] = []
    line = document.position(cursor).line
    here = list(_places(document, wanted))
    places += [(document, at, letter) for number, at, letter in here if number >= line]
    places += [(document, at, letter) for number, at, letter in here if number < line]
    for other in others:
        places += [(other, at, letter) for _, at, letter in _places(other, wanted)]
    edits, made = [], list[tuple[str, int]]()
    for each, at, letter in places:
        offset = at + sum(uri == each.uri and before < at for uri, before in made)  # each has put in one letter
        made.append((each.uri, at))
        edit = Edit(offset, 1, raised(letter))
        source = EditSource.RENAME if letter in "ab" else EditSource.SIBLING
        number = NUMBER.search(each.line(each.position(at).line))
        edits.append(ProposedEdit(each.uri, edit, edit.end, source, _probability(letter, number[1] if number else "")))
    return chained(tuple(edits))


def place_of(document: Document, edit: ProposedEdit) -> tuple[str, str, str]:
    """The place of an edit: document, number of its line, letter."""
    number = NUMBER.search(document.line(document.position(edit.change.offset).line))
    assert number is not None
    return document.uri, number[1], edit.change.insert[0].lower()


def _raises(step: Step, letter: str) -> bool:
    more = step.new.count(raised(letter)) > step.old.count(raised(letter))
    return more and step.new.count(letter) < step.old.count(letter)


def _places(document: Document, wanted: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """The line, the offset and the letter of each place."""
    for number, start in enumerate(document.line_starts):
        line = document.line(number)
        for letter in wanted:
            at = line.find(letter)
            if at >= 0 and NUMBER.search(line):
                yield number, start + at, letter


def _probability(letter: str, number: str) -> float:
    """From 0.2 to 0.9: some are not worth showing, some compete with completions, some are sure."""
    return (crc32(f"{letter}{number}".encode()) % 8 + 2) / 10
