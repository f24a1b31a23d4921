"""Syntax trees of whole documents: parsed from the tree before, they are those of a fresh parse."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tabspec.syntax import trees
from tabspec.syntax.tree import SyntaxTree
from tabspec.syntax.trees import parse_ahead, whole_tree_of
from tabspec.text import Document, Edit
from tests.examples import examples

URI = "file:///a"
TEXTS = {
    "python": "class A:\n    def f(self, a):\n        return [f'{x}' for x in a]\n\n    y: int = 3  # three\n",
    "typescript": 'export class A<T> {\n  f(a: T[]): string {\n    return `x ${a} "q"`;\n  }\n}\n',
    "rust": "fn f<'a>(s: &'a str) -> Vec<u8> {\n    match s { \"a\" => vec![1], _ => vec![] }\n}\n",
    "cpp": "template <class T> int f(T a) {\n    return a < 3 ? g<T>(a) : 0;\n}\n",
    "html": '<div class="a"><p>x</p></div>\n',
}
# Whole words: most texts stay without errors.
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from((0, 0, 1, 4)), st.sampled_from(("b", "é", " ", "\n", "(", "a = 1\n", '"', ""))
    ),
    max_size=10,
)


def nodes(tree: SyntaxTree) -> list[tuple[str, int, int, bool]]:
    """The tree as a list: its nodes with their types and places."""
    found, stack = [], [tree.parsed.root_node]
    while stack:
        node = stack.pop()
        found.append((node.type, node.start_byte, node.end_byte, node.is_missing))
        stack.extend(reversed(node.children))
    return found


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted(TEXTS)), EDITS)
@example("python", [(0.5, 0, "("), (0.5, 1, "")])
def test_incremental_trees_equal_a_fresh_parse(grammar: str, edits: list[tuple[float, int, str]]) -> None:
    text = TEXTS[grammar] * 3
    for place, deleted, inserted in [(0.0, 0, ""), *edits]:
        offset = int(place * len(text))
        text = Edit(offset, min(deleted, len(text) - offset), inserted).apply(text)
        found = whole_tree_of(grammar, Document(URI, text))
        assert found.text == text
        assert nodes(found) == nodes(SyntaxTree.of(grammar, text))


def test_a_document_that_was_parsed_ahead_is_not_parsed_as_a_whole_again(monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document("file:///ahead.py", TEXTS["python"] * 5, "python")
    parse_ahead(document)
    parse_ahead(document)
    monkeypatch.setattr(SyntaxTree, "of", lambda *_: pytest.fail("parsed from nothing"))
    changed = document.edited(Edit(document.text.index("three"), 5, "four"))
    assert whole_tree_of("python", changed) is whole_tree_of("python", changed)
    parse_ahead(Document("file:///notes", "no grammar"))
    assert len(trees._last) <= trees._MOST_DOCUMENTS and len(trees._whole) <= trees._MOST_WHOLE
