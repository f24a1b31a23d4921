"""Uses of a renamed definition in other open documents: of a name that they import, or of a method.

In a document that neither imports a name nor has it as a member, and in one that defines it, another thing may be
meant (docs/decisions/2026-11-29-renames-told-apart.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.renames.leftovers import MOST_PLACES, Rename
from tabspec.edits.proposals.tokens import occurrences
from tabspec.text import Document, Edit

_KEYWORDS = "def|class|fn|func|function|struct|enum|trait|interface|type|const|static"
# At the start of a line: what is further in belongs to a function or a class.
_TOP = re.compile(
    rf"(?m)^(?:(?:export|default|declare|abstract|async|unsafe|pub(?:\([^)]*\))?) +)*(?:{_KEYWORDS}) +(\w+)"
)
# A function that takes its own object.
_METHOD = re.compile(r"(?m)^[ \t]*(?:[\w() ]+ )?(?:def|fn) +(\w+)(?:<[^>]*>)?\(\s*(?:&?\s*(?:mut +)?self|cls)\b")
_RECEIVER = re.compile(r"(?m)^func +\([^()]*\) *(\w+)")


def far(rename: Rename, document: Document, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """The uses of a name that was renamed in another document. ``done`` are lines that the user has just written."""
    elsewhere = [change.step.new for change in rename.shown if change.step.uri != document.uri]
    top = any(rename.new in _TOP.findall(lines) for lines in elsewhere)
    method = any(rename.new in (*_METHOD.findall(lines), *_RECEIVER.findall(lines)) for lines in elsewhere)
    if not top and not method:
        return
    uses = [at for at in occurrences(document.text, rename.old)[:MOST_PLACES] if places.is_code(at)]
    imports = {at for at in uses if places.is_import(at)}
    new = occurrences(document.text, rename.new)
    if any(places.is_definition(at) and not places.is_import(at) for at in (*uses, *new)):
        return
    package = places.grammar == "go" and not method  # its names are not imported one by one
    inside = package and any(_folder(change.step.uri) == _folder(document.uri) for change in rename.shown)
    member = method or (package and not inside)
    # Once the name is changed where it is imported, what is left of the chain still follows from it.
    if not member and not inside and not imports and not any(places.is_import(at) for at in new):
        return
    for at in uses:
        line = document.line(document.position(at).line)
        path = at in imports and document.text.startswith("::", at - 2)  # Rust: `use crate::a::name`
        if (places.is_member(at) is member or path) and line not in done and not (member and at in imports):
            yield Found(
                document, Edit(at, len(rename.old), rename.new), EditSource.RENAME, "method" if method else "imported"
            )


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0]
