"""A tuple or a map became a type with named fields: elements that are read by number or key are read by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.brackets import elements
from tabspec.edits.proposals.counterparts.containers.kinds import ContainerKind, declarations, declared
from tabspec.edits.proposals.counterparts.records import record
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, common_prefix, is_word

_TUPLE = {"rust": re.compile(r"\((.*)\)"), "python": re.compile(r"(?:tuple|Tuple)\[(.*)\]")}
_TUPLE |= dict.fromkeys(("javascript", "typescript", "tsx"), re.compile(r"\[(.*)\]"))
# What may stand between a container and the element that is read: an index, a method, another bracket.
_CHAIN = r"(?:\[[^\[\]\n]*\]|\.[A-Za-z_]\w*(?:\([^()\n]*\))?|\?)*?"


@dataclass(frozen=True)
class _Named:
    """``name``'s elements have names now. ``fields`` maps each old index or key to its name; ``nested``: they are in
    another container."""

    name: str
    fields: Mapping[str, str]
    nested: bool


def named_elements(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where an element is still read by its number or key."""
    grammar = places.grammar
    for named in _named(steps, document, grammar):
        for edit in _edits(named, document, grammar):
            if places.line(edit.offset) not in done and places.is_code(edit.offset):
                yield Found(document, edit, EditSource.COUNTERPART, "element")


def _named(steps: Sequence[Step], document: Document, grammar: str) -> Iterator[_Named]:
    if grammar not in _TUPLE:
        return
    texts = [document.text, *(step.new for step in steps)]
    for step in steps:
        old, before = dict(declarations(step.old, grammar)), declared(step.old, grammar)
        for name, kind in declarations(step.new, grammar) if old else ():
            was = old.get(name, "")
            if not was or was == kind:
                continue
            middle, inner = _difference(was, kind)
            shape = record(inner, texts, grammar) if inner.isidentifier() else None
            if shape is None:
                continue
            parts = _TUPLE[grammar].fullmatch(middle)
            fields: dict[str, str] = {}
            if parts is not None:
                types = [_plain(part.text) for part in elements(parts[1], types=True)]
                if types == [_plain(each) for _, each in shape.fields]:
                    fields = {str(number): field for number, (field, _) in enumerate(shape.fields)}
            elif before[name].kind in (ContainerKind.MAP, ContainerKind.RECORD) and grammar != "rust":
                fields = {field: field for field, _ in shape.fields}
            if fields:
                yield _Named(name, fields, middle != was)


def _difference(old: str, new: str) -> tuple[str, str]:
    """The parts of two types that differ, as whole names and brackets."""
    head = common_prefix(old, new)
    while head and is_word(new[head - 1]):
        head -= 1
    tail = common_prefix(old[head:][::-1], new[head:][::-1])
    middle = old[head : len(old) - tail]
    while tail and middle.count("(") + middle.count("[") > middle.count(")") + middle.count("]"):
        tail -= 1
        middle = old[head : len(old) - tail]
    return middle, new[head : len(new) - tail]


def _plain(kind: str) -> str:
    return re.sub(r"\s+|^pub\b", "", kind)


def _edits(named: _Named, document: Document, grammar: str) -> Iterator[Edit]:
    read = r"\.(\d+)\b" if grammar == "rust" else r"\[(?:(\d+)|[\"'](\w+)[\"'])\]"
    chain = _CHAIN if grammar == "rust" else r"\[[^\[\]\n]*\]" if named.nested else ""
    for match in re.finditer(rf"\b{re.escape(named.name)}{chain}{read}", document.text):
        key = next(each for each in match.groups() if each is not None)
        first = match.start(match.lastindex or 1) - (1 if grammar == "rust" else 1 + (not key.isdigit()))
        if key in named.fields:
            yield Edit(first, match.end() - first, f".{named.fields[key]}")
