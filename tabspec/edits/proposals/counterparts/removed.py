"""A field was removed from a type: where a value of the type is written, its argument or entry goes, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.brackets import closing, elements
from tabspec.edits.proposals.counterparts.records import record
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

# How a value of a type is written after its name, and how a field is given in it.
_OPEN = {"go": "{", "rust": " {", "python": "(", "kotlin": "("}
_GIVEN = {"go": r"{}\s*:", "rust": r"{}\s*(?::|$)", "python": r"{}\s*=(?!=)", "kotlin": r"{}\s*=(?!=)"}
# More values than this are changed by a tool, not one by one.
MOST_VALUES = 60
_MEMBER = re.compile(r"\s*(?:(?:pub|val|var|private|public)\s+)*(\w+)(?:\s*:|\s+[\w*\[])")


def without_fields(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where a field that its type has lost is still given."""
    grammar = places.grammar
    if grammar not in _OPEN:
        return
    for owner, fields in _lost(steps, document, grammar):
        for at in occurrences(document.text, owner)[:MOST_VALUES]:
            start = at + len(owner) + len(_OPEN[grammar]) - 1
            stop = closing(document.text, start) if document.text.startswith(_OPEN[grammar], at + len(owner)) else None
            if stop is None or not places.is_code(at):
                continue
            for change in _entries(document.text, start + 1, stop, fields, _GIVEN[grammar]):
                if places.line(change.offset) not in done:
                    yield Found(document, change, EditSource.REMOVED, "field")


def _lost(steps: Sequence[Step], document: Document, grammar: str) -> Iterator[tuple[str, set[str]]]:
    """The types that have lost fields, with these fields."""
    for step in reversed(steps):
        kept = {match[1] for line in step.new_lines if (match := _MEMBER.match(line))}
        gone = {match[1] for line in step.old_lines if (match := _MEMBER.match(line))} - kept
        if not gone or len(step.new_lines) >= len(step.old_lines):
            continue  # in place of what went, another field may have come: a rename, or another rule's case
        head = list(re.finditer(r"\b(?:class|struct|type)\s+(\w+)\b", document.text[: step.offset]))
        shape = record(head[-1][1], [document.text[head[-1].start() :]], grammar) if head else None
        inside = shape is not None and head[-1].start() + shape.stop >= step.offset
        lost = gone - set(shape.members) if shape is not None and inside else set()
        if shape is not None and lost:
            yield shape.name, lost


def _entries(text: str, start: int, stop: int, fields: set[str], given: str) -> Iterator[Edit]:
    """The entries of a list that give one of these fields, each with its comma and white space."""
    parts = elements(text[start:stop])
    for number, part in enumerate(parts):
        if not any(re.match(given.format(re.escape(field)), part.text) for field in fields):
            continue
        if number + 1 < len(parts):
            first, last = part.start, parts[number + 1].start
        elif number:
            first, last = parts[number - 1].stop, part.stop
        else:
            first, last = part.start, len(text[start:stop].rstrip())
        yield Edit(start + first, last - first, "")
