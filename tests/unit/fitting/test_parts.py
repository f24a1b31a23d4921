"""Fitting in the part of a document around the cursor: the same as in the whole document."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.fitting.fit import fit
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Finish
from tabspec.syntax import trees
from tabspec.syntax.tree import SyntaxTree
from tabspec.syntax.trees import tree_of
from tabspec.text import Document
from tests.examples import examples

# A top-level piece of code, and how many of them make a document with a part of its own.
CODE = {
    "python": "def f{}(a, b=(1, 2)):\n    x = [g(a)[0], {{'k': f\"{{b}}\"}}]  # it's\n    return x\n\n\n",
    "javascript": "function f{}(a, b) {{\n  const x = [g(a)[0], `k ${{b}}`]; // it's\n  return x;\n}}\n\n",
    "rust": "fn f{}<'a>(a: &'a str, b: Vec<u8>) -> u8 {{\n    let x = g(a); // it's\n    format!(\"{{}}\", x)\n}}\n\n",
    "php": '<?php\nfunction f{}($a, $b) {{\n    $x = [g($a)[0], "{{$b}}"]; // it\'s\n    return $x;\n}}\n\n',
    "go": "func f{}(a string, b []int) int {{\n\tx := g(a)[0] // it's\n\treturn x\n}}\n\n",
}
PIECES = 120


def document(language: str) -> Document:
    code = "".join(CODE[language].format(number) for number in range(PIECES))
    return Document(
        "file:///a", code if language != "php" else code.replace("<?php\n", "").join(("<?php\n", "")), language
    )


DOCUMENTS = {language: document(language) for language in CODE}
TEXT = st.lists(
    st.sampled_from(["a", "x.y", "(", ")", "[", "]", "{", "}", ", ", " = ", '"', "'", "`", ":", ";", "\n", "</p>"]),
    max_size=6,
)


@st.composite
def places(draw: st.DrawFn) -> tuple[EditContext, str]:
    """A cursor in the middle of a document, whose line has lost some characters there; and what a model writes."""
    whole = DOCUMENTS[draw(st.sampled_from(sorted(CODE)))]
    offset = len(whole.text) // 2 + draw(st.integers(0, 200))
    end = whole.text.find("\n", offset)
    lost = draw(st.integers(0, end - offset))
    true = whole.text[offset : offset + lost]
    changed = Document(whole.uri, whole.text[:offset] + whole.text[offset + lost :], whole.language)
    return EditContext(changed, offset), true * draw(st.booleans()) + "".join(draw(TEXT))


@settings(max_examples=examples(150), deadline=None)
@given(places())
def test_a_text_is_fitted_in_a_part_as_in_the_whole(place: tuple[EditContext, str]) -> None:
    context, text = place
    assert fit(context, text) == in_the_whole(context, text)


def in_the_whole(context: EditContext, text: str) -> tuple[str, int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "_NEAR", 1 << 30)
        trees._surroundings.clear()
        found = fit(context, text)
    trees._surroundings.clear()
    return found


@pytest.mark.parametrize("language", sorted(set(CODE) - {"php"}))
def test_a_long_document_is_read_in_parts(language: str) -> None:
    whole = DOCUMENTS[language]
    tree, start = tree_of(language, whole, len(whole.text) // 2)
    assert 0 < start < len(whole.text) // 2
    assert whole.text[start:].startswith(tree.text) and 2 * len(tree.text) < len(whole.text)


def test_a_part_that_means_something_else_alone_is_not_used() -> None:
    """PHP without its `<?php` is plain text."""
    whole = DOCUMENTS["php"]
    tree, start = tree_of("php", whole, len(whole.text) // 2)
    assert (tree.text, start) == (whole.text, 0)


def test_the_engine_parses_while_the_model_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that fitting at the first key on a line needs no parse of the document."""
    log: list[str] = []
    whole = DOCUMENTS["python"]
    context = EditContext(Document("file:///new", whole.text, "python"), whole.text.index("\n", len(whole.text) // 2))
    parse = SyntaxTree.of

    def logged(grammar: str, text: str) -> SyntaxTree:
        log.append("parse")
        return parse(grammar, text)

    class Writing:
        info = ModelInfo("writing", "1", 4096)

        async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            log.append("begin")
            yield Chunk(usage=Usage(prefill=1))
            log.append("write")
            yield Chunk(")", (1,), (0.0,))
            log.append("end")
            yield Chunk(finish=Finish.END)

        async def close(self) -> None:
            pass

    async def ask() -> None:
        engine = CompletionEngine(Writing(), EngineConfig(policy=Policy.NONE))
        await engine.complete(context)
        await engine.close()

    monkeypatch.setattr(SyntaxTree, "of", staticmethod(logged))
    trees._surroundings.clear()
    run_virtual(ask())
    parses = [number for number, each in enumerate(log) if each == "parse"]
    assert parses and log.index("begin") < min(parses) and max(parses) < log.index("write")
