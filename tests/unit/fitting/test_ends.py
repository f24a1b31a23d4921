"""Where a text that stopped at an arbitrary place ends, if a part of its first word or operator is typed already."""

from __future__ import annotations

import pytest

from tabspec.fitting.ends import whole, without_bare_mark


@pytest.mark.parametrize(
    ("before", "text", "kept"),
    [
        ("    r", "eturn", ""),  # `return` needs a value
        ("    return_", "value", "value"),
        ("x = l", "in", "in"),  # `lin` is no `in`
        ("    else", ":", ":"),
        ("a &", "&", ""),
        ("/* all *", "/", "/"),
        ("f = (x) =", "> x +", "> x"),
        ("f = (x) =", ">", ""),
        ("f = (x) =", "> x", "> x"),
        ("    call(", "a, ", "a"),
    ],
)
def test_what_is_typed_already_is_a_part_of_the_word(before: str, text: str, kept: str) -> None:
    assert whole(text, "javascript", before=before) == kept


@pytest.mark.parametrize(
    ("language", "text", "kept"),
    [
        ("typescript", "/**", ""),
        ("rust", "//!", ""),
        ("c", "x = 1;\n/*", "x = 1;"),
        ("c", "/* Adds", "/* Adds"),
        ("lua", "/*", "/*"),
    ],
)
def test_the_mark_of_a_comment_alone_is_not_offered(language: str, text: str, kept: str) -> None:
    assert without_bare_mark(text, language, "  ").rstrip() == kept


@pytest.mark.parametrize("word", ["return", "=>", "else:", "and", "::", "x +"])
def test_typing_a_beginning_changes_nothing(word: str) -> None:
    """What is left of a text is cut where the whole text is cut."""
    kept = whole(word)
    for typed in range(len(kept), len(word)):
        assert whole(word[typed:], before=word[:typed]) in ("", kept[typed:])
    for typed in range(len(kept)):
        assert whole(word[typed:], before=word[:typed]) == kept[typed:]
