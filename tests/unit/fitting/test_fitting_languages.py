"""Suggestions fit their place in many languages, from a server's answer to the document after an accept."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.fitting.early_stop import leaves_block
from tabspec.fitting.postprocess import postprocess
from tabspec.models.http.answers.plain import without_marks
from tabspec.models.http.apis import StreamEvent
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.syntax.languages import grammar_of
from tabspec.text import Document

CASES = [
    pytest.param(*row[:4], row[4] if len(row) > 4 else Finish.END, id=f"{file}-{kind}-{row[0]}-{number}")
    for file in ("fitting_languages", "fitting_more_languages", "fitting_joints_and_strings")
    for kind, rows in tomllib.loads(Path(__file__).with_name(f"{file}.toml").read_text("utf-8")).items()
    for number, row in enumerate(rows)
]
# Characters in each piece of the server's answer: marks are cut anywhere.
PIECE = 3


async def answered(text: str, document: Document) -> str:
    """What a server's answer ``text`` is to post-processing."""

    async def pieces() -> AsyncGenerator[StreamEvent, None]:
        for at in range(0, len(text), PIECE):
            yield StreamEvent(text[at : at + PIECE])
        yield StreamEvent(finish=Finish.END)

    found = without_marks(pieces(), grammar_of(document) or "", [document.text])
    return "".join([piece.text async for piece in found])


@pytest.mark.parametrize(("language", "marked", "text", "right", "finish"), CASES)
def test_the_document_reads_right_after_an_accept(
    language: str, marked: str, text: str, right: str, finish: str
) -> None:
    document = Document("file:///a", marked.replace("¦", ""), language)
    context = EditContext(document, marked.index("¦"))
    said = asyncio.run(answered(text, document))
    offered = postprocess(context, GeneratedText(said, Finish(finish)))
    accepted = context.after_accept(offered).document if isinstance(offered, Suggestion) else document
    assert accepted.text == right


@given(st.text(alphabet="endfisac =(.\n", max_size=24), st.text(alphabet="endx =(.\n", max_size=6))
def test_words_that_end_a_block_are_decided_by_the_beginning_alone(text: str, more: str) -> None:
    """A model that stops where its block ends has emitted enough to see it."""
    end = leaves_block("    ", text, word_ends=True)
    if end is not None:
        assert leaves_block("    ", text[:end] + more, word_ends=True) == end
        assert leaves_block("    ", text[: end - 1], word_ends=True) is None


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a\n  end", None),
        ("a\n  en", None),
        ("a\n  done < f", None),
        ("a\n  end.map", None),
        ("a\n  else", 6),
        ("a\n  endless", 8),
        ("a\n  done = 1", 10),
    ],
)
def test_a_word_that_ends_a_block_may_stand_further_out(text: str, end: int | None) -> None:
    assert leaves_block("    ", text, word_ends=True) == end
