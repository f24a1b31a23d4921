"""A member function was defined in C++ outside of its class: the class, mostly in a header, has to declare it."""

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

_DEFINITION = re.compile(
    r"^(?P<type>[\w:<>,&*\s]+?[\s&*>])(?P<class>\w+)::(?P<name>\w+)(?P<rest>\([^;{}]*\)(?:\s*(?:const|noexcept))*)\s*(?:\{|$)"
)


def declared(steps: Sequence[Step], document: Document, places: Places) -> Iterator[Found]:
    """Where a member function that was just defined is to be declared."""
    if places.tree is None or places.tree.grammar not in ("c", "cpp", "cuda") or not document.text.isascii():
        return
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        if not step.typed:
            continue
        written = {line for each in steps[:number] for line in each.new_lines if line not in each.old_lines}
        former = [line for line in _definitions(step.old_lines) if line not in written]
        for line in step.new_lines:
            head = _DEFINITION.match(line)
            if head is None or any(_names(old, head["name"]) for old in step.old_lines):
                continue
            if len(_definitions(step.new_lines)) <= len(former):
                continue  # it had another name: its declaration is renamed, not added
            body = _body(places.tree.parsed.root_node, head["class"])
            if body is None or occurrences((body.text or b"").decode(), head["name"]):
                continue
            last = _last_function(body)
            if last is None:
                continue
            start = places.line_start(last.start_byte)
            indent = document.text[start : last.start_byte]
            following = document.text[last.end_byte : document.text.find("\n", last.end_byte)]
            if indent.strip() or (following.strip() and not following.strip().startswith("//")):
                continue  # what follows may belong to the declaration: an attribute that the parser does not know
            text = f"\n{indent}{' '.join(head['type'].split())} {head['name']}{head['rest']};"
            at = last.end_byte + len(following)
            yield Found(document, Edit(at, 0, text), EditSource.COUNTERPART, "declaration")


def _definitions(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if _DEFINITION.match(line)]


def _names(line: str, name: str) -> bool:
    return bool(occurrences(line, name))


def _body(root: Node, name: str) -> Node | None:
    """The body of a class or struct."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type in ("class_specifier", "struct_specifier"):
            named = node.child_by_field_name("name")
            if named is not None and named.text == name.encode():
                return node.child_by_field_name("body")
        if node.type not in ("function_definition", "compound_statement"):
            stack.extend(node.children)
    return None


def _last_function(body: Node) -> Node | None:
    """The last member function that is declared before another access begins."""
    last = None
    for child in body.children:
        if child.type == "field_declaration" and _declares_function(child):
            last = child
        elif child.type == "access_specifier" and last is not None:
            break
    return last


def _declares_function(node: Node) -> bool:
    declarator = node.child_by_field_name("declarator")
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator")
    return declarator is not None
