"""Syntax trees: which tree a cursor gets depends on the text and the cursor alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.syntax import trees
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
    "svelte": "<!-- {#if a} -->\n<h1>{a}</h1>\n{#each b as c}<p>{c}</p>{/each}\n",
}
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.text(alphabet="a()\"'`{}<>= \né", max_size=4)), max_size=12
)


Seen = tuple[int, list[str], list[tuple[int, int] | None]]


def seen(tree: SyntaxTree) -> Seen:
    """All that the fitting reads of a tree."""
    whole = range(len(tree.text) + 1)
    return tree.errors, tree.kinds(0, len(tree.text)), [tree.opaque(at) for at in whole]


@settings(max_examples=examples(60))
@given(st.sampled_from(sorted(TEXTS)), EDITS)
def test_a_tree_depends_on_no_state_before_it(grammar: str, edits: list[tuple[float, int, str]]) -> None:
    """An incremental parse of a text with errors would: `tree_of` begins each time from the same surroundings."""
    text = TEXTS[grammar] * 3
    states = []
    for place, deleted, inserted in edits:
        offset = int(place * len(text))
        edit = Edit(offset, min(deleted, len(text) - offset), inserted)
        text = edit.apply(text)
        states.append((Document("file:///a", text), edit.end))
    one_after_another = [seen(tree_of(grammar, *state).tree) for state in states]
    alone = []
    for state in states:
        for cache in (trees._states, trees._surroundings, trees._whole, trees._last):
            cache.clear()
        alone.append(seen(tree_of(grammar, *state).tree))
    assert one_after_another == alone


@settings(max_examples=examples(60))
@given(st.sampled_from(sorted(TEXTS)), st.floats(0, 1))
def test_a_text_without_errors_has_the_tree_of_a_fresh_parse(grammar: str, place: float) -> None:
    text = TEXTS[grammar] * 3
    fresh = SyntaxTree.of(grammar, text)
    assert fresh.errors == 0
    assert seen(tree_of(grammar, Document("file:///a", text), int(place * len(text))).tree) == seen(fresh)


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=2), st.integers(0, 5000), st.integers(0, 50))
def test_typing_in_a_long_line_leaves_the_surroundings_alone(lines: list[int], place: int, typed: int) -> None:
    text = "\n".join("x" * length for length in lines)
    offset = min(place, len(text))
    start, end = trees._line_around(text, offset)
    assert start <= offset <= end and end - start <= 2 * trees._PIECE and "\n" not in text[start:end]
    after = text[:offset] + "y" * typed + text[offset:]
    typed_start, typed_end = trees._line_around(after, offset + typed)
    if offset + typed < start + trees._PIECE:
        assert (after[:typed_start], after[typed_end:]) == (text[:start], text[end:])


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


def test_every_grammar_parses_any_text() -> None:
    """A scanner that loops for ever cannot be interrupted: so it runs in a separate process."""
    run = subprocess.run([sys.executable, "-c", SOUP], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout.split()[-1:] + run.stderr.splitlines()[-1:]


def test_the_surroundings_are_parsed_once_while_a_line_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    parses: list[str] = []
    of = SyntaxTree.of
    monkeypatch.setattr(SyntaxTree, "of", lambda grammar, text: parses.append(text) or of(grammar, text))
    above = "kept = 1\n"
    for typed in ("x", "x =", "x = (1"):
        tree, _ = tree_of("python", Document("file:///kept.py", f"{above}{typed}\n", "python"), len(above + typed))
        assert tree.text == f"{above}{typed}\n"
    assert parses == [above + "\n"] and tree.errors > 0


WRITTEN = """python javascript typescript typescriptreact javascriptreact rust go c cpp java kotlin csharp ruby php
swift shellscript sql html css json yaml toml markdown svelte vue lua"""


@pytest.mark.parametrize("language", WRITTEN.split())
def test_common_languages_have_a_grammar(language: str) -> None:
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


@given(st.text(alphabet="a\n(é€😀", max_size=40), st.integers(1, 200), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_offsets_and_bytes_are_those_of_the_whole_text(part: str, times: int, at: int) -> None:
    text = part * times
    tree = SyntaxTree.of("python", text)
    data = text.encode()
    offset, byte = at % (len(text) + 1), at % (len(data) + 1)
    assert tree.byte_of(offset) == len(text[:offset].encode())
    assert tree.offset_of(byte) == len(data[:byte].decode("utf-8", "ignore"))
