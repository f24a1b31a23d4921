"""The n-gram cache of the open file: compared with brute force, and which text it reads."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.models.local.logits import logsumexp
from tabspec.models.local.ngram_cache import (
    FADE,
    FLOOR,
    LONGEST,
    RECENT,
    WEIGHTS,
    NgramCache,
    NgramCaches,
    NgramMatch,
    Recent,
)
from tabspec.models.protocol import GenerationRequest
from tabspec.prompt.window import MEMORY_BLOCK, MEMORY_CHARS, WindowSize, window
from tabspec.text import Document

TOKENS = st.lists(st.integers(0, 2), max_size=60)

NONE = np.array([], np.intp)


def characters(text: str) -> array[int]:
    """A token for each character."""
    return array("I", map(ord, text))


def match(length: int, then: list[int], control: Sequence[int], file: Sequence[int] = ()) -> NgramMatch:
    """A match in a ``file`` that also has the tokens that came next."""
    recent = Recent.of(np.array([*file, *then], np.uint32), 0)
    return NgramMatch(length, Counter(then) if length else {}, np.array(control, np.intp), recent)


@given(file=TOKENS, before=TOKENS)
def test_the_longest_matches_equal_brute_force(file: list[int], before: list[int]) -> None:
    best, then = 0, list[int]()
    for end in range(1, len(file)):
        length = 0
        while length < min(end, len(before), LONGEST) and file[end - 1 - length] == before[-1 - length]:
            length += 1
        if length and length >= best:
            best, then = length, [*(then if length == best else ()), file[end]]
    ngrams = NgramCache(array("I", file), 1, NONE)
    found = ngrams.after(array("I", before))
    assert (found is None) == (not file)
    if found:
        assert (found.length, found.counts) == (best, Counter(then))
        assert ngrams.after(array("I", before)) is found, "remembered"


@given(file=TOKENS.filter(bool), cursor=st.integers(0, 60))
def test_tokens_near_the_cursor_count_more(file: list[int], cursor: int) -> None:
    weights = [FLOOR + (1 - FLOOR) * math.exp(-abs(at - cursor) / FADE) for at in range(len(file))]
    recent = Recent.of(np.array(file, np.uint32), cursor)
    assert recent.tokens.tolist() == sorted(set(file))
    for token, share in zip(recent.tokens, recent.shares, strict=True):
        own = sum(weight for weight, each in zip(weights, file, strict=True) if each == token)
        assert share == pytest.approx(own / sum(weights))


def test_of_many_matches_the_nearest_are_compared() -> None:
    line = [1, 2, 3]
    file = [9, *line, 4] + [8, *line, 5] * 200 + [9, *line, 6]
    for cursor, token in ((0, 4), (len(file), 6)):
        found = NgramCache(array("I", file), 1, NONE, cursor).after(array("I", [9, *line]))
        assert found is not None and found.length == 4 and set(found.counts) == {token}


def test_no_match_crosses_a_document_border() -> None:
    file = NgramCaches(characters)
    made = file.of(GenerationRequest("", "", "cd", before="", after=""), "abc")
    found = made.after(characters("abc"))
    assert found is not None and (found.length, found.counts) == (1, {ord("d"): 1}), "what follows is not known yet"
    made = file.of(GenerationRequest("", "", "xy", before="abcz", after=""), "abc")
    found = made.after(characters("abc"))
    assert found is not None and dict(found.counts) == {ord("z"): 1}


def test_an_empty_file_has_no_match() -> None:
    made = NgramCaches(characters).of(GenerationRequest("", "", ""), "")
    assert made.after(characters("abc")) is None


@given(st.lists(st.floats(-9, 9), min_size=6, max_size=6), st.integers(0, 40), st.lists(st.integers(0, 3), min_size=1))
def test_the_mixture_is_a_distribution(logits: list[float], length: int, then: list[int]) -> None:
    found = match(length, then, [4, 5])
    mixed = torch.from_numpy(found.mixed(np.array(logits, np.float32))).softmax(0).tolist()
    model = torch.tensor(logits).softmax(0).tolist()
    text, weight = sum(model[:4]), found.weight
    expected = [chance * (1 - weight) * (1 - RECENT) for chance in model[:4]]
    expected += model[4:]  # whether it ends is the model's to say
    for token in then if length else ():
        expected[token] += weight * text / len(then)
    for token, share in zip(found.recent.tokens, found.recent.shares, strict=True):
        expected[token] += (1 - weight) * RECENT * text * share
    assert mixed == pytest.approx(expected, rel=1e-4, abs=1e-6)


# Of few values: many are equal, and some are not likely at all.
LOGITS = st.lists(st.sampled_from([-120.0, -3.0, -2.9999998, 0.0, 0.1, 5.0]), min_size=6, max_size=6)


@given(
    LOGITS,
    st.integers(0, 40),
    st.lists(st.integers(1, 4), min_size=1),
    st.sampled_from([(), (5,), (0, 5)]),
    st.lists(st.integers(1, 4)),
)
def test_the_likeliest_of_the_mixture(
    logits: list[float], length: int, then: list[int], control: tuple[int, ...], file: list[int]
) -> None:
    row = np.array(logits, np.float32)
    found = match(length, then, control, file)
    mixed = found.mixed(row)
    token, logprob = found.best(row)
    assert token == int(mixed.argmax())
    assert logprob == pytest.approx(float(mixed[token]) - logsumexp(mixed), abs=1e-5)


def test_nan_stays_nan() -> None:
    found = match(3, [0], [2])
    for row in ([math.nan, 0.0, 0.0], [0.0, math.inf, 0.0], [0.0, 0.0, math.nan]):
        assert math.isnan(found.best(np.array(row, np.float32))[1])


def test_longer_matches_are_trusted_more() -> None:
    weights = [match(length, [1], []).weight for length in range(LONGEST + 2)]
    assert weights == sorted(weights) and weights[0] == 0 and weights[-1] == WEIGHTS[-1][1]


@given(
    start=st.integers(0, 3), lines=st.integers(0, 4000), at=st.floats(0, 1), typed=st.text(alphabet="ab(", max_size=5)
)
def test_surrounding_text_is_of_the_document_and_unchanged_by_typing(
    start: int, lines: int, at: float, typed: str
) -> None:
    text = "x" * start + "".join(f"line {i}\n" for i in range(lines))
    context = EditContext(Document("file:///a.py", text), int(at * len(text)))
    seen = window(context, WindowSize())
    whole = seen.before + seen.head + seen.forced + seen.suffix + seen.after
    assert whole in text
    assert len(seen.before) < MEMORY_CHARS + MEMORY_BLOCK and len(seen.after) < MEMORY_CHARS + MEMORY_BLOCK
    later = window(context.after_typing(typed), WindowSize())
    if later.scope == seen.scope:
        assert (later.before, later.after) == (seen.before, seen.after)


def test_blocks_are_encoded_once() -> None:
    asked: list[str] = []

    def encode(text: str) -> array[int]:
        asked.append(text)
        return characters(text)

    ngram_caches, text = NgramCaches(encode), "".join(f"line {i}\n" for i in range(3000))
    for lines in range(3):
        document = text[:20000] + "more\n" * lines
        context = EditContext(Document("file:///a.py", document + text[20000:]), len(document))
        seen = window(context, WindowSize())
        request = GenerationRequest(seen.head, seen.forced, seen.suffix, before=seen.before, after=seen.after)
        made = ngram_caches.of(request, seen.head)
        before, behind = characters(seen.before + seen.head), characters(seen.suffix + seen.after)
        tokens = array("I", made._tokens.tolist())
        assert tokens[: len(before)] == before and tokens[len(before) + 1 :] == behind
    blocks = [each for each in asked if len(each) > 100 and each != seen.suffix]
    assert len([each for each in blocks if len(each) == MEMORY_BLOCK]) <= len(text) / MEMORY_BLOCK


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=50))
def test_logsumexp_equals_torch(row: list[float]) -> None:
    logits = torch.tensor(row)
    assert logsumexp(logits.numpy()) == pytest.approx(float(logits.double().logsumexp(0)), abs=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_logsumexp_of_nan_and_infinity(value: float) -> None:
    assert math.isnan(logsumexp(torch.tensor([value, value]).numpy()))
    assert math.isnan(logsumexp(torch.tensor([0.0, abs(value)]).numpy()))
    assert logsumexp(torch.tensor([0.0, float("-inf")]).numpy()) == 0.0  # a token that cannot be
