"""Special tokens as text: which end an answer, which are dropped, and that the user's own text is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.http.answers.plain import without_marks
from tabspec.models.http.apis import StreamEvent
from tabspec.models.http.marks import MARKS, neutral, restored
from tabspec.suggestion import Finish


def answer(texts: Sequence[str], language: str = "python", written: Sequence[str] = ()) -> tuple[str, Finish | None]:
    async def pieces() -> AsyncGenerator[StreamEvent, None]:
        for text in texts:
            yield StreamEvent(text)
        yield StreamEvent(finish=Finish.END)

    async def read() -> tuple[str, Finish | None]:
        found = [piece async for piece in without_marks(pieces(), language, written)]
        assert all(piece.finish is None for piece in found[:-1])
        return "".join(piece.text for piece in found), found[-1].finish

    return asyncio.run(read())


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_control_token_ends_the_answer_however_it_is_split(mark: str, size: int) -> None:
    text = f"a + b{mark}\nwhat follows"
    assert answer([text[at : at + size] for at in range(0, len(text), size)]) == ("a + b", Finish.END)


@pytest.mark.parametrize(
    ("texts", "language", "written", "said"),
    [
        (["a", "<|cursor|>", " + b", "<|endoftext|>"], "python", [], "a + b"),
        (["<think>", "\n\n", "</think>", "\n\n", "a + b"], "python", [], "a + b"),
        (["<think>so a", "nd so</think>a"], "python", [], "a"),
        (["a + b", "<th", "ink>so", "</think>"], "python", [], "a + b"),
        (["```python\n", "a + b\n", "```"], "python", [], "a + b"),
        (["``", "`\na\n``", "`\nSo"], "go", [], "a"),
        (["a + b\n", "```\n"], "python", [], "a + b"),
        (["```py\n", "a\n```"], "markdown", [], "```py\na\n```"),
        (["<s>old</s>"], "html", [], "<s>old</s>"),
        (["'<|im_start|>'"], "python", ["x = '<|im_start|>'"], "'<|im_start|>'"),
        (["'< |im_start|>'"], "python", ["x = '<|im_start|>'"], "'<|im_start|>'"),
        (["if a <", " b"], "python", [], "if a < b"),
        (["a < b"], "python", [], "a < b"),
        (["x[I", "NS]"], "python", [], "x[INS]"),
    ],
)
def test_answers_end_before_control_tokens(texts: list[str], language: str, written: list[str], said: str) -> None:
    assert answer(texts, language, written) == (said, Finish.END)


@given(st.lists(st.sampled_from(["a", " ", "<", "|", *MARKS[:6], "</s>", "[INST]"]), max_size=8).map("".join))
def test_control_tokens_in_text_are_escaped_and_restored(text: str) -> None:
    sent = neutral(text)
    assert not any(mark in sent for mark in MARKS)
    if not any(f"{mark[0]} {mark[1:]}" in text for mark in MARKS):
        assert restored(sent) == text


@given(st.text(alphabet="ab<|>` \n", max_size=12), st.integers(1, 4))
def test_splitting_an_answer_into_pieces_makes_no_difference(text: str, size: int) -> None:
    assert answer([text[at : at + size] for at in range(0, len(text), size)]) == answer([text])
