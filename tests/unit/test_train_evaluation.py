"""Evaluation: n-grams against brute force, marks, calibration, snippets."""

from __future__ import annotations

import asyncio
import itertools
import math
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.calibration import Calibration, load_calibration
from tabspec.errors import InputError
from tabspec.models.scripted import ScriptedModel, continuing
from tabspec.train.build import build_corpus
from tabspec.train.corpus import Corpus
from tabspec.train.evaluation.baseline import Baseline
from tabspec.train.evaluation.calibration import expected_error, fit, reliability
from tabspec.train.evaluation.infill import fill, score, with_model
from tabspec.train.evaluation.ngram import NestedNgram, NgramCounts
from tabspec.train.evaluation.similarity import edit_similarity, same
from tabspec.train.evaluation.snippets import Kind, sample
from tabspec.train.evaluation.syntax import errors, parses_in_place
from tabspec.train.tokenizer import load_tokenizer

ROOT = Path(__file__).parents[2]
VOCABULARY = 5
TEXTS = st.lists(st.integers(0, VOCABULARY - 1), max_size=30)


def brute_force(project: list[int], file: list[int], before: list[int], token: int, order: int) -> float:
    """The same probability, from the definition: no tables, every count made by looking through the text."""
    chance = 1.0 / VOCABULARY
    for text in (project, file):
        for length in range(min(order - 1, len(before)) + 1):
            context = before[len(before) - length :]
            following = [text[i + length] for i in range(len(text) - length) if text[i : i + length] == context]
            if not following:
                break
            kinds = len(set(following))
            chance = (following.count(token) + kinds * chance) / (len(following) + kinds)
    return chance


@settings(max_examples=200, deadline=None)
@given(project=TEXTS, file=TEXTS, before=TEXTS, order=st.integers(1, 5))
def test_nested_ngrams_against_brute_force(project: list[int], file: list[int], before: list[int], order: int) -> None:
    outer, inner = NgramCounts(order), NgramCounts(order)
    outer.add(project)
    inner.add(file)
    nested = NestedNgram([outer, inner], VOCABULARY)
    chances = [nested.probability(before, token) for token in range(VOCABULARY)]
    expected = [brute_force(project, file, before, token, order) for token in range(VOCABULARY)]
    assert chances == pytest.approx(expected)
    assert sum(chances) == pytest.approx(1.0)
    found = nested.best(before)
    if found:
        assert found[1] == pytest.approx(chances[found[0]])
        assert found[1] == pytest.approx(max(chances))


@given(kept=TEXTS, gone=TEXTS)
def test_forgetting_undoes_counting(kept: list[int], gone: list[int]) -> None:
    counts, expected = NgramCounts(4), NgramCounts(4)
    counts.add(gone)
    counts.add(kept)
    counts.remove(gone)
    expected.add(kept)
    for before in ([], [0], [1, 2], [0, 1, 2]):
        for token in range(VOCABULARY):
            mine, theirs = NestedNgram([counts], VOCABULARY), NestedNgram([expected], VOCABULARY)
            assert mine.probability(before, token) == theirs.probability(before, token)


def test_a_text_that_repeats_itself_gets_cheap() -> None:
    def bits(tokens: list[int]) -> float:
        return NestedNgram([NgramCounts(), NgramCounts()], 100).bits(tokens)

    once = [Random(0).randrange(100) for _ in range(50)]
    assert bits(once + once) < 1.5 * bits(once)


@given(st.text(alphabet="abc", max_size=8), st.text(alphabet="abc", max_size=8))
def test_edit_similarity_is_a_similarity(first: str, second: str) -> None:
    assert 0 <= edit_similarity(first, second) == edit_similarity(second, first) <= 1
    assert (edit_similarity(first, second) == 1) == (first == second)


def test_edit_similarity_of_known_words() -> None:
    assert edit_similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)


def test_white_space_at_the_ends_is_no_difference() -> None:
    assert same("return x \n", "return x")
    assert not same("return x", "return  x")


def test_parsing_in_place() -> None:
    assert errors("def f(:\n", "python")
    assert parses_in_place("f(", "x", ")\n", "y", "python")
    assert not parses_in_place("f(", "x)", ")\n", "y", "python")
    assert parses_in_place("f(", "x", ")", "y", "cobol") is None


def test_a_calibration_finds_the_curve_that_made_the_data() -> None:
    truth = Calibration(bias=1.0, total=0.5, mean=1.5, length=-0.3)
    rng = Random(1)
    tokens = [rng.randint(1, 30) for _ in range(20_000)]
    logprobs = [-rng.expovariate(0.5) * n / 8 for n in tokens]
    right = [rng.random() < truth.probability(p, n) for p, n in zip(logprobs, tokens, strict=True)]
    found = fit(logprobs, tokens, right)
    said = [found.probability(p, n) for p, n in zip(logprobs, tokens, strict=True)]
    assert expected_error(reliability(said, right)) < 0.02
    assert found.mean == pytest.approx(1.5, abs=0.4)


def test_a_calibration_needs_both_kinds() -> None:
    with pytest.raises(InputError, match="right and some that are wrong"):
        fit([-1.0, -2.0], [1, 2], [True, True])


def test_a_calibration_is_saved_and_loaded(tmp_path: Path) -> None:
    calibration = Calibration(0.25, -1.5, 2.0, 0.125, 300)
    calibration.save(tmp_path / "calibration.json")
    assert load_calibration(tmp_path / "calibration.json") == calibration
    (tmp_path / "calibration.json").write_text('{"format": "other"}')
    with pytest.raises(InputError):
        load_calibration(tmp_path / "calibration.json")


def test_reliability_bins() -> None:
    bins = reliability([0.05, 0.95, 0.96, 1.0], [False, True, True, False])
    assert [b.count for b in bins] == [1, 3]
    assert bins[1].right == pytest.approx(2 / 3)
    assert math.isnan(expected_error([]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("held")
    build_corpus([ROOT / "tabspec" / "train"], folder)
    return Corpus(folder / "train")


def test_snippets_are_holes_in_the_documents(corpus: Corpus) -> None:
    found = sample(corpus, "python", 12, seed=5)
    assert found == sample(corpus, "python", 12, seed=5) != sample(corpus, "python", 12, seed=6)
    assert {snippet.kind for snippet in found} == set(Kind)
    texts = set(corpus.texts())
    for snippet in found:
        assert snippet.prefix + snippet.middle + snippet.suffix in texts
        assert snippet.middle.strip()
        assert snippet.kind is Kind.BLOCK or "\n" not in snippet.middle
    with pytest.raises(InputError, match="holds no rust"):
        sample(corpus, "rust", 1)


def test_a_model_that_knows_the_answers_gets_full_marks(corpus: Corpus) -> None:
    (snippet,) = itertools.islice((s for s in sample(corpus, "python", 12) if s.kind is Kind.REST), 1)
    model = ScriptedModel(continuing(snippet.prefix + snippet.middle))
    marks = asyncio.run(fill([snippet], with_model(model)))
    assert score(marks).exact == score(marks).similarity == 1.0


def test_the_baseline_repeats_what_it_has_read(corpus: Corpus) -> None:
    tokenizer = load_tokenizer(ROOT / "tabspec/models/bundled/tokenizer.json")
    snippets = [s for s in sample(corpus, "python", 12) if s.kind is not Kind.BLOCK][:10]
    marks = asyncio.run(fill(snippets, Baseline(corpus, tokenizer).guesser()))
    assert score(marks).similarity > 0.1
