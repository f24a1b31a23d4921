"""A tuple or a map became a type with named fields: elements that are read by number or key are read by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.brackets import closing, elements
from tabspec.edits.proposals.counterparts.containers.kinds import ContainerKind, declarations, declared
from tabspec.edits.proposals.counterparts.records import RecordType, record
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, is_word

_SCRIPT = ("javascript", "typescript", "tsx")
_TUPLE = {"rust": re.compile(r"\((.*)\)"), "python": re.compile(r"(?:tuple|Tuple)\[(.*)\]")}
_TUPLE |= dict.fromkeys(_SCRIPT, re.compile(r"\[(.*)\]"))
# What may stand between a container and the element that is read: an index, a method, another bracket.
_CHAIN = r"(?:\[[^\[\]\n]*\]|\.[A-Za-z_]\w*(?:\([^()\n]*\))?|\?)*?"


@dataclass(frozen=True)
class _Named:
    """``name``'s elements are fields of ``shape`` now. ``fields`` maps each old index or key to its field; ``nested``:
    they are in another container."""

    name: str
    shape: RecordType
    fields: Mapping[str, str]
    nested: bool


def named_elements(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where an element is still read by its number or key, or put in as a tuple."""
    grammar = places.grammar
    for named in _named(steps, document, grammar):
        for edit in _edits(named, document, places, grammar):
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
                yield _Named(name, shape, fields, middle != was)


def _difference(old: str, new: str) -> tuple[str, str]:
    """The parts of two types that differ, as whole names and brackets."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    while head and is_word(new[head - 1]):
        head -= 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle = old[head : len(old) - tail]
    while tail and middle.count("(") + middle.count("[") > middle.count(")") + middle.count("]"):
        tail -= 1
        middle = old[head : len(old) - tail]
    inner = new[head : len(new) - tail]
    return middle, inner


def _plain(kind: str) -> str:
    return re.sub(r"\s+|^pub\b", "", kind)


def _edits(named: _Named, document: Document, places: Places, grammar: str) -> Iterator[Edit]:
    text = document.text
    name = re.escape(named.name)
    read = r"\.(\d+)\b" if grammar == "rust" else r"\[(?:(\d+)|[\"'](\w+)[\"'])\]"
    direct = rf"\b{name}{_CHAIN}{read}"
    if named.nested and grammar != "rust":
        direct = rf"\b{name}\[[^\[\]\n]*\]{read}"
    elif grammar != "rust":
        direct = rf"\b{name}{read}"
    seen = set()
    for start, stop, pattern in [(0, len(text), direct), *_bound(named, document, places, read)]:
        for match in re.compile(pattern).finditer(text, start, stop):
            key = next(each for each in match.groups() if each is not None)
            first = match.start(match.lastindex or 1) - (1 if grammar == "rust" else 1 + (not key.isdigit()))
            if key in named.fields and first not in seen:
                seen.add(first)
                yield Edit(first, match.end() - first, f".{named.fields[key]}")
    put = rf"\b{name}\.(?:push|push_back|append|add)\("
    for match in re.compile(put).finditer(text) if "0" in named.fields else ():
        end = closing(text, match.end() - 1)
        given = text[match.end() : end] if end is not None else ""
        made = _made(named, given, grammar)
        if made is not None:
            yield Edit(match.end(), len(given), made)


def _bound(named: _Named, document: Document, places: Places, read: str) -> Iterator[tuple[int, int, str]]:
    """Variables that stand for one element, in a loop or in a function that is called for each."""
    if not named.nested:
        return
    name = re.escape(named.name)
    loop = re.compile(rf"\bfor\s*\(?\s*(?:const |let |var )?(\w+)\s+(?:in|of)\s+[^\n]*?\b{name}\b")
    each = re.compile(rf"\b{name}\b[^\n]*?\((?:\|&?(\w+)\||\(?(\w+)\)?\s*=>)")
    inner = re.compile(rf"(?<=[\[(])[^\[\]()\n]*?\bfor (\w+) in [^\n]*?\b{name}\b")
    for pattern in (loop, each, inner):
        for match in pattern.finditer(document.text):
            variable = match[1] or match[2]
            around = places.function(match.start()) if pattern is loop else None
            line = document.position(match.start()).line
            start = document.line_starts[line]
            stop = around[1] if around else start + len(document.line(line))
            yield start, stop, rf"(?<![\w.]){variable}{read}"


def _made(named: _Named, given: str, grammar: str) -> str | None:
    """A tuple as the type that took its place."""
    inner = given.strip()
    brackets = "[]" if grammar in _SCRIPT else "()"
    if inner[:1] + inner[-1:] != brackets:
        return None
    values = [part.text for part in elements(inner[1:-1])]
    names = [field for field, _ in named.shape.fields]
    if len(values) != len(names):
        return None
    pairs = [each if each == value else f"{each}: {value}" for each, value in zip(names, values, strict=True)]
    if grammar == "rust":
        return f"{named.shape.name} {{ {', '.join(pairs)} }}"
    if grammar == "python":
        return f"{named.shape.name}({', '.join(values)})"
    return f"{{ {', '.join(pairs)} }}"
