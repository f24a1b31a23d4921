"""Uses of a container whose kind has changed, rewritten for the new kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.brackets import elements
from tabspec.edits.proposals.counterparts.containers.idioms import IDIOMS
from tabspec.edits.proposals.counterparts.containers.kinds import ContainerKind, Declared, declared
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

# A value of one expression, with brackets two deep; an operand of a comparison; what stands up to the end of a line.
_IN = r"\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\[\]\n]*\]|\{[^{}\n]*\}"
_VALUE = rf"(?:\"[^\"\n]*\"|'[^'\n]*'|{_IN}|[^()\[\]{{}},;\n\"'])+?"
_OPERAND = rf"(?:\"[^\"\n]*\"|'[^'\n]*'|[\w&*][\w.]*(?:{_IN})*)"
_REST = r"[^;\n]*[^;\s]"
_CHAIN = r"(?<![\w.>])(?:\w+(?:\(\))?(?:\.|->))*"
_MEMBER = r"(?<![\w.>])(?:\w+(?:\(\))?(?:\.|->))+"
_WORD = re.compile(r"[A-Za-z]+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class _ChangedContainer:
    """A name whose container changed, where it is known (code points), and how it is reached there."""

    old: Declared
    new: Declared
    start: int
    stop: int
    receiver: str


def adapted(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where a container is still used as what it was."""
    grammar = places.grammar
    for changed in _changed(steps, document, places, grammar):
        taken: list[tuple[int, int]] = []
        for use, other in IDIOMS.get(grammar, {}).get((changed.old.kind, changed.new.kind), ()):
            pattern = re.compile(_pattern(use, grammar).replace("<NAME>", changed.receiver))
            for match in pattern.finditer(document.text, changed.start, changed.stop):
                if any(match.start() < stop and start < match.end() for start, stop in taken):
                    continue
                if places.line(match.start()) in done:
                    continue
                if not places.is_code(match.start("x")) and not use.startswith(("{", "${")):
                    continue
                text = _written(other, match, changed, document, grammar)
                if text is None or (use.startswith("{") and not _is_formatted(document, match.start())):
                    continue
                taken.append(match.span())
                change = Edit(match.start(), match.end() - match.start(), text)
                yield Found(document, change, EditSource.COUNTERPART, "container")


def _changed(steps: Sequence[Step], document: Document, places: Places, grammar: str) -> Iterator[_ChangedContainer]:
    if grammar not in IDIOMS:
        return
    first: dict[str, Declared] = {}
    last: dict[str, tuple[Declared, Step]] = {}
    for step in steps:
        before = declared(step.old, grammar)
        for name, new in declared(step.new, grammar).items() if before else ():
            if name in before:
                first.setdefault(name, before[name])
                last[name] = new, step
    for name, (new, step) in last.items():
        if first[name].kind is new.kind or new.kind is ContainerKind.OTHER:
            continue
        base = document.text.find(step.new)
        inside = occurrences(step.new, name)
        if base < 0 or not inside:
            continue
        at = base + inside[0]
        function = places.function(at)
        escaped = re.escape(name)
        if function is not None and not places.is_member(at):
            yield _ChangedContainer(first[name], new, *function, rf"(?<![\w.>]){escaped}\b")
            continue
        line = places.line(at)
        own = line[:1].isspace() or places.is_member(at)
        chain = _MEMBER if own and grammar != "java" else _CHAIN
        yield _ChangedContainer(first[name], new, 0, len(document.text), rf"{chain}{escaped}\b")


@lru_cache(maxsize=256)
def _pattern(use: str, grammar: str) -> str:
    """A row of the table as a regular expression; ``<NAME>`` stands for the container."""
    found, seen = "", set[str]()
    words = _WORD.findall(use)
    for number, word in enumerate(words):
        last = number == len(words) - 1
        if word in ("x", "u", "k", "v", "f"):
            if word in seen:
                found += rf"(?P={word})"
                continue
            seen.add(word)
            if word == "x":
                found += "(?P<x><NAME>)" + (r"(?![\w.(\[])" if last else "")
            elif word == "u":
                found += r"(?P<u>\w+)"
            elif word == "f":
                found += r"(?P<f>\w+(?:\(\))?)" if ".equals" in use else r"(?P<f>\w+)"
            else:
                assigned = last and "] = " in use
                value = _REST if assigned else _OPERAND if last or number == 0 else _VALUE
                found += rf"(?P<{word}>{value})"
        elif word.isspace():
            found += r"\s*" if words[number - 1][-1:] in "=:,|" else r"\s+" if words[number - 1].isalnum() else r"\s*"
        else:
            found += re.escape(word) + (r"(?!=)" if word == "=" and words[number + 1 : number + 2] == [" "] else "")
    if grammar in ("javascript", "typescript", "tsx"):
        found = found.replace(r"\(\(?P<u>", r"\(?\b(?P<u>").replace(r"\((?P<u>\w+)\)", r"\(?\b(?P<u>\w+)\)?")
    return found


def _written(
    other: str, match: re.Match[str], changed: _ChangedContainer, document: Document, grammar: str
) -> str | None:
    """The use of the new kind; None where the key of a value is not known."""
    values = {name: text.strip() for name, text in match.groupdict().items() if text is not None}
    if re.search(r"\bK\b", other):
        keyed = _keyed(values.get("v", ""), changed, document, grammar)
        if keyed is None:
            return None
        values["K"], values["v"] = keyed
    if grammar == "rust" and values.get("k", "").startswith("&"):
        other = other.replace("&k", "k")
    if values.get("v", "").startswith("&"):
        other = other.replace("&v", "v")
    values["EMPTY"] = "true" if changed.new.parts[1:] == ("bool",) else "struct{}{}"
    values["E"] = changed.old.name[0].lower()
    text = re.sub(r"\b(?:x|u|k|v|f|K|E|EMPTY)\b", lambda each: values.get(each[0], each[0]), other)
    if other.startswith("{'") and _quote(document, match.start()) == "'":
        text = text.replace("', '", '", "', 1)
    return text


def _keyed(value: str, changed: _ChangedContainer, document: Document, grammar: str) -> tuple[str, str] | None:
    """The key under which a value of the list is put into the map, and what is put there."""
    inner = value.strip()
    if inner[:1] in "([" and inner[-1:] in ")]":
        pair = elements(inner[1:-1])
        return (pair[0].text, pair[1].text) if len(pair) == 2 else None
    if not re.fullmatch(r"[\w.]+", inner):
        return None
    field = _key_field(changed, document)
    if field is None:
        return None
    clone = ".clone()" if grammar == "rust" and "String" in changed.new.parts[:1] else ""
    return f"{inner}.{field}{clone}", inner


def _key_field(changed: _ChangedContainer, document: Document) -> str | None:
    """The field of an element that is its key: the one by which elements are looked up."""
    name = re.escape(changed.old.name)
    looked = re.search(rf"\b{name}\b[^\n]*?\b(\w)\w*\.(\w+(?:\(\))?)\s*(?:[!=]==?|\.equals)", document.text)
    looked = looked or re.search(rf"\b(\w)\w*\.(\w+)\s*[!=]=\s*[\w.]+[^\n]*\bin (?:\w+\.)*{name}\b", document.text)
    return looked[2] if looked else None


def _is_formatted(document: Document, at: int) -> bool:
    return bool(_quote(document, at))


def _quote(document: Document, at: int) -> str:
    """The quote of the formatted string (Python) that is open at ``at``; empty where none is."""
    line = document.text[document.line_starts[document.line_at(at)] : at]
    found = re.findall(r"\b[fF][rR]?([\"'])", line)
    return found[-1] if found and line.rsplit(found[-1], 1)[-1].count(found[-1]) == 0 else ""
