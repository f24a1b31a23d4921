"""Members of a class moved to the type of one of its fields: the class's methods must use them through that field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.counterparts.records import RecordType, record
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import subwords
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


@dataclass(frozen=True)
class _Delegate:
    """``field`` of the class ``owner`` now holds ``members``, in each case as its type spells them."""

    owner: str
    field: str
    members: dict[str, str]


def delegated(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where a method still uses a moved member without naming the field."""
    grammar = places.grammar
    texts = [document.text, *(step.new for step in steps)]
    for delegate in _delegates(steps, document, texts, grammar):
        for start, stop, receivers in _bodies(delegate.owner, document, grammar):
            pattern = re.compile(rf"(?<![\w.])(?:{receivers})(\.|->)(\w+)\b")
            for match in pattern.finditer(document.text, start, stop):
                if match[0].startswith("super") and not places.is_code(match.start()):
                    continue
                member = delegate.members.get(match[2])
                if member is None or not places.is_code(match.start(2)):
                    continue
                if places.line(match.start()) in done:
                    continue
                change = Edit(match.start(2), len(match[2]), f"{delegate.field}{match[1]}{member}")
                yield Found(document, change, EditSource.COUNTERPART, "member")


def _delegates(steps: Sequence[Step], document: Document, texts: Sequence[str], grammar: str) -> Iterator[_Delegate]:
    for step in reversed(steps):
        for field, kind in _fields(step, grammar):
            target = record(kind, texts, grammar)
            if target is None:
                continue
            for owner, lost in _losses(step, steps, document, target, grammar):
                own = record(owner, [document.text], grammar)
                kept = set(own.members) if own is not None else set()
                members = {old: new for old, new in lost.items() if old not in kept and old != field}
                if members:
                    yield _Delegate(owner, field, members)


def _fields(step: Step, grammar: str) -> Iterator[tuple[str, str]]:
    """The fields that a step has put in, each with the name of its type."""
    old = set(_MADE.findall(step.old))
    yield from (each for each in dict.fromkeys(_MADE.findall(step.new)) if each not in old)
    if grammar == "go":
        lines = set(map(str.strip, step.new_lines)) - set(map(str.strip, step.old_lines))
        for line in lines:
            match = re.fullmatch(r"(\w+)\s+\*?(\w+)", line)
            if match:
                yield match[1], match[2]
    elif grammar in ("rust", "typescript", "tsx"):
        lines = set(map(str.strip, step.new_lines)) - set(map(str.strip, step.old_lines))
        for line in lines:
            match = re.fullmatch(r"(?:(?:pub|private|public|readonly|protected)\s+)*(\w+)\s*:\s*(\w+)\s*[,;]?", line)
            if match:
                yield match[1], match[2]


def _losses(
    step: Step, steps: Sequence[Step], document: Document, target: RecordType, grammar: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """The classes that have lost members which ``target`` has: a base class is gone, or fields of their own are."""
    head = _CLASS.get(grammar)
    for each in steps if head is not None else ():
        after = {name: bases for name, bases in head.findall(each.new)} if head is not None else {}
        for name, bases in head.findall(each.old) if head is not None else ():
            gone = set(_NAME.findall(bases)) - set(_NAME.findall(after.get(name, bases)))
            if target.name in gone:
                yield name, {member: member for member in target.members if not member.startswith("__")}
    kept = {_declared(line, grammar) for line in step.new_lines}
    lost = {}
    for line in step.old_lines:
        first = _declared(line, grammar)
        field = target.field(first) if first and first not in kept else None
        if first and field is not None:
            lost[first] = field
    if lost:
        owner = _owner(step, document, grammar)
        if owner and owner != target.name:
            yield owner, lost


def _declared(line: str, grammar: str) -> str:
    """The field that a line of a class declares or sets."""
    made = re.match(r"\s*(?:self|this)(?:\.|->)(\w+)\s*(?::[^=]*)?=[^=]", line)
    if made:
        return made[1]
    if grammar == "go":
        match = re.fullmatch(r"\s*(\w+)\s+[\w.*\[\]]+\s*(?:`.*`)?", line)
    else:
        match = re.match(r"\s*(?:(?:pub|private|public|readonly|protected)\s+)*(\w+)\??\s*:\s*[\w<]", line)
    return match[1] if match and subwords(match[1]) else ""


def _owner(step: Step, document: Document, grammar: str) -> str:
    """The class or struct that the step's lines are in."""
    at = document.text.find(step.new) if step.new.strip() else -1
    if at < 0:
        return ""
    heads = list(re.finditer(r"\b(?:class|struct|interface|type)\s+(\w+)\b", document.text[: at + len(step.new)]))
    heads = [each for each in heads if each.start() <= at + len(step.new) - len(step.new.lstrip())] or heads
    return heads[-1][1] if heads else ""


def _bodies(owner: str, document: Document, grammar: str) -> Iterator[tuple[int, int, str]]:
    """Where the methods of a class are, and by which words they reach its members."""
    text = document.text
    if grammar == "go":
        for match in re.finditer(rf"(?m)^func\s+\((\w+)\s+\*?{owner}\b", text):
            stop = text.find("\n}", match.end())
            yield match.end(), stop if stop >= 0 else len(text), match[1]
        return
    if grammar == "rust":
        for match in re.finditer(rf"(?m)^impl\b[^{{]*\b{owner}\b[^{{]*{{", text):
            stop = text.find("\n}", match.end())
            yield match.end(), stop if stop >= 0 else len(text), "self"
        return
    own = record(owner, [text], grammar)
    if own is not None:
        yield own.start, own.stop, r"self|this|super\(\)|super|\$this"
