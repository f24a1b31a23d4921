"""Pieces that are encoded separately give the tokens of the whole text, for every tokenizer with a rule for it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

from tabspec.models.tokens.encoding import RULES, Encoder, pieces
from tabspec.models.tokens.vocabulary import Vocabulary
from tests import tiny

BUNDLED = r"\s*[\r\n]+[ \t]*|[^\s\p{L}\p{N}]?\p{L}+| \p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LOOKS_BACK = r"(?<=\n)x|" + tiny.QWEN_PIECES


def with_splits(splits: Any, normalizer: Any = None) -> Tokenizer:
    """A tokenizer learned with Qwen's pieces, with another rule for splitting."""
    tokenizer = tiny.byte_level(tiny.OURS)
    tokenizer.pre_tokenizer = splits
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


KINDS = {
    "qwen": (lambda: tiny.byte_level(tiny.QWEN), RULES[0]),
    "bundled": (lambda: tiny.byte_level(tiny.OURS, BUNDLED), RULES[1]),
    "gpt2": (lambda: with_splits(pre_tokenizers.ByteLevel(add_prefix_space=False)), RULES[2]),
    "nfc": (lambda: with_splits(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC()), RULES[2]),
    "a space before each text": (lambda: with_splits(pre_tokenizers.ByteLevel(add_prefix_space=True)), None),
    "no splits": (lambda: with_splits(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)), None),
    "looks back": (
        lambda: with_splits(
            pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(LOOKS_BACK), behavior="isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
        ),
        None,
    ),
    "another normalizer": (
        lambda: with_splits(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.Strip()),
        None,
    ),
    "sentencepiece": (tiny.sentencepiece, None),
}
FRAGMENTS = st.sampled_from(
    [
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "    ",
        "\t",
        "x",
        "self",
        ".",
        ";",
        '"',
        "'s",
        "1",
        "é",
        "\u0301",
        "🎉",
        "\u00a0",
        "\u2028",
    ]
)
TEXTS = st.lists(FRAGMENTS | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join)


@cache
def vocabulary(name: str) -> Vocabulary:
    return Vocabulary(json.dumps(json.loads(KINDS[name][0]().to_str())))


@pytest.mark.parametrize("name", list(KINDS))
def test_each_tokenizer_has_its_rule_for_pieces(name: str) -> None:
    assert Encoder(vocabulary(name)).rule == KINDS[name][1]


@pytest.mark.parametrize("name", list(KINDS))
@settings(deadline=None)
@given(text=TEXTS)
def test_the_pieces_give_the_tokens_of_the_whole(name: str, text: str) -> None:
    assert Encoder(vocabulary(name), least=1)(text).tolist() == vocabulary(name).encode(text)


@pytest.mark.parametrize("rule", RULES)
@given(text=TEXTS, more=TEXTS, least=st.integers(1, 20))
def test_what_is_added_at_the_end_changes_only_the_last_piece(rule: Any, text: str, more: str, least: int) -> None:
    before, after = (list(pieces(each, rule, least)) for each in (text, text + more))
    assert "".join(before) == text
    assert after[: len(before[:-1])] == before[:-1]
    assert all(len(piece) >= least for piece in before[:-1])


def test_a_longer_text_costs_its_last_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    known, asked = vocabulary("qwen"), list[str]()
    encode = known.encode
    monkeypatch.setattr(known, "encode", lambda text: (asked.append(text), encode(text))[1])
    encoder = Encoder(known, least=10)
    text = "".join(f"line = {number}\n" for number in range(100))
    encoder(text)
    asked.clear()
    encoder(text + "line = 100\n")
    assert asked and sum(map(len, asked)) < 40
