"""Syntax trees: parsed incrementally they are what a parse of the whole text gives."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.syntax.languages import MOST_PARSED, grammar_of, lexer_of
from tabspec.syntax.tree import SyntaxTree
from tabspec.syntax.trees import tree_of
from tabspec.text import Document, Edit
from tests.examples import examples

TEXTS = {
    "python": "def f(a):\n    return [f'{x}' for x in a]\n",
    "javascript": 'const f = (a) => `x ${a} "q"`;\n',
    "rust": "fn f<'a>(s: &'a str) -> Vec<u8> { vec![1] }\n",
    "html": '<div class="a"><p>x</p></div>\n',
}
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.text(alphabet="a()\"'`{}<>= \né", max_size=4)), max_size=12
)


@settings(max_examples=examples(60))
@given(st.sampled_from(sorted(TEXTS)), EDITS)
def test_an_incremental_parse_is_a_fresh_one(grammar: str, edits: list[tuple[float, int, str]]) -> None:
    text = TEXTS[grammar] * 3
    tree = SyntaxTree.of(grammar, text)
    for place, deleted, inserted in edits:
        offset = int(place * len(text))
        edit = Edit(offset, min(deleted, len(text) - offset), inserted)
        tree, text = tree.edited(edit), edit.apply(text)
        fresh = SyntaxTree.of(grammar, text)
        assert tree.text == text and tree.errors == fresh.errors
        assert tree.kinds(0, len(text)) == fresh.kinds(0, len(text))
        assert [tree.opaque(at) for at in range(len(text) + 1)] == [fresh.opaque(at) for at in range(len(text) + 1)]


SOUP = """
import random, sys
from tabspec.syntax.languages import GRAMMARS
from tabspec.syntax.tree import SyntaxTree
rng = random.Random(1)
pieces = ["a", "foo ", *"()[]{}<>/*#|:%@;&$=", "\\n", "    ", "\\t", "'", '"', "`", "/*", "*/", "${", "{{", "<div>", "</", "<!--", "---", "```", "end"]
for grammar in sorted(GRAMMARS):
    print(grammar, flush=True)
    for _ in range(60):
        SyntaxTree.of(grammar, "".join(rng.choices(pieces, k=rng.randrange(200))))
"""  # noqa: E501


def test_every_grammar_returns_for_any_text() -> None:
    """A scanner that loops for ever cannot be interrupted: so it runs in a process of its own."""
    run = subprocess.run([sys.executable, "-c", SOUP], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout.split()[-1:] + run.stderr.splitlines()[-1:]


def test_trees_of_a_document_are_kept_for_its_next_state() -> None:
    first = Document("file:///kept.py", "x = 1\n", "python")
    assert tree_of("python", first) is tree_of("python", first)
    assert tree_of("python", Document(first.uri, "x = (1\n", "python")).errors > 0


WRITTEN = """python javascript typescript typescriptreact javascriptreact rust go c cpp java kotlin csharp ruby php
swift shellscript sql html css json yaml toml markdown svelte vue lua"""


@pytest.mark.parametrize("language", WRITTEN.split())
def test_there_is_a_grammar_for_what_people_write(language: str) -> None:
    assert grammar_of(Document("file:///a", "", language))


@pytest.mark.parametrize(
    ("name", "grammar"), [("a.py", "python"), ("a.rs", "rust"), ("A.TSX", "tsx"), ("a.nope", None)]
)
def test_a_file_without_a_language_is_known_by_its_ending(name: str, grammar: str | None) -> None:
    assert grammar_of(Document(f"file:///{name}", "")) == grammar


def test_a_document_that_is_too_long_for_a_parser_has_a_lexer() -> None:
    longest = Document("file:///a.py", "x" * MOST_PARSED, "python")
    longer = Document("file:///a.py", longest.text + "x", "python")
    assert grammar_of(longest) == "python"
    assert grammar_of(longer) is None and lexer_of(longer) is not None


def test_languages_without_a_grammar_have_a_lexer() -> None:
    document = Document("file:///a.pl", "", "prolog")
    assert grammar_of(document) is None and lexer_of(document) is not None
    assert lexer_of(Document("file:///a", "", "no-such-language")) is None
