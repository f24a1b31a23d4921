"""The tokens of a document, found one at a time, are those found all at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.proposals.tokens import Words, tokens


@given(st.text(alphabet="ab1_ .(\n\r\t\x85\u2028é", max_size=60))
def test_each_token_is_that_of_the_whole_text(text: str) -> None:
    words, whole = Words(text), tokens(text)
    assert [words[index] for index in range(len(words))] == whole
    assert words.texts == [token.text for token in whole]
