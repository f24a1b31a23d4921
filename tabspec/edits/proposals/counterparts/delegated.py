"""A base class became a field: the class's methods must use its members through that field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.counterparts.records import record
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

_CLASS = {
    "python": re.compile(r"\bclass\s+(\w+)\s*(?:\(([^)]*)\))?\s*:"),
    "java": re.compile(r"\bclass\s+(\w+)(?:\s+extends\s+(\w+))?"),
    "csharp": re.compile(r"\bclass\s+(\w+)(?:\s*:\s*([\w, ]+))?"),
    "cpp": re.compile(r"\bclass\s+(\w+)(?:\s*:\s*public\s+([\w, ]+))?"),
}
_CLASS |= dict.fromkeys(("javascript", "typescript", "tsx"), _CLASS["java"])
_CLASS |= {"php": _CLASS["java"]}
# `self.animal = Animal(...)`, `this.animal = new Animal(...)`.
_MADE = re.compile(r"\b(?:self|this)(?:\.|->)(\w+)\s*(?::[^=]*)?=\s*(?:new\s+)?(\w+)\s*[({]")
_NAME = re.compile(r"\w+")
# A member as the class's own methods reach it.
_OWN = re.compile(r"(?<![\w.])(?:self|this|super\(\)|super|\$this)(\.|->)(\w+)\b")


def delegated(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where a method still uses a member of the former base class without naming the field that has its place."""
    if places.grammar not in _CLASS:
        return
    text = document.text
    texts = [text, *(step.new for step in steps)]
    for field, kind, owner in _delegates(steps, places.grammar):
        base, own = record(kind, texts, places.grammar), record(owner, [text], places.grammar)
        if base is None or own is None:
            continue
        moved = {name for name in base.members if not name.startswith("__")} - {field, *own.members}
        for match in _OWN.finditer(text, own.start, own.stop):
            if match[2] in moved and places.is_code(match.start(2)) and places.line(match.start()) not in done:
                change = Edit(match.start(2), len(match[2]), f"{field}{match[1]}{match[2]}")
                yield Found(document, change, EditSource.COUNTERPART, "member")


def _delegates(steps: Sequence[Step], grammar: str) -> Iterator[tuple[str, str, str]]:
    """The fields that were put in, each with the name of its type, and of a class that no longer has this as a base."""
    for step in reversed(steps):
        old = set(_MADE.findall(step.old))
        for field, kind in dict.fromkeys(_MADE.findall(step.new)):
            if (field, kind) not in old:
                yield from ((field, kind, owner) for each in steps for owner in _losers(each, kind, grammar))


def _losers(step: Step, base: str, grammar: str) -> Iterator[str]:
    """The classes that no longer have ``base`` as a base class after a step."""
    head = _CLASS[grammar]
    after = dict(head.findall(step.new))
    for name, bases in head.findall(step.old):
        if base in set(_NAME.findall(bases)) - set(_NAME.findall(after.get(name, bases))):
            yield name
