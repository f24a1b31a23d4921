"""A function became ``async``: its calls need ``await``, and the functions around the calls need ``async``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

if TYPE_CHECKING:
    from tree_sitter import Node

_ASYNC = re.compile(r"\basync\s+(?:def|function)\s+(\w+)")
_GRAMMARS = ("python", "javascript", "typescript", "tsx")
_CALLS = ("call", "call_expression")
_FUNCTIONS = (
    "function_definition",
    "function_declaration",
    "function_expression",
    "arrow_function",
    "method_definition",
)


def awaited(steps: Sequence[Step], document: Document, places: Places) -> Iterator[Found]:
    """Where a call of a function that has just become ``async`` is not awaited."""
    tree = places.tree
    if tree is None or tree.grammar not in _GRAMMARS or not document.text.isascii():
        return  # nodes count bytes: where these are no characters, places would have to be counted anew
    seen: set[int] = set()
    for step in reversed(steps):
        for name in _ASYNC.findall(step.new):
            if not re.search(rf"(?<!async )\b(?:def|function)\s+{name}\b", step.old):
                continue
            for at in occurrences(document.text, name):
                call = _call(tree.leaf(at), at)
                if call is None or call.parent is None or call.parent.type.startswith("await"):
                    continue
                function = _around(call)
                if function is None:
                    continue
                yield Found(document, Edit(call.start_byte, 0, "await "), EditSource.COUNTERPART, "await")
                start = _name_of_method(function)
                if start not in seen and not (function.text or b"").startswith(b"async") and not _is_async(function):
                    seen.add(start)
                    yield Found(document, Edit(start, 0, "async "), EditSource.COUNTERPART, "async")


def _call(leaf: Node | None, at: int) -> Node | None:
    """The call of the function that is named at ``at``: ``name()``, ``self.name()``."""
    node = leaf
    while node is not None and node.parent is not None and node.type not in _CALLS:
        if node.end_byte > at + (leaf.end_byte - leaf.start_byte if leaf else 0):
            return None  # the name is not the last part of what is called
        node = node.parent
    if node is None or node.type not in _CALLS:
        return None
    function = node.child_by_field_name("function")
    return node if function is not None and leaf is not None and function.end_byte == leaf.end_byte else None


def _around(node: Node) -> Node | None:
    found = node.parent
    while found is not None and found.type not in _FUNCTIONS:
        if found.type in ("lambda", "class_definition", "class_declaration"):
            return None
        found = found.parent
    return found


def _is_async(function: Node) -> bool:
    return any(child.type == "async" for child in function.children)


def _name_of_method(function: Node) -> int:
    """Where ``async`` belongs: before the function, but in a method after ``static`` and ``public``."""
    name = function.child_by_field_name("name") if function.type == "method_definition" else None
    return name.start_byte if name is not None else function.start_byte
