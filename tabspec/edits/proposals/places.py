"""What stands at a place of a document: code or prose, a definition or a use, and the function around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from tabspec.syntax.languages import grammar_of
from tabspec.syntax.tree import SyntaxTree
from tabspec.syntax.trees import whole_tree_of
from tabspec.text import Document

if TYPE_CHECKING:
    from tree_sitter import Node

# What the types of nodes that define a name end with, in the grammars of tabspec.syntax.
_DEFINES = (
    "definition", "declaration", "declarator", "_spec", "_item", "variant", "alias", "specifier", "assignment",
    "property_signature", "property_element", "enum_entry", "enum_constant", "enumerator",
)  # fmt: skip
# Ruby's functions: its grammar names a call's method by the same word, but in another field.
_DEFINES_ALONE = ("method", "singleton_method")
_PARAMETER = ("parameter", "formal", "closure_parameters", "lambda_parameters")
# A member of the function's own object, and the methods that give members their first values.
_OWN = re.compile(r"(?:\bself\.|\bthis\.|\$this->|@)$")
_LONGEST_OWN = 7
_CONSTRUCTOR = re.compile(r"\s*(?:(?:async|def|public|function)\s+)*(?:__init__|__construct|constructor|initialize)\b")
_FIELDS = ("property_signature", "public_field_definition")
# Nodes that only group names: `a, b = ...`, `*p`, `(a, b)`.
_GROUPS = ("list", "tuple", "pattern", "pointer", "reference", "typed_", "default_", "variable_name")
_FUNCTION = ("function", "method", "lambda", "closure", "arrow", "constructor", "func_literal")
_IMPORT = ("import", "use_")
# Languages in which a method is only called on a value or a type: its bare name means something else.
_QUALIFIED = ("python", "rust", "go", "javascript", "typescript", "tsx")
# Rust's modules: their contents are in other files.
_MODULES = ("mod_item", "extern_crate_declaration")
_CLASS = ("class", "struct", "interface", "enum", "trait", "impl", "object", "union")
_NAMES = ("name", "left", "pattern", "declarator", "alias", "parameter")


@dataclass(frozen=True)
class Places:
    """A document's places, by its syntax tree; without a grammar every place counts as code."""

    document: Document

    @cached_property
    def tree(self) -> SyntaxTree | None:
        grammar = grammar_of(self.document)
        if grammar is None:
            return None
        return whole_tree_of(grammar, self.document)

    @property
    def grammar(self) -> str:
        """The name of the document's grammar; "" where there is none."""
        return self.tree.grammar if self.tree is not None else ""

    def line(self, offset: int) -> str:
        """The line that an offset is on, without its line end."""
        return self.document.line(self.document.line_at(offset))

    def line_start(self, offset: int) -> int:
        """The offset of the first character of that line."""
        return self.document.line_starts[self.document.line_at(offset)]

    def is_code(self, offset: int) -> bool:
        """Whether the character at ``offset`` is in no string, comment or prose."""
        return self.tree is None or self.tree.kinds(offset, offset + 1) != ["opaque"]

    def is_member(self, offset: int) -> bool:
        """Whether a name is one of a value or a type: ``a.name``, ``a->name``, ``a::name``."""
        before = self.document.text[max(offset - 2, 0) : offset]
        return before.endswith((".", "->", "::")) and before != ".."

    def is_definition(self, offset: int) -> bool:
        """Whether the name at ``offset`` is defined there: a declaration, a parameter, the left of an assignment."""
        if self.tree is None or self.is_member(offset):
            return False
        node = self.tree.leaf(offset)
        for _ in range(4):  # names are seldom grouped deeper
            parent = node.parent if node is not None else None
            if node is None or parent is None:
                return False
            field = _field(parent, node)
            if _has(parent.type, _PARAMETER):
                return field not in ("type", "value", "default_value", "return_type")
            if parent.type in _MODULES:
                return False
            defines = parent.type.endswith(_DEFINES) or parent.type in _DEFINES_ALONE
            if defines and (field in _NAMES or _is_first(parent, node)):
                return True
            if field == "type":
                return False  # a type or a constructor: both names `State` in `State(db): State<Db>`
            if not _has(parent.type, _GROUPS):
                return False
            node = parent
        return False

    def is_field(self, offset: int) -> bool:
        """Whether a name is a field's in a value that is written out: the first one in ``{name: name}``."""
        node = self.tree.leaf(offset) if self.tree is not None else None
        if node is None or node.parent is None:
            return False
        pair = node.parent.parent if node.parent.type == "literal_element" else None  # Go's
        key = pair is not None and pair.type == "keyed_element" and pair.start_byte == node.start_byte
        return key or node.type in ("property_identifier", "field_identifier")

    def is_own(self, offset: int) -> bool:
        """Whether a name is a member of the function's own object: ``self.name``, ``this.name``, ``@name``."""
        return _OWN.search(self.document.text, max(offset - _LONGEST_OWN, 0), offset) is not None

    def own_class(self, offset: int) -> tuple[int, int] | None:
        """The range of the class whose constructor gives the member at ``offset`` its value there; None elsewhere."""
        text = self.document.text
        function = self.function(offset)
        if not self.is_own(offset) or not function or not _CONSTRUCTOR.match(text, function[0]):
            return None
        node = self.tree.leaf(offset) if self.tree is not None else None
        while node is not None and node.parent is not None and not node.type.startswith("assignment"):
            node = node.parent
        left = node.child_by_field_name("left") if node is not None else None
        if left is None or not left.start_byte <= self._byte(offset) < left.end_byte:
            return None
        return next((self._range(each) for each in self._around(offset) if each.type.startswith("class")), None)

    def is_import(self, offset: int) -> bool:
        """Whether the name at ``offset`` is imported there."""
        return self.import_around(offset) is not None

    def import_around(self, offset: int) -> tuple[int, int] | None:
        """The range of the import that a place is in; None elsewhere."""
        around = [node for node in self._around(offset) if _has(node.type, _IMPORT)]
        return self._range(around[-1]) if around else None

    def is_method(self, offset: int) -> bool:
        """Whether the name at ``offset`` is that of a method, which is called by ``a.name`` or ``a::name`` only."""
        if self.grammar not in _QUALIFIED:
            return False
        inside = False
        for node in self._around(offset):
            if "method" in node.type:
                return True
            if not inside:
                inside = _has(node.type, _FUNCTION)
            elif _has(node.type, _CLASS):
                return True
            elif _has(node.type, _FUNCTION):
                return False
        return False

    def is_field_of_type(self, offset: int) -> bool:
        """Whether the name at ``offset`` is a field of a type that is read through an object only."""
        node = self.tree.leaf(offset) if self.tree is not None else None
        parent = node.parent if node is not None else None
        if parent is None:
            return False
        return parent.type in _FIELDS or (self.grammar in ("rust", "go") and parent.type == "field_declaration")

    def is_type(self, offset: int) -> bool:
        """Whether a name stands where only a type can."""
        node = self.tree.leaf(offset) if self.tree is not None else None
        return node is not None and node.type in ("type_identifier", "primitive_type")

    def is_in_type(self, offset: int) -> bool:
        """Whether a place is in the definition of a type."""
        return any(_has(node.type, _CLASS) and node.child_count for node in self._around(offset))

    def owner(self, offset: int) -> str:
        """The name of the type that the name at ``offset`` is a member of; "" where it is a member of none."""
        for node in self._around(offset):
            if node.type == "method_declaration" and self.grammar == "go":
                receiver = node.child_by_field_name("receiver")
                words = re.findall(r"\w+", _text(receiver)) if receiver is not None else []
                return words[1] if len(words) > 1 else ""
            if _has(node.type, _CLASS) and node.child_count:
                name = node.child_by_field_name("type" if node.type == "impl_item" else "name")
                # Kotlin's grammar has no fields.
                name = name or next((each for each in node.named_children if each.type == "type_identifier"), None)
                if name is not None:
                    return re.split(r"\W", _text(name))[0]
        return ""

    def function(self, offset: int) -> tuple[int, int] | None:
        """The range of the innermost function around a place; None at the file's or a class's own level."""
        for node in self._around(offset):
            if _has(node.type, _FUNCTION) and not node.type.endswith(("call", "_type", "identifier")):
                inner = node.child_by_field_name("name") or node.child_by_field_name("declarator")
                at = self._byte(offset)
                if inner is not None and inner.start_byte <= at < inner.end_byte and not _in_parameters(inner, at):
                    continue  # the function's own name belongs to what is around it
                return self._range(node)
            if node.end_byte - node.start_byte > 1 and _has(node.type, _CLASS) and node.child_count:
                return None
        return None

    def _around(self, offset: int) -> Iterator[Node]:
        node = self.tree.leaf(offset) if self.tree is not None else None
        while node is not None:
            yield node
            node = node.parent

    def _byte(self, offset: int) -> int:
        return self.tree.byte_of(offset) if self.tree is not None else offset

    def _range(self, node: Node) -> tuple[int, int]:
        assert self.tree is not None  # it has the node
        return self.tree.offset_of(node.start_byte), self.tree.offset_of(node.end_byte)


@cache
def _has(kind: str, parts: tuple[str, ...]) -> bool:
    """Whether a node's type has one of these parts. There are some hundred types, and each is asked about often."""
    return any(part in kind for part in parts)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _field(parent: Node, node: Node) -> str | None:
    for index, child in enumerate(parent.children):
        if child.id == node.id:
            return parent.field_name_for_child(index)
    return None


def _is_first(parent: Node, node: Node) -> bool:
    """In grammars without fields the first name is the one that is defined."""
    named = parent.named_children
    return (
        bool(named)
        and named[0].id == node.id
        and not any(parent.field_name_for_child(index) for index in range(parent.child_count))
    )


def _in_parameters(node: Node, at: int) -> bool:
    """Whether a declarator that holds its parameters (as C's do) has ``at`` among these."""
    parameters = node.child_by_field_name("parameters")
    return parameters is not None and parameters.start_byte <= at < parameters.end_byte
