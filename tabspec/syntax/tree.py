"""Syntax trees of document snapshots, parsed incrementally, and the kind of token at a place in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from tabspec.syntax.languages import parser
from tabspec.text import Edit, is_word

if TYPE_CHECKING:
    from tree_sitter import Node
    from tree_sitter import Tree as Parsed

# Parts of the node names of leaves whose text is not code. The quotes and tags around such text count as code.
_OPAQUE = (
    "string",
    "comment",
    "text",
    "content",
    "char",
    "regex",
    "fragment",
    "attribute_value",
    "heredoc",
    "raw",
    "inline",
)
# The node names of quotes in some grammars. In others, the name of the node is the quote itself.
_QUOTES = ("string_start", "string_end", "raw_string_start", "raw_string_end", "heredoc_start", "heredoc_end")


# Code points between two places whose bytes are known: the bytes of fewer are counted in a microsecond.
_PART = 1024


class Opaque(NamedTuple):
    """A part of a text that is no code. ``quote`` is the quote that delimits it, "" if none does."""

    start: int
    end: int
    quote: str


@dataclass(frozen=True)
class SyntaxTree:
    """The syntax tree of ``text``. Offsets count code points."""

    grammar: str
    text: str
    parsed: Parsed

    @classmethod
    def of(cls, grammar: str, text: str) -> SyntaxTree:
        """Parse a whole text."""
        return cls(grammar, text, parser(grammar).parse(_bytes(text)))

    def edited(self, edit: Edit) -> SyntaxTree:
        """The tree after one edit. Parts that the edit does not affect are reused, not parsed again."""
        text = edit.apply(self.text)
        start, old_end = self.byte_of(edit.offset), self.byte_of(edit.offset + edit.delete)
        data = _bytes(text)
        new_end = start + len(_bytes(edit.insert))
        old = self.parsed.copy()
        before = self._data
        old.edit(start, old_end, new_end, _point(before, start), _point(before, old_end), _point(data, new_end))
        tree = SyntaxTree(self.grammar, text, parser(self.grammar).parse(data, old))
        tree.__dict__["_data"] = data
        return tree

    @cached_property
    def errors(self) -> int:
        """The number of syntax errors: texts that match no rule of the grammar, and missing tokens."""
        return sum(1 for _ in _errors(self.parsed.root_node))

    def around(self, offset: int, near: int) -> tuple[SyntaxTree, int] | None:
        """The top-level nodes within ``near`` bytes of ``offset``, parsed by themselves, and the offset where they
        begin.

        None if they do not read the same by themselves, or if they are most of the text.
        """
        root, at = self.parsed.root_node, self.byte_of(offset)
        nodes = root.children
        first = next((i for i in reversed(range(len(nodes))) if nodes[i].start_byte <= at - near), 0)
        last = next((i for i, node in enumerate(nodes) if node.end_byte >= at + near), len(nodes) - 1)
        start = nodes[first].start_byte if first else 0
        end = nodes[last + 1].start_byte if last + 1 < len(nodes) else len(self._data)
        if root.is_error or 2 * (end - start) > len(self._data):
            return None
        part = SyntaxTree.of(self.grammar, self._data[start:end].decode("utf-8", "surrogatepass"))
        alone = [(start + node.start_byte, str(node)) for node in part.parsed.root_node.children]
        if alone != [(node.start_byte, str(node)) for node in nodes[first : last + 1]]:
            return None
        return part, self.offset_of(start)

    def kinds(self, start: int, end: int) -> list[str]:
        """For each character from ``start`` to ``end``, the kind of its token.

        ``opaque`` in strings, comments and prose; ``word``, ``quote`` or ``blank``; ``none`` without a token; otherwise
        the grammar's name for the token.
        """
        found: list[str] = []
        at = start
        while at < end:
            leaf = self.leaf(at)
            stop = (
                min(max(self.offset_of(leaf.end_byte), at + 1), end)
                if leaf and leaf.start_byte <= self.byte_of(at)
                else at + 1
            )
            for char in self.text[at:stop]:
                found.append(_kind(leaf, char))
            at = stop
        return found

    def leaf(self, offset: int) -> Node | None:
        """The leaf with the character at ``offset``."""
        at = self.byte_of(offset)
        return self.parsed.root_node.descendant_for_byte_range(at, at + 1)

    def opaque(self, offset: int) -> Opaque | None:
        """The string, comment or prose around a cursor at ``offset``. None if the cursor is in code."""
        for at in (offset - 1, offset):
            if not 0 <= at < len(self.text):
                continue
            leaf = _or_comment(self.leaf(at))
            if leaf is None or not _is_opaque(leaf):
                continue
            if leaf.child_count and not leaf.type.endswith("comment"):
                continue
            start, end = self.offset_of(leaf.start_byte), self.offset_of(leaf.end_byte)
            comment = leaf.type.endswith("comment")
            if comment and self.text[end - 1] == "\n":  # in some grammars, a comment includes its line end
                end -= 1
            inside = start < offset < end or (comment and start < offset <= end)
            if inside or (not comment and start <= offset <= end and not _quoted_whole(leaf)):
                return Opaque(start, end, _quote_of(self.text, start))
        return None

    # --- bytes and code points --------------------------------------------------------------------------------------

    @cached_property
    def _data(self) -> bytes:
        return _bytes(self.text)

    @cached_property
    def _ascii(self) -> bool:
        return self.text.isascii()

    @cached_property
    def _parts(self) -> list[int]:
        """The byte at which each part of `_PART` code points begins."""
        sizes = (len(_bytes(self.text[at : at + _PART])) for at in range(0, len(self.text), _PART))
        return list(accumulate(sizes, initial=0))

    def byte_of(self, offset: int) -> int:
        """The byte at which the character at ``offset`` begins."""
        if self._ascii:
            return offset
        part = min(offset, len(self.text)) // _PART
        return self._parts[part] + len(_bytes(self.text[part * _PART : offset]))

    def offset_of(self, byte: int) -> int:
        """The offset of the character that ``byte`` belongs to."""
        if self._ascii:
            return byte
        part = min(bisect_right(self._parts, byte), len(self._parts) - 1) - 1
        return part * _PART + len(self._data[self._parts[part] : byte].decode("utf-8", "ignore"))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _point(data: bytes, at: int) -> tuple[int, int]:
    return data.count(b"\n", 0, at), at - (data.rfind(b"\n", 0, at) + 1)


def _errors(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        each = stack.pop()
        if not each.has_error:
            continue
        if each.is_error or each.is_missing:
            yield each
        stack.extend(each.children)


def _is_opaque(leaf: Node) -> bool:
    if not leaf.is_named:  # a keyword: `string` is a type in TypeScript
        return False
    kind = leaf.type
    return kind not in _QUOTES and any(part in kind for part in _OPAQUE) and "interpolation" not in kind


def _or_comment(leaf: Node | None) -> Node | None:
    """The comment that contains ``leaf``, in grammars whose comments have children (Rust's). Otherwise ``leaf``."""
    above = leaf.parent if leaf else None
    return above if above and above.type.endswith("comment") else leaf


def _quoted_whole(leaf: Node) -> bool:
    """Whether a leaf is a string that includes its quotes."""
    text = leaf.text or b""
    return len(text) > 1 and text[:1] in b"\"'`" and text[:1] == text[-1:]


def _quote_of(text: str, start: int) -> str:
    """The quote that stands at ``start``, or ends there; "" if none does."""
    for at in (start, start - 1):
        quote = text[max(at, 0) : at + 1]
        if quote and quote in "\"'`":
            triple = quote * 3
            return triple if text.startswith(triple, at) or text.startswith(triple, at - 2) else quote
    return ""


def _kind(leaf: Node | None, char: str) -> str:
    if char.isspace():
        return "blank"
    if leaf is None or leaf.child_count:
        return "opaque" if leaf is not None and leaf.type.endswith("comment") else "none"
    if leaf.type in _QUOTES or (leaf.type and leaf.type in "\"'`"):
        return "quote"
    if _is_opaque(leaf):
        return "opaque"
    return "word" if is_word(char) else leaf.type
