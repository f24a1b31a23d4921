"""The tokenizer: cuts in front of white space with a line end are token boundaries, and texts come back whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tabspec.errors import InputError
from tabspec.train.examples.tokenizer import EOM, SPECIAL, load_tokenizer, save_tokenizer, train_tokenizer
from tests.examples import examples
from tests.tools import REPOSITORY

BUNDLED = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
CODE = st.text(alphabet=st.sampled_from("ab_1.({['\"=:,)}]# \t\n\réß→🙂\u00a0\f")) | st.text(max_size=40)


def bundled() -> Tokenizer:
    tokenizer = load_tokenizer(BUNDLED)
    tokenizer.encode_special_tokens = True
    return tokenizer


TOKENIZER = bundled()


def ids(text: str) -> list[int]:
    return list(TOKENIZER.encode(text, add_special_tokens=False).ids)


@settings(max_examples=examples(400), deadline=None)
@given(before=CODE, space=st.text(alphabet=" \t\r\n\f", max_size=8), after=CODE)
def test_a_cut_before_white_space_with_a_line_end_is_a_token_boundary(before: str, space: str, after: str) -> None:
    before = before.rstrip()
    behind = space + "\n" + after
    assert ids(before) + ids(behind) == ids(before + behind)


@settings(max_examples=examples(200), deadline=None)
@given(text=CODE)
def test_texts_come_back(text: str) -> None:
    assert TOKENIZER.decode(ids(text), skip_special_tokens=False) == text


def test_markers_in_a_file_are_text() -> None:
    assert TOKENIZER.token_to_id(EOM) not in ids(f"print('{EOM}')")


def test_special_tokens_come_first() -> None:
    assert [TOKENIZER.token_to_id(token) for token in SPECIAL] == list(range(len(SPECIAL)))


def test_line_end_and_indentation_are_one_token() -> None:
    assert len(ids("\n        ")) == 1


def test_too_little_text_is_an_error() -> None:
    with pytest.raises(InputError, match="different tokens"):
        train_tokenizer(["x = 1\n"], 4096)


def test_saved_and_loaded(tmp_path: Path) -> None:
    trained = train_tokenizer([Path(__file__).read_text(encoding="utf-8")], 300)
    save_tokenizer(trained, tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path / "tokenizer.json").get_vocab_size() == 300


@pytest.mark.parametrize("content", ["", "{}", "not json"])
def test_a_file_that_is_no_tokenizer(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError):
        load_tokenizer(tmp_path / "tokenizer.json")
