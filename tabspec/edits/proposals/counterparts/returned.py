"""A function may fail now: its calls handle the error, or pass it on (Go, Rust)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.brackets import closing, elements
from tabspec.edits.proposals.counterparts.signatures import Signature, is_head, signatures
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

# More calls than this are changed by a tool, not one by one.
MOST_CALLS = 60
# A head is read up to so many characters.
_HEAD = 600
_ASSIGNED = re.compile(r"([ \t]*)([\w, ]+?)[ \t]*(:=|=)[ \t]*((?:\w+\.)*)$")
_STATEMENT = re.compile(r"([ \t]*)((?:\w+\.)*)$")
_HANDLED = re.compile(r"\s*(?:\?|\.(?:unwrap|expect|ok|map|and_then|is_|or|as_)|==|!=)")


def failing(steps: Sequence[Step], document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """The calls of functions whose result has become one that may be an error, or missing."""
    grammar = places.grammar
    if grammar not in ("go", "rust"):
        return
    rewritten = _go if grammar == "go" else _rust
    for name, old, new in _changed(steps, grammar):
        uses = occurrences(document.text, name)[:MOST_CALLS]
        heads = {at for at in uses if is_head(document.text, name, at, grammar)}
        if len(heads) != 1:
            continue
        for at in uses:
            if document.text[at + len(name) : at + len(name) + 1] != "(" or at in heads:
                continue
            stop = closing(document.text, at + len(name))
            around = _around(document, places, at, grammar)
            if stop is None or around is None or not places.is_code(at):
                continue
            edit = rewritten(document, at, stop + 1, (old, new), around)
            if edit is not None and places.line(at) not in done:
                yield Found(document, edit, EditSource.COUNTERPART, "error")


def _changed(steps: Sequence[Step], grammar: str) -> Iterator[tuple[str, str, str]]:
    """The functions that may fail now: name, result before, and result."""
    for step in reversed(steps):
        before = {each.name: each.result for each in signatures(step.old, grammar)}
        for each in signatures(step.new, grammar):
            old = before.get(each.name)
            if old is None or old == each.result:
                continue
            wrapped = re.match(rf"(?:\w+::)*(?:Result|Option)<{re.escape(old or '()')}\s*[,>]", each.result)
            fails = _results(each.result) == [*_results(old), "error"] if grammar == "go" else wrapped is not None
            if fails:
                yield each.name, old, each.result


def _results(result: str) -> list[str]:
    """Go's result types."""
    inner = result[1:-1] if result.startswith("(") else result
    return [part.text.rsplit(" ", 1)[-1] for part in elements(inner)]


def _around(document: Document, places: Places, at: int, grammar: str) -> Signature | None:
    """The function around a place."""
    function = places.function(at)
    if function is None:
        return None
    start = document.text.rfind("\n", 0, function[0]) + 1
    return next(signatures(document.text[start : min(start + _HEAD, function[1])], grammar), None)


def _go(document: Document, at: int, stop: int, results: tuple[str, str], around: Signature) -> Edit | None:
    start = document.line_starts[document.line_at(at)]
    end = document.text.find("\n", stop)
    if document.text[stop : end if end >= 0 else None].strip():
        return None
    outer = _results(around.result)
    if outer[-1:] == ["error"]:
        leaves = "return " + ", ".join([*map(zero, outer[:-1]), "err"])
    elif any(parameter.type == "*testing.T" for parameter in around.parameters):
        leaves = f"{next(each.name for each in around.parameters if each.type == '*testing.T')}.Fatal(err)"
    elif around.name == "main" and '"log"' in document.text:
        leaves = "log.Fatal(err)"
    else:
        return None
    call, before = document.text[at:stop], document.text[start:at]
    assigned, statement = _ASSIGNED.match(before), _STATEMENT.match(before)
    if assigned is not None and _results(results[0]):
        indent, names, sign, owner = assigned.groups()
        head = f"{indent}{names}, err {':=' if sign == ':=' else sign} {owner}{call}\n{indent}if err != nil {{"
    elif statement is not None and not _results(results[0]):
        indent = statement[1]
        head = f"{indent}if err := {statement[2]}{call}; err != nil {{"
    else:
        return None
    return Edit(start, stop - start, f"{head}\n{indent}\t{leaves}\n{indent}}}")


def _rust(document: Document, at: int, stop: int, results: tuple[str, str], around: Signature) -> Edit | None:
    line = document.line(document.line_at(at))
    start = document.line_starts[document.line_at(at)]
    following = document.text[stop : stop + 12]
    if _HANDLED.match(following) or re.match(r"\s*(?:return|match|if let|while let)\b", line):
        return None
    if not line[: at - start].strip(" \t\r.:_&()").strip() and not following.startswith((";", ".")):
        return None  # the value of the function around it
    wrapper = re.match(r"(?:\w+::)*(Result|Option)\b", results[1])
    if wrapper is not None and re.match(rf"(?:\w+::)*{wrapper[1]}\b", around.result):
        return Edit(stop, 0, "?")
    above = document.text[: document.text.rfind("fn " + around.name)].rstrip()[-20:]
    return Edit(stop, 0, ".unwrap()") if above.endswith(("#[test]", "#[tokio::test]")) else None


def zero(kind: str) -> str:
    """Go's zero value of a type."""
    if kind == "string":
        return '""'
    if re.fullmatch(r"u?int\d*|float\d*|byte|rune|uintptr|time\.Duration", kind):
        return "0"
    if kind == "bool":
        return "false"
    if kind.startswith(("*", "[]", "map[", "chan ", "func(")) or kind in ("error", "any", "interface{}", "io.Reader"):
        return "nil"
    return f"{kind}{{}}"
