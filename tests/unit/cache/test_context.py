"""The futures of an edit context, against brute force on strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.errors import PositionError
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import Document

texts = st.text(alphabet="ab (\t\n\r😀é\u0301", max_size=20)


@st.composite
def contexts(draw: st.DrawFn) -> EditContext:
    text = draw(texts)
    return EditContext(Document("file:///a", text), draw(st.integers(0, len(text))))


@given(contexts(), texts, st.data())
def test_after_accept(context: EditContext, text: str, data: st.DataObject) -> None:
    before = data.draw(st.integers(0, context.offset))
    after = data.draw(st.integers(0, len(context.suffix)))
    future = context.after_accept(Suggestion(text, before, after))
    kept = context.prefix[: context.offset - before]
    assert future.document.text == kept + text + context.suffix[after:]
    assert future.prefix == kept + text
    assert context.prefix + context.suffix == context.document.text, "the past does not change"


@given(contexts(), texts, st.data())
def test_typing_a_part_and_accepting_the_rest_equals_accepting_all(
    context: EditContext, text: str, data: st.DataObject
) -> None:
    suggestion = Suggestion(text, replace_after=data.draw(st.integers(0, len(context.suffix))))
    typed = text[: data.draw(st.integers(0, len(text)))]
    rest = suggestion.after_typing(typed)
    assert rest is not None
    assert context.after_typing(typed).after_accept(rest).same_place(context.after_accept(suggestion))
    assert suggestion.after_typing(typed + "\0") is None


@given(contexts(), texts.filter(bool))
def test_accepting_part_by_part_equals_accepting_all(context: EditContext, text: str) -> None:
    for part in (Suggestion.first_word, Suggestion.first_line):
        rest: Suggestion | None = Suggestion(text)
        state, steps = context, 0
        while rest:
            piece = part(rest)
            assert piece.text, "each part takes something"
            state, rest, steps = state.after_accept(piece), rest.after_typing(piece.text), steps + 1
            assert steps <= len(text)
        assert state.same_place(context.after_accept(Suggestion(text)))


@pytest.mark.parametrize(
    ("text", "word", "line"),
    [
        ("foo(bar, baz)", "foo", "foo(bar, baz)"),
        (" + b\nreturn", " +", " + b\n"),
        ("\n    return x\n\ny", "\n    return", "\n    return x\n"),
        ("\r\nx\r\ny", "\r\nx", "\r\nx\r\n"),
        ("  ", "  ", "  "),
        ("naïve_1 x", "naïve_1", "naïve_1 x"),
    ],
)
def test_first_word_and_line(text: str, word: str, line: str) -> None:
    assert Suggestion(text).first_word().text == word
    assert Suggestion(text).first_line().text == line


def test_accepting_a_part_keeps_the_text_after_the_cursor() -> None:
    assert Suggestion("a b)", replace_after=1).first_word() == Suggestion("a", replace_after=0)
    assert Suggestion("a)", replace_after=1).first_line().replace_after == 1


@given(contexts(), texts)
def test_typed_since(context: EditContext, typed: str) -> None:
    assert context.after_typing(typed).typed_since(context) == typed
    if typed:
        assert context.typed_since(context.after_typing(typed)) is None


def test_typed_since_is_none_after_other_edits() -> None:
    start = EditContext(Document("file:///a", "ab"), 1)
    assert EditContext(Document("file:///b", "ab"), 1).typed_since(start) is None
    assert EditContext(Document("file:///a", "xab"), 2).typed_since(start) is None
    assert EditContext(Document("file:///a", "abc"), 1).typed_since(start) is None
    assert EditContext(Document("file:///a", "ab"), 2).typed_since(start) is None


@pytest.mark.parametrize("offset", [-1, 3])
def test_a_cursor_outside_is_refused(offset: int) -> None:
    with pytest.raises(PositionError):
        EditContext(Document("u", "ab"), offset)
    with pytest.raises(PositionError):
        EditContext(Document("u", "ab"), 1).after_accept(Suggestion("x", replace_before=2))


tokens = st.lists(st.tuples(st.text(alphabet="ab\n", max_size=3), st.floats(-5, 0)), max_size=8)


@given(tokens, st.data())
def test_generated_text_after_typing(written: list[tuple[str, float]], data: st.DataObject) -> None:
    text, ends = "", []
    for piece, _ in written:
        text += piece
        ends.append(len(text))
    generated = GeneratedText(text, Finish.END, tuple(ends), tuple(p for _, p in written))
    typed = text[: data.draw(st.integers(0, len(text)))]
    rest = generated.after_typing(typed)
    if len(typed) == len(text):
        assert rest is None
        return
    assert rest is not None and typed + rest.text == text
    if typed:
        # An empty piece holds the first bytes of the character that follows.
        kept = [i for i, end in enumerate(ends) if end > len(typed) or (end == len(typed) and not written[i][0])]
        assert rest.logprobs == tuple(written[i][1] for i in kept)
        assert rest.ends == tuple(ends[i] - len(typed) for i in kept)
    assert generated.after_typing(typed + "#") is None
