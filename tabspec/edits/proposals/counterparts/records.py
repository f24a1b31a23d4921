"""What a class, a struct or an interface holds: its fields and methods, read from a piece of code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tabspec.edits.proposals.brackets import closing, top
from tabspec.edits.proposals.tokens import subwords

# How the definition of a type begins, up to its name.
_HEAD = re.compile(r"\b(?:class|struct|interface|record|type|trait|object)\s+(\w+)")
_INDENT = re.compile(r"[ \t]*")
_WORDS = (
    r"(?:(?:pub(?:\([^)]*\))?|public|private|protected|readonly|static|final|mutable|let|var|val|const|declare)\s+)*"
)
_COLON = re.compile(_WORDS + r"(\w+)\??\s*:\s*")
_GO = re.compile(r"(\w+)\s+([^\s`/].*?)\s*(?:`[^`]*`)?\s*(?://.*)?$")
_TYPED = re.compile(_WORDS + r"([\w:<>,\[\]&*? \t]+?[\w>\]&*?])[ \t&*]+(\w+)\s*(?:=.*|\{.*)?;?$")
_METHOD = re.compile(r"\b(?:def|fn|func|fun|function)\s+(\w+)\s*[(<]|^\s*(?:\w+\s+)*?(\w+)\s*\([^;]*\)\s*[:{]")
_OWN = re.compile(r"\b(?:self|this)\.(\w+)\s*(?::[^=]+)?=[^=]")
_CONTROL = frozenset({"if", "for", "while", "switch", "return", "catch", "constructor", "__init__", "match", "with"})
# A longer line declares no member; the patterns take time that grows with the square of its length.
_LONGEST_LINE = 300
# A longer type is generated.
_MOST_CHARS = 20_000


@dataclass(frozen=True)
class RecordType:
    """A type: ``fields`` are names and types in their order; ``methods`` the names of its methods."""

    name: str
    fields: tuple[tuple[str, str], ...]
    methods: tuple[str, ...]
    start: int
    stop: int

    @property
    def members(self) -> tuple[str, ...]:
        return (*(name for name, _ in self.fields), *self.methods)

    def field(self, name: str) -> str | None:
        """The field that has the same subwords as ``name``: ``Host`` for ``host``."""
        return next((each for each, _ in self.fields if subwords(each) == subwords(name)), None)


def record(name: str, texts: Iterable[str], grammar: str) -> RecordType | None:
    """The type ``name`` as the first of ``texts`` defines it."""
    for text in texts:
        head = _heads(text).get(name)
        body = _body(text, *head, grammar) if head else None
        if body is not None and head is not None:
            start, stop = body
            fields, methods = _members(text[start:stop], grammar)
            if fields or methods:
                return RecordType(name, fields, methods, head[0], stop)
    return None


# The rules look for each type that a step mentions, in the document and in the last twelve steps.
@lru_cache(maxsize=32)
def _heads(text: str) -> Mapping[str, tuple[int, int]]:
    """Where the types of a text are defined: the range of each one's first head, up to its name."""
    heads: dict[str, tuple[int, int]] = {}
    for match in _HEAD.finditer(text):
        heads.setdefault(match[1], match.span())
    return heads


def _body(text: str, start: int, end: int, grammar: str) -> tuple[int, int] | None:
    if grammar == "python":
        line = text.rfind("\n", 0, start) + 1
        match = _INDENT.match(text, line)
        indent = match.group() if match else ""
        first = text.find("\n", end) + 1
        last = first
        for each in text[first:].splitlines(keepends=True) if first else ():
            if each.strip() and not each.startswith((indent + " ", indent + "\t")):
                break
            last += len(each)
        return (first, last) if first else None
    if grammar == "kotlin" and text[end : end + 1] == "(":  # the constructor declares the fields
        stop = closing(text, end, _MOST_CHARS)
        return (end + 1, stop) if stop is not None else None
    at = text.find("{", end)
    if at < 0 or ";" in text[end:at] or len(text) > 10 * _MOST_CHARS:
        return None
    stop = closing(text, at, _MOST_CHARS)
    return (at + 1, stop) if stop is not None else None


def _members(body: str, grammar: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    fields: dict[str, str] = {}
    methods: dict[str, None] = {}
    lines = [line for line in body.replace(";", ";\n").splitlines() if line.strip() and len(line) < _LONGEST_LINE]
    if len(lines) == 1 and grammar in ("rust", "typescript", "tsx"):  # `struct P { x: i32, y: i32 }`
        lines = [part.strip() + "," for part in lines[0].split(",") if part.strip()]
    least = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    for line in lines:
        for own in _OWN.finditer(line):
            fields.setdefault(own[1], "")
        if len(line) - len(line.lstrip()) != least or line.strip().startswith(("#", "//", "@", "*")):
            continue
        method = _METHOD.search(line)
        name = (method[1] or method[2]) if method else ""
        if name and name not in _CONTROL:
            methods.setdefault(name)
            continue
        found = _field(line.strip(), grammar)
        if found is not None and found[0] not in _CONTROL:
            fields.setdefault(*found)
    return tuple(fields.items()), tuple(methods)


def _field(line: str, grammar: str) -> tuple[str, str] | None:
    if grammar == "go":
        match = _GO.match(line)
        return (match[1], match[2]) if match else None
    if grammar in ("java", "csharp", "cpp", "c"):
        match = _TYPED.match(line)
        return (match[2], match[1].strip()) if match else None
    match = _COLON.match(line)
    if match is None:
        return None
    rest = line[match.end() :]
    stop = top(rest, "=,;")
    return match[1], rest[:stop].strip()
