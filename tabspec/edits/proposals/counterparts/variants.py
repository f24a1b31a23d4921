"""A variant of a Rust enum got fields: the patterns that match it must name them, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

_BARE = re.compile(r"\s*(\w+)\s*,?\s*(?://.*)?")
_FULL = re.compile(r"\s*(\w+)\s*(?:\{([^{}]*)\}|\(([^()]*)\))\s*,?\s*(?://.*)?")
_FIELD = re.compile(r"(\w+)\s*:")
_PATTERN = re.compile(r"\s*(?:=>|\||if\b|=[^=])")
# More fields than this are not named in every pattern.
_MOST_NAMED = 3


def matched(steps: Sequence[Step], document: Document, places: Places) -> Iterator[Found]:
    """Where a variant is matched as if it still had no fields."""
    if places.grammar != "rust":
        return
    for name, fields in _grown(steps):
        for at in occurrences(document.text, name):
            end = at + len(name)
            if not _PATTERN.match(document.text, end) or not places.is_code(at) or not _is_pattern(places, at):
                continue
            yield Found(document, Edit(end, 0, fields), EditSource.COUNTERPART, "variant")


def _grown(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """The variants that got fields, and the pattern of these."""
    for step in reversed(steps):
        bare = {match[1] for line in step.old_lines if (match := _BARE.fullmatch(line))}
        for line in step.new_lines:
            full = _FULL.fullmatch(line)
            if full is None or full[1] not in bare or not full[1][:1].isupper():
                continue
            names = _FIELD.findall(full[2] or "")
            named = ", ".join(names) if 0 < len(names) <= _MOST_NAMED else ".."
            count = len([part for part in (full[3] or "").split(",") if part.strip()])
            yield full[1], f" {{ {named} }}" if full[2] is not None else "(_)" if count == 1 else "(..)"


def _is_pattern(places: Places, at: int) -> bool:
    """Whether a name stands where values are taken apart."""
    node = places.tree.leaf(at) if places.tree is not None else None
    while node is not None and not node.type.endswith(("block", "_item", "_statement", "arguments")):
        if node.type in ("match_pattern", "tuple_struct_pattern", "or_pattern"):
            return True
        parent = node.parent
        if parent is not None and parent.type == "let_condition":
            pattern = parent.child_by_field_name("pattern")
            return pattern is not None and pattern.id == node.id
        node = parent
    return False
