"""Heads of functions in a piece of code: their names and parameters, in the languages that have a rule for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tabspec.edits.proposals.brackets import MOST_CHARS, closing, elements, top

_GENERIC = r"\s*(?:<[^<>()]*>)?\s*\("
_WORDS = r"(?:(?:public|private|protected|internal|static|async|final|override|abstract|virtual|export|default)\s+)*"
_SCRIPT = (
    re.compile(r"\bfunction\s*\*?\s*(\w+)" + _GENERIC),
    re.compile(r"\b(?:const|let)\s+(\w+)\s*=\s*(?:async\s*)?\("),
    re.compile(rf"(?m)^[ \t]*{_WORDS}(?!if\b|for\b|while\b|switch\b|return\b|catch\b|function\b)(\w+){_GENERIC}"),
)
_TYPED = (
    re.compile(
        r"(?m)^[ \t]*(?!return\b|new\b|else\b|throw\b)[\w:<>,\[\]&*? \t]+[\w>\]&*?][ \t&*]+(?:\w+::)?(\w+)\s*\("
    ),
)
_HEADS = {
    "python": (re.compile(r"\bdef\s+(\w+)\s*\("),),
    "go": (re.compile(r"\bfunc\s+(?:\([^()]*\)\s*)?(\w+)\s*(?:\[[^\]]*\])?\("),),
    "rust": (re.compile(r"\bfn\s+(\w+)" + _GENERIC),),
    "kotlin": (re.compile(r"\bfun\s+(?:<[^<>()]*>\s*)?(?:\w+\.)?(\w+)\s*\("),),
    "php": (re.compile(r"\bfunction\s+&?(\w+)\s*\("),),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "java": _TYPED,
    "csharp": _TYPED,
    "cpp": _TYPED,
    "c": _TYPED,
}
# What follows the parameters of a definition or a declaration; after those of a call it is something else.
_AFTER = {
    "java": re.compile(r"\s*(?:throws [\w., ]+)?[{;]"),
    "csharp": re.compile(r"\s*(?:where [^{]*)?(?:[{;]|=>)"),
    "cpp": re.compile(r"\s*(?:const|noexcept|override|final|\s)*[{;:]?(?:\n|$|\s)"),
    "c": re.compile(r"\s*[{;]"),
    "script": re.compile(r"\s*(?::[^={;]+)?\s*(?:\{|=>|$)"),
}
# A head begins within so many characters of its line.
_LONGEST_LINE = 300
_RECEIVERS = ("self", "&self", "&mut self", "mut self", "cls", "this")


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``optional``: it has a default; ``named``: an argument for it has to be given by its name;
    ``fields``: the names that it takes out of an object, where it does."""

    name: str
    type: str = ""
    optional: bool = False
    named: bool = False
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signature:
    """A function's name, its parameters without the receiver, whether it is called on an object, and its offset."""

    name: str
    parameters: tuple[Parameter, ...]
    method: bool
    at: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.parameters)


def signatures(text: str, grammar: str) -> Iterator[Signature]:
    """The functions whose heads stand whole in ``text``, except those that take any number of arguments. ``text`` is a
    small piece of code: some patterns take time that grows with the square of a line's length."""
    seen = set()
    for pattern in _HEADS.get(grammar, ()):
        for match in pattern.finditer(text):
            found = _signature(text, match, grammar, pattern) if match.start(1) not in seen else None
            seen.add(match.start(1))
            if found is not None:
                yield found


def is_head(text: str, name: str, at: int, grammar: str) -> bool:
    """Whether the name at ``at`` is that of a function in its head."""
    start = text.rfind("\n", 0, at) + 1
    if at - start > _LONGEST_LINE:
        return False
    piece = text[start : at + len(name) + MOST_CHARS]
    for pattern in _HEADS.get(grammar, ()):
        match = pattern.search(piece[: at - start + len(name) + _LONGEST_LINE])
        if (
            match is not None
            and match.start(1) == at - start
            and _signature(piece, match, grammar, pattern) is not None
        ):
            return True
    return False


def _signature(text: str, match: re.Match[str], grammar: str, pattern: re.Pattern[str]) -> Signature | None:
    stop = closing(text, match.end() - 1)
    if stop is None or not _is_head(text, stop + 1, grammar, pattern):
        return None
    parts = [part.text for part in elements(text[match.end() : stop], types=True)]
    received = bool(parts) and (parts[0] in _RECEIVERS or parts[0].startswith(("self:", "this:")))
    method = received or (grammar == "go" and text[match.start() : match.start(1)].rstrip().endswith(")"))
    method = method or (grammar in ("javascript", "typescript", "tsx") and pattern is _SCRIPT[2])
    parameters = _parameters(parts[1:] if received else parts, grammar)
    if parameters is None:
        return None
    return Signature(match[1], parameters, method, match.start(1))


def _is_head(text: str, after: int, grammar: str, pattern: re.Pattern[str]) -> bool:
    kind = "script" if pattern in (_SCRIPT[1], _SCRIPT[2]) else grammar
    wanted = _AFTER.get(kind)
    return wanted is None or wanted.match(text, after) is not None


def _parameters(parts: list[str], grammar: str) -> tuple[Parameter, ...] | None:
    """The parameters; None where one stands for any number of arguments."""
    found: list[Parameter] = []
    named = False
    for part in parts:
        if part == "/":
            continue
        if part == "*":
            named = True
            continue
        if part.startswith(("*", "...")) and grammar in ("python", "php", "javascript", "typescript", "tsx"):
            return None
        if "..." in part or part.startswith("vararg "):
            return None
        found.append(_parameter(part, grammar, named))
    if grammar == "go":  # `a, b int`: the type of a parameter without one is that of the next
        for at in range(len(found) - 2, -1, -1):
            if not found[at].type:
                found[at] = Parameter(found[at].name, found[at + 1].type)
    return tuple(found) if all(each.name or each.fields for each in found) else None


def _parameter(part: str, grammar: str, named: bool) -> Parameter:
    equals = top(part, "=")
    optional = equals is not None
    head = part[:equals].strip() if equals is not None else part
    colon = top(head, ":")
    if head.startswith("{"):
        end = closing(head, 0) or len(head)
        fields = tuple(re.split(r"[:=\s]", each.text)[0] for each in elements(head[1:end]))
        return Parameter("", head[end + 1 :].lstrip(": "), optional, named, fields)
    if colon is not None and grammar not in ("go", "cpp", "c", "java", "csharp", "php"):
        name, kind = head[:colon], head[colon + 1 :].strip()
        optional = optional or name.rstrip().endswith("?")
        words = re.findall(r"\w+", name)
        return Parameter(words[-1] if words else "", kind, optional, named)
    if grammar == "go":
        name, _, kind = head.partition(" ")
        return Parameter(name, kind.strip(), optional, named)
    words = re.findall(r"\w+", head)
    name = words[-1] if words else ""
    return Parameter(name, head[: head.rfind(name)].strip() if name else "", optional, named)
