"""Which kind of container a declaration gives a name: list, map, set, text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tabspec.edits.proposals.brackets import elements, top


class ContainerKind(StrEnum):
    """The kind of a type. Grammars name the same kind differently."""

    LIST = "list"
    SET = "set"
    MAP = "map"  # with methods or an index
    RECORD = "record"  # an object that is used as a map (JavaScript)
    LISTS = "lists"  # a map whose values are lists
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True)
class Declared:
    """A name and its type. ``parts`` are the type's own parts: a list's element, a map's key and value."""

    name: str
    kind: ContainerKind
    parts: tuple[str, ...] = ()


_SCRIPT = {
    ContainerKind.LIST: r"(?:Readonly)?Array<|.*\[\]$|\[\]|readonly ",
    ContainerKind.RECORD: r"Record<|\{\s*\[|\{\}",
    ContainerKind.MAP: r"(?:new )?(?:Readonly)?Map\b",
    ContainerKind.SET: r"(?:new )?(?:Readonly)?Set\b",
    ContainerKind.TEXT: r"string\b",
}
_KINDS = {
    "python": {
        ContainerKind.LIST: r"(?:\w+\.)?(?:list|List|Sequence|MutableSequence)\b|\[",
        ContainerKind.MAP: r"(?:\w+\.)?(?:dict|Dict|Mapping|MutableMapping)\b|\{",
        ContainerKind.SET: r"(?:\w+\.)?(?:set|Set|MutableSet)\b",
        ContainerKind.TEXT: r"str\b",
    },
    "go": {
        ContainerKind.LIST: r"\[\]",
        ContainerKind.SET: r"(?:make\()?map\[[^\]]+\](?:struct\{\}|bool)",
        ContainerKind.MAP: r"(?:make\()?map\[",
        ContainerKind.TEXT: r"string\b",
    },
    "rust": {
        ContainerKind.LIST: r"(?:std::vec::)?Vec\b|vec!",
        ContainerKind.MAP: r"(?:\w+::)*(?:Hash|BTree)Map\b",
        ContainerKind.SET: r"(?:\w+::)*(?:Hash|BTree)Set\b",
        ContainerKind.TEXT: r"String\b|&(?:'\w+ )?str\b",
    },
    "java": {
        ContainerKind.LIST: r"(?:Array|Linked)?List\b|Collection\b",
        ContainerKind.MAP: r"(?:Hash|Tree|LinkedHash)?Map\b",
        ContainerKind.SET: r"(?:Hash|Tree|LinkedHash)?Set\b",
        ContainerKind.TEXT: r"String\b",
    },
} | dict.fromkeys(("javascript", "typescript", "tsx"), _SCRIPT)
_COMPILED = {
    grammar: {kind: re.compile(rf"(?:&(?:mut )?)?(?:{pattern})") for kind, pattern in kinds.items()}
    for grammar, kinds in _KINDS.items()
}
_UNIONS = ("python", "javascript", "typescript", "tsx")
_NOTHING = ("None", "null", "undefined", "")
_COLON = re.compile(r"(\w+)\s*\??\s*:(?![:=])\s*(?=\S)")
_SET = re.compile(r"(?:\b(?:let|const|var|let mut)\s+|(?:self|this)\.|^\s*|[\s,(]#?)(\w+)\s*:?=(?!=|>)\s*(?=\S)", re.M)
_GO = re.compile(r"(?m)(?:\bvar\s+|^\s*|[(,]\s*)(\w+)\s+(?=\[\]|map\[|string\b|\*?\w+\s*(?:$|`|[,)]))")
_TYPED = re.compile(r"(\w+<[^;={}()]*>|\w+)\s+(\w+)\s*(?=[;=,){])")


def declared(text: str, grammar: str) -> dict[str, Declared]:
    """The names that a piece of code declares, by their names."""
    found: dict[str, Declared] = {}
    for name, kind in declarations(text, grammar):
        each = _declared(name, kind.strip(), grammar)
        known = found.get(name)
        if known is None or (known.kind is ContainerKind.OTHER and each.kind is not ContainerKind.OTHER):
            found[name] = each
    return found


def declarations(text: str, grammar: str) -> Iterator[tuple[str, str]]:
    """The names that a piece of code declares, each with its type or first value as it is written."""
    if grammar == "java":
        yield from ((match[2], match[1]) for match in _TYPED.finditer(text))
        return
    for pattern in (_GO if grammar == "go" else _COLON, _SET):
        for match in pattern.finditer(text):
            rest = text[match.end() :]
            rest = rest[:end] if (end := rest.find("\n")) >= 0 else rest
            if grammar == "go":
                stop = top(rest, ",)`" if pattern is _GO else ",")
            else:
                stop = top(rest, "=,;)" + ("{" if rest[:1] != "{" else "")) if pattern is _COLON else None
            yield match[1], rest[:stop]


def _declared(name: str, kind: str, grammar: str) -> Declared:
    if "|" in kind and grammar in _UNIONS:
        members = [part for part in _members(kind) if part not in _NOTHING]
        if len(members) != 1:
            return Declared(name, ContainerKind.OTHER)  # it may be of several kinds
        kind = members[0]
    for each, pattern in _COMPILED.get(grammar, {}).items():
        if pattern.match(kind):
            parts = _parts(kind, grammar)
            of_lists = len(parts) > 1 and _COMPILED[grammar][ContainerKind.LIST].match(parts[1])
            is_map = each in (ContainerKind.MAP, ContainerKind.RECORD)
            return Declared(name, ContainerKind.LISTS if is_map and of_lists else each, parts)
    return Declared(name, ContainerKind.OTHER)


def _members(union: str) -> Iterator[str]:
    """The members of a union type."""
    while (bar := top(union, "|")) is not None:
        yield union[:bar].strip()
        union = union[bar + 1 :]
    yield union.strip()


def _parts(kind: str, grammar: str) -> tuple[str, ...]:
    if grammar == "go":
        if kind.startswith("[]"):
            return (kind[2:].strip(),)
        match = re.match(r"(?:make\()?map\[([^\]]+)\]([^{)]*)", kind)
        return (match[1], match[2].strip()) if match else ()
    match = re.search(r"[<\[](.*)[>\]]", kind)
    if match is not None and match[1]:
        return tuple(part.text for part in elements(match[1], types=True))
    return (kind.removesuffix("[]"),) if kind.endswith("[]") else ()
