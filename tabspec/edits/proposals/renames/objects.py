"""The type of an object, as its declaration in the same document states it."""

from __future__ import annotations

import re

from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences

# Imports stand before all uses of what they import.
_FIRST_USES = 3
_LONGEST = 60
_OBJECT = re.compile(r"(\w+)(?:\.|->|::|\?\.)$")
# What may stand between a name and its type, or between a type and a name: references, pointers, lifetimes, arguments.
_MARKS = r"(?:\s|&|\*|'\w+|\bmut\b|\bdyn\b)*"
_ARGUMENTS = r"(?:<[^<>\n]*>|\[[^\[\]\n]*\])?"


def is_of_module(places: Places, offset: int) -> bool:
    """Whether the object before the member at ``offset`` is an imported module, which has members of its own."""
    text = places.document.text
    found = _OBJECT.search(text, max(offset - _LONGEST, 0), offset)
    if found is None or text.endswith((".", "->", "::"), 0, found.start()):
        return False
    return any(places.is_import(at) for at in occurrences(text, found[1])[:_FIRST_USES])


def is_of_type(places: Places, offset: int, name: str) -> bool:
    """Whether the object before the member at ``offset`` is of the type ``name``, or is that type itself."""
    text = places.document.text
    found = _OBJECT.search(text, max(offset - _LONGEST, 0), offset)
    if not name or found is None:
        return False
    if found[1] == name:
        return True
    if text.endswith((".", "->", "::"), 0, found.start()):
        return False
    thing, kind = re.escape(found[1]), re.escape(name)
    function = places.function(offset)
    if function is None:
        return False
    declared = re.compile(
        rf"\b{thing}\b\s*:?{_MARKS}{kind}\b"  # `thing: Kind`, Go's `thing *Kind`
        rf"|\b{thing}\b\s*:?=\s*(?:new\s|await\s)?{_MARKS}{kind}\b"  # `thing = Kind(`, `thing := &Kind{{`
        rf"|\b{kind}\b{_ARGUMENTS}{_MARKS}\b{thing}\b"  # `Kind thing`
    )
    return declared.search(text, *function) is not None
