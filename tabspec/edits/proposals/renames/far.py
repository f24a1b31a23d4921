"""Uses of a renamed definition in other open documents: of a name that they import, or of a method.

In a document that neither imports a name nor has it as a member, and in one that defines it, another thing may be
meant (docs/decisions/2026-11-29-renames-told-apart.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.renames.anew import is_written_again
from tabspec.edits.proposals.renames.leftovers import MOST_PLACES, Rename, has_both
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

_KEYWORDS = "def|class|fn|func|function|struct|enum|trait|interface|type|const|static"
# Methods of Python's own types: another object is more likely one of these.
_BUILT_IN = frozenset(name for kind in (list, dict, set, str, bytes, tuple, object) for name in dir(kind))
# At the start of a line: what is further in belongs to a function or a class.
_TOP = re.compile(
    rf"(?m)^(?:(?:export|default|declare|abstract|async|unsafe|pub(?:\([^)]*\))?) +)*(?:{_KEYWORDS}) +(\w+)"
)
# A function that takes its own object.
_METHOD = re.compile(r"(?m)^[ \t]*(?:[\w() ]+ )?(?:def|fn) +(\w+)(?:<[^>]*>)?\(\s*(?:&?\s*(?:mut +)?self|cls)\b")
_RECEIVER = re.compile(r"(?m)^func +\([^()]*\) *(\w+)")


def far(
    rename: Rename, document: Document, places: Places, done: frozenset[str], steps: Sequence[Step]
) -> Iterator[Found]:
    """The uses of a name that was renamed in another document. ``done`` are lines that the user has just written,
    ``steps`` all that patterns are learned from."""
    elsewhere = [change.step.new for change in rename.shown if change.step.uri != document.uri]
    top = any(rename.new in _TOP.findall(lines) for lines in elsewhere)
    method = any(rename.new in (*_METHOD.findall(lines), *_RECEIVER.findall(lines)) for lines in elsewhere)
    if (not top and not method) or (method and places.grammar == "python" and rename.old in _BUILT_IN):
        return
    shown = [change.step for change in rename.shown]
    since = steps[steps.index(shown[0]) + 1 :]
    if any(step not in shown and is_written_again((rename.old, rename.new), step) for step in since):
        return  # it was written again: it stays in use
    uses = [at for at in occurrences(document.text, rename.old)[:MOST_PLACES] if places.is_code(at)]
    imports = {at for at in uses if places.is_import(at)}
    new = [at for at in occurrences(document.text, rename.new)[:MOST_PLACES] if places.is_code(at)]
    imported = {places.import_around(at) for at in new} - {None}
    if imported.intersection(map(places.import_around, imports)):
        return  # one import has both
    if any(places.is_definition(at) and not places.is_import(at) for at in (*uses, *new)):
        return
    package = places.grammar == "go" and not method  # its names are not imported one by one
    same = any(_folder(change.step.uri) == _folder(document.uri) for change in rename.shown)
    if places.grammar == "go" and not same and not rename.new[0].isupper():
        return  # it is no longer visible in other packages
    inside = package and same
    member = method or (package and not inside)
    # Once the name is changed where it is imported, what is left of the chain still follows from it.
    if not member and not inside and not imports and not imported:
        return
    for at in uses:
        line = document.line(document.position(at).line)
        path = at in imports and document.text.startswith("::", at - 2)  # Rust: `use crate::a::name`
        if has_both(rename.new, places, at) or (method and _is_value(places, at, rename.old)):
            continue
        if not member and places.is_field(at):
            continue  # the field of another value: `{metrics: 1}` after the type `metrics`
        if (places.is_member(at) is member or path) and line not in done and not (member and at in imports):
            yield Found(
                document, Edit(at, len(rename.old), rename.new), EditSource.RENAME, "method" if method else "imported"
            )


def _is_value(places: Places, at: int, name: str) -> bool:
    """Whether a member is a field or a type, because it is not called. Python's methods may be properties."""
    called = re.compile(r"\s*(?:::<|\()").match(places.document.text, at + len(name))
    return places.grammar in ("go", "rust") and called is None


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0]
