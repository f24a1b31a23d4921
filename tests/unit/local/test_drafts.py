"""Draft tokens: the sources of guesses, compared with slow searches, and the length of drafts."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import ModelNotUsable
from tabspec.models.files.ngram_table import DRAFTS, ORDERS, NgramTable, all_hashed, hashed, load_table
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.local.drafts import Draft, Guess, NgramDrafts, cached_ngram, looked_up
from tabspec.models.local.model import LocalModel
from tabspec.models.local.ngram_cache import NgramCache
from tabspec.models.local.slots import RowCost
from tabspec.train.weights.draft_table import count, save_table

TOKENS = st.lists(st.integers(0, 3) | st.sampled_from([256, 65536, 1 << 24]), max_size=40)
# What repeats itself: so that long matches are met.
REPEATED = st.builds(lambda tokens, times: tokens * times, TOKENS, st.integers(1, 4))


def slow(tokens: list[int]) -> tuple[int, int, list[int]] | None:
    """What followed, how many tokens before it are equal, and what followed everywhere; of 16 places."""
    for least in (4, 3, 2):
        ends = [at for at in range(len(tokens) - 1, least - 1, -1) if tokens[at - least : at] == tokens[-least:]][:16]
        if ends:
            equal = {at: min(equal_before(tokens, at), 8) for at in ends}
            best = max(ends, key=lambda at: (equal[at], at))
            return tokens[best], equal[best], [tokens[at] for at in ends]
    return None


def equal_before(tokens: list[int], at: int) -> int:
    return next((n for n in range(at) if tokens[at - 1 - n] != tokens[-1 - n]), at)


@given(tokens=TOKENS | REPEATED)
def test_a_guess_is_what_followed_the_same_tokens_before(tokens: list[int]) -> None:
    found, expected = looked_up(array("I", tokens)), slow(tokens)
    assert (found is None) == (expected is None)
    if found and expected:
        token, equal, everywhere = expected
        share = everywhere.count(token) / len(everywhere)
        agreement = 0 if len(everywhere) == 1 else 1 if share > 0.7 else 2
        assert found.token == token
        assert found.source == ("lookup", max(length for length in (2, 3, 4, 6, 8) if length <= equal), agreement)


def table(**after: tuple[int, int]) -> NgramTable:
    """``_1_2=(3, 90)``: behind 1 and 2, 3 follows in 90 of a hundred."""
    rows = sorted((hashed([int(part) for part in name[1:].split("_")]), *told) for name, told in after.items())
    contexts, tokens, percent = zip(*rows, strict=True)
    return NgramTable(array("I", contexts), array("I", tokens), array("B", percent))


def test_control_tokens_end_a_draft() -> None:
    assert NgramDrafts(barred={9}).propose([1, 2, 3, 9, 4, 1, 2], 5).tokens == (3,)
    assert NgramDrafts(barred={3}).propose([1, 2, 3, 9, 4, 1, 2], 5).tokens == ()


def test_the_likelier_guess_and_the_longer_context_win() -> None:
    then = table(_1_2=(8, 40), _0_1_2=(9, 95), _2_9=(5, 90))
    drafts = NgramDrafts(table=then)
    assert drafts.propose([7, 0, 1, 2], 2).tokens == (9, 5)
    assert drafts.propose([7, 7, 1, 2, 4, 7, 1, 2], 1).tokens == (4,), "looked up with three tokens, and 40 % is less"
    assert drafts.propose([5, 1, 2, 4, 0, 1, 2], 1).tokens == (9,), "looked up with two tokens, and 95 % is more"


def test_guesses_come_from_the_rest_of_the_file() -> None:
    drafts, file = NgramDrafts(), NgramCache(array("I", [1, 2, 3, 4, 5, 6, 7, 8, 9]), 0, np.array([], np.intp))
    assert drafts.propose([0, 2, 3, 4], 3, file).tokens == (5, 6, 7)
    assert drafts.propose([0, 2, 3, 4], 3).tokens == ()
    assert drafts.propose([3, 4, 0, 3, 4], 1, file).tokens == (0,), "two tokens are fewer than recall asks for"
    assert drafts.propose([2, 3, 4, 0, 1, 2, 3, 4], 1, file).tokens == (5,), "four tokens are more than three"
    assert NgramDrafts(barred={6}).propose([0, 2, 3, 4], 3, file).tokens == (5,)


@given(file=st.lists(st.integers(0, 2), max_size=60), tokens=st.lists(st.integers(0, 2), max_size=20))
def test_a_guess_can_come_from_recall(file: list[int], tokens: list[int]) -> None:
    ngrams = NgramCache(array("I", file), 0, np.array([], np.intp))
    found, guess = ngrams.after(array("I", tokens)), cached_ngram(array("I", tokens), ngrams)
    assert (found is None or found.length < 3) == (guess is None)
    if found and guess:
        times = Counter(found.counts)
        assert times[guess.token] == max(times.values())
        agreement = 0 if times.total() == 1 else 1 if times[guess.token] > 0.7 * times.total() else 2
        assert guess.source == ("recall", max(n for n in (3, 4, 6, 8, 12) if n <= found.length), agreement)


@given(tokens=REPEATED, share=st.floats(0.02, 1), rows=st.integers(1, 9), most=st.integers(0, 9))
def test_a_draft_is_as_long_as_it_saves_time(tokens: list[int], share: float, rows: int, most: int) -> None:
    drafts = NgramDrafts(cost=RowCost(share, rows), table=table(_0_1=(2, 50), _2_3=(0, 99)))
    draft = drafts.propose(tokens, most)
    assert draft.tokens == tuple(guess.token for guess in draft.guesses)[: len(draft.tokens)]
    chances = [drafts.chance(guess) for guess in draft.guesses]
    longest = min(most, rows - 1)
    assert len(draft.tokens) <= longest
    assert len(draft.tokens) == 0 or math.prod(chances[: len(draft.tokens)]) >= share
    if len(draft.guesses) > len(draft.tokens):
        assert math.prod(chances) < share or len(draft.tokens) == longest
    else:  # there is no further guess
        assert not drafts.propose([*tokens, *draft.tokens], 1).guesses


def test_guessing_stops_when_guesses_are_wrong_and_resumes_when_they_would_be_right() -> None:
    drafts, tokens = NgramDrafts(cost=RowCost(0.3)), [1, 2, 3, 4, 1, 2]
    for _ in range(30):
        drafts.verified(drafts.propose(tokens, 3), [9])
    assert drafts.propose(tokens, 3).tokens == ()
    for _ in range(30):
        drafts.verified(drafts.propose(tokens, 3), [3])
    assert drafts.propose(tokens, 3).tokens


def test_guesses_after_a_wrong_one_are_not_counted() -> None:
    drafts = NgramDrafts()
    right, other = Guess(1, ("lookup", 4, 0), 0.75), Guess(2, ("table", 9), 0.8)
    before = drafts.chance(other)
    drafts.verified(Draft((1, 2), (right, other)), [5, 2])
    assert drafts.chance(other) == before and drafts.chance(right) < 0.75


@given(tokens=TOKENS)
def test_both_hash_functions_agree(tokens: list[int]) -> None:
    for order in ORDERS:
        each = [hashed(tokens[at : at + order]) for at in range(len(tokens) - order + 1)]
        assert all_hashed(np.array(tokens, np.uint32), order).tolist() == each
        short = all_hashed(np.array(tokens, np.uint32).astype(np.uint16), order)
        assert short.tolist() == [value & 0xFFFF for value in each]


@given(documents=st.lists(st.lists(st.integers(0, 2), max_size=30), max_size=4), entries=st.integers(0, 20))
def test_counts_equal_brute_force(documents: list[list[int]], entries: int) -> None:
    then: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for document in documents:
        for order in ORDERS:
            for at in range(order, len(document)):
                then[tuple(document[at - order : at])][document[at]] += 1
    worth, told = {}, {}
    for context, counts in then.items():
        seen, (token, right) = counts.total(), min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if seen >= 4 and right > seen / 4:
            worth[context], told[context] = right - seen / 4, (token, math.floor(100 * right / seen) / 100)
    found = count(
        np.array([token for each in documents for token in each], np.uint32),
        np.cumsum([len(each) for each in documents]).tolist(),
        entries,
    )
    assert len(found.contexts) == min(entries, len(worth)) and list(found.contexts) == sorted(set(found.contexts))
    kept = {context: told[context] for context in worth if hashed(context) in found.contexts}
    assert len(kept) == len(found.contexts)
    least = min((worth[context] for context in kept), default=math.inf)
    assert all(worth[context] <= least for context in worth if context not in kept)
    assert {context: found.after(context) for context in kept} == kept


def test_a_table_is_saved_and_loaded(tmp_path: Path) -> None:
    saved = table(_1_2=(8, 40), _0_1_2=(9, 95))
    file = tmp_path / DRAFTS
    assert load_table(file, 10) is None
    save_table(saved, file)
    assert load_table(file, 10) == saved
    with pytest.raises(ModelNotUsable, match=r"no table of draft tokens for this model; remove or replace it"):
        load_table(file, 9)
    wide = table(_1_2=(1 << 20, 40))
    save_table(wide, file)
    assert load_table(file, 1 << 21) == wide
    for broken in (b"", b"PK", file.read_bytes()[:-40], b"\x93NUMPY"):
        file.write_bytes(broken)
        with pytest.raises(ModelNotUsable, match="no table"):
            load_table(file, 1 << 21)


def test_the_bundled_models_table_is_used() -> None:
    model = load_model(device="cpu")
    assert isinstance(model, LocalModel)
    vocabulary = model.local.vocabulary
    found = load_table(BUNDLED / DRAFTS, vocabulary.size)
    assert found is not None
    tokens = vocabulary.encode("import numpy")
    said = model.local.drafts.propose(tokens, 2).tokens
    assert b"".join(vocabulary.bytes_of[token] for token in said) == b" as np"
