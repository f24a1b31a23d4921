"""A function's parameters changed: its calls get the arguments in the new order, without those that were removed, or as
the fields of the object that took the place of several parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.brackets import Element, closing, elements
from tabspec.edits.proposals.counterparts.records import RecordType, record
from tabspec.edits.proposals.counterparts.signatures import Parameter, Signature, is_head, signatures
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

_KEYWORD = re.compile(r"(\w+)\s*(?:=(?!=)|:(?!:))\s*(.*)", re.DOTALL)
_NAMED = {"python": "=", "kotlin": "=", "csharp": ":", "php": ":"}
# Languages in which the head of a method differs from that of a function.
_FREE = ("python", "javascript", "typescript", "tsx", "go", "rust")
# How an object with fields begins, what stands between a field and its value, how it ends, and the indentation.
_LITERALS = {
    "rust": ("NAME { ", ": ", " }", "    "),
    "python": ("NAME(", "=", ")", "    "),
    "kotlin": ("NAME(", " = ", ")", "    "),
    "csharp": ("new NAME { ", " = ", " }", "    "),
    "go": ("NAME{", ": ", "}", "\t"),
    **dict.fromkeys(("javascript", "typescript", "tsx"), ("{ ", ": ", " }", "  ")),
}
# Languages in which `{name}` is `{name: name}`.
_SHORT_FIELDS = ("rust", "javascript", "typescript", "tsx")
_CONSTRUCTORS = ("__init__", "constructor")
# More calls than this are changed by a tool, not one by one.
MOST_CALLS = 60
# A literal with more fields, or a longer line, is written with one field a line.
_MOST_ON_LINE = 3
_LONGEST_LINE = 100


@dataclass(frozen=True)
class _ChangedSignature:
    """A function before and after. ``call`` is the name in its calls."""

    old: Signature
    new: Signature
    call: str

    @property
    def renamed(self) -> dict[str, str]:
        """The parameters that have another name in the same place, with all else as it was, and their new names."""
        pairs = list(zip(self.old.parameters, self.new.parameters, strict=False))
        if len(self.old.parameters) != len(self.new.parameters):
            return {}
        changed = [(old, new) for old, new in pairs if old.name != new.name]
        clear = all(replace(old, name=new.name) == new for old, new in changed)
        moved = {old.name for old, _ in changed} & {new.name for _, new in changed}
        return {old.name: new.name for old, new in changed} if clear and not moved else {}


def called(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """The calls of functions whose parameters have changed. Lines in ``done`` were just written by the user."""
    grammar = places.grammar
    for changed in _changed(steps, document, grammar):
        texts = [document.text, *(step.new for step in steps)]
        uses = occurrences(document.text, changed.call)[:MOST_CALLS]
        heads = {at for at in uses if is_head(document.text, changed.call, at, grammar)}
        if len(heads) > 1:
            continue  # several functions have this name: which one a call means is not known
        for at in uses:
            start = _arguments(document.text, at + len(changed.call))
            stop = closing(document.text, start) if start is not None else None
            if start is None or stop is None or at in heads or not places.is_code(at):
                continue
            if changed.call == changed.old.name and not _is_called_so(changed.old, places, at, grammar):
                continue
            if places.line(at) in done:
                continue
            given = document.text[start + 1 : stop]
            wanted = _rewritten(changed, given, texts, grammar, _CallSite(document, places, at))
            if wanted is not None and wanted != given:
                yield Found(document, Edit(start + 1, len(given), wanted), EditSource.COUNTERPART, "call")


@dataclass(frozen=True)
class _CallSite:
    """Where a call stands."""

    document: Document
    places: Places
    at: int

    @property
    def indent(self) -> str:
        line = self.places.line(self.at)
        return line[: len(line) - len(line.lstrip())]

    @property
    def column(self) -> int:
        return self.at - self.places.line_start(self.at)

    def has(self, name: str) -> bool:
        """Whether a variable of this name is defined in the function around the call, before it."""
        around = self.places.function(self.at)
        if around is None or not name:
            return False
        start, text = around[0], self.document.text[around[0] : self.at]
        return any(self.places.is_definition(start + at) for at in occurrences(text, name))


def _is_called_so(function: Signature, places: Places, at: int, grammar: str) -> bool:
    """Whether a method is called on an object, and a function on none, where the head shows which it is."""
    if function.method:
        return places.is_member(at)
    return grammar not in _FREE or places.document.text[max(at - 1, 0) : at] != "."


def _arguments(text: str, after: int) -> int | None:
    """The offset of the bracket that begins a call's arguments."""
    match = re.compile(r"\s*(?:::)?(?:<[\w, ]*>)?\(").match(text, after)
    return match.end() - 1 if match else None


def _changed(steps: Sequence[Step], document: Document, grammar: str) -> Iterator[_ChangedSignature]:
    """The functions whose parameters differ from those before the steps."""
    first: dict[str, Signature] = {}
    last: dict[str, Signature] = {}
    for step in steps:
        if "(" not in step.old or "(" not in step.new:
            continue
        before = {each.name: each for each in signatures(step.old, grammar)}
        for each in signatures(step.new, grammar):
            if each.name in before:
                first.setdefault(each.name, before[each.name])
                last[each.name] = each
    for name, new in last.items():
        if first[name].parameters == new.parameters:
            continue
        call = name
        if name in _CONSTRUCTORS or (grammar == "rust" and name == "new"):
            call = _type_around(document, f"{name}", grammar)
        if call:
            yield _ChangedSignature(first[name], new, call)


def _type_around(document: Document, constructor: str, grammar: str) -> str:
    """The name by which a constructor is called; empty where several types have one."""
    text = document.text
    if len(occurrences(text, constructor)) != 1 and grammar != "rust":
        return ""
    at = occurrences(text, constructor)[:1]
    pattern = r"\bimpl(?:<[^>]*>)?\s+(?:\w+\s+for\s+)?(\w+)" if grammar == "rust" else r"\bclass\s+(\w+)"
    names = re.findall(pattern, text[: at[0]]) if at else []
    return f"{names[-1]}::new" if names and grammar == "rust" else names[-1] if names else ""


def _rewritten(
    changed: _ChangedSignature, given: str, texts: Sequence[str], grammar: str, place: _CallSite
) -> str | None:
    """The arguments for the new parameters; None where they do not fit the old ones, or a value is missing."""
    parts = elements(given)
    values = _values(changed.old, parts, grammar)
    if values is None:
        return None
    wanted: list[str] = []
    left = {changed.renamed.get(name, name): value for name, value in values.items()}
    by_name = False
    for parameter in changed.new.parameters:
        if parameter.fields or parameter.name not in (*changed.old.names, *changed.renamed.values()):
            text = _made(parameter, changed, left, texts, grammar, place)
            if text is None:
                if parameter.optional:
                    by_name = True
                    continue
                return None
            wanted.append(text)
            continue
        keyword, value = left.pop(parameter.name, (False, ""))
        if not value:
            by_name = True
            continue
        named = keyword or parameter.named or by_name
        if named and grammar not in _NAMED:
            return None
        wanted.append(f"{parameter.name}{_NAMED[grammar]}{' ' * (_NAMED[grammar] == ':')}{value}" if named else value)
    return _joined(wanted, given, parts)


def _values(old: Signature, parts: Sequence[Element], grammar: str) -> dict[str, tuple[bool, str]] | None:
    """The value of each old parameter, and whether it is given by name; None where the call does not fit them."""
    values: dict[str, tuple[bool, str]] = {}
    for number, part in enumerate(parts):
        keyword = _KEYWORD.fullmatch(part.text) if grammar in _NAMED else None
        if part.text.startswith(("*", "...")) and grammar in ("python", "php", "javascript", "typescript", "tsx"):
            return None
        if keyword and keyword[1] in old.names:
            values[keyword[1]] = True, keyword[2]
        elif number < len(old.parameters) and len(values) == number and old.parameters[number].name:
            values[old.parameters[number].name] = False, part.text
        else:
            return None
    missing = [each for each in old.parameters if each.name not in values and not each.optional]
    return None if missing else values


def _made(
    parameter: Parameter,
    changed: _ChangedSignature,
    left: dict[str, tuple[bool, str]],
    texts: Sequence[str],
    grammar: str,
    place: _CallSite,
) -> str | None:
    """The argument for a new parameter: an object of those that were removed, or the variable of the same name."""
    gone = [name for name in changed.old.names if name not in changed.new.names and name in left]
    kind = parameter.type.replace("?", " ").strip("&* ")
    name = re.split(r"[<\[ .]", kind.rsplit(".", 1)[-1])[0] if kind else ""
    shape = record(name, texts, grammar) if len(gone) > 1 and name.isidentifier() else None
    if len(gone) > 1 and (parameter.fields or shape is not None):
        fields = {each: (shape.field(each) if shape else each if each in parameter.fields else None) for each in gone}
        if all(fields.values()):
            given = {str(field): left.pop(each)[1] for each, field in fields.items()}
            return _literal(parameter, shape, given, grammar, place)
        return None
    return parameter.name if place.has(parameter.name) and not parameter.named else None


def _literal(
    parameter: Parameter, shape: RecordType | None, given: Mapping[str, str], grammar: str, place: _CallSite
) -> str | None:
    """An object with these fields, as the language writes it: on one line, or one field a line where that is too much
    to read."""
    if grammar not in _LITERALS:
        return None
    start, sign, tail, step = _LITERALS[grammar]
    pointer = "&" if grammar == "go" and parameter.type.startswith("*") else ""
    head = pointer + start.replace("NAME", shape.name if shape else "")
    short = grammar in _SHORT_FIELDS
    fields = [name if short and name == value else f"{name}{sign}{value}" for name, value in given.items()]
    line = head + ", ".join(fields) + tail
    if len(fields) <= _MOST_ON_LINE and place.column + len(line) < _LONGEST_LINE:
        return line
    if grammar == "go":  # gofmt has the values in one column
        width = max(map(len, given)) + 2
        fields = [f"{name}:".ljust(width) + value for name, value in given.items()]
    indent = place.indent
    step = "\t" if "\t" in indent else step
    body = "".join(f"{indent}{step}{field},\n" for field in fields)
    return f"{head.rstrip()}\n{body}{indent}{tail.strip()}"


def _joined(wanted: Sequence[str], given: str, parts: Sequence[Element]) -> str:
    """The arguments with the white space that stood around the old ones."""
    if not parts:
        return ", ".join(wanted)
    between = given[parts[0].stop : parts[1].start] if len(parts) > 1 else ", "
    return given[: parts[0].start] + between.join(wanted) + (given[parts[-1].stop :] if wanted else "")
