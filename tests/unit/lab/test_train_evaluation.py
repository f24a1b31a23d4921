"""Evaluation: n-grams compared with brute force, scores, calibration, snippets."""

from __future__ import annotations

import asyncio
import itertools
import math
from pathlib import Path
from random import Random
from statistics import stdev

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.lab.evaluation.baseline import Baseline
from tabspec.lab.evaluation.calibration import expected_error, reliability
from tabspec.lab.evaluation.infilling.infill import STOPS, fill, score, with_model
from tabspec.lab.evaluation.infilling.similarity import edit_similarity, same
from tabspec.lab.evaluation.infilling.snippets import HoleKind, sample
from tabspec.lab.evaluation.infilling.syntax import can_be_finished, errors, parses_in_place
from tabspec.lab.evaluation.ngram import NestedNgram, NgramCounts, write
from tabspec.lab.evaluation.scorer import Scorer
from tabspec.lab.evaluation.stretches import LINES, Stretch, stretches
from tabspec.lab.evaluation.typed_sessions import session_of, type_stretches
from tabspec.lab.evaluation.typing import Typed, together
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.models.scripted.model import ScriptedModel, continuing
from tabspec.prompt.window import canonical_cut
from tabspec.replay.clock import run_virtual
from tabspec.train.corpus.build import build_corpus
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.tokenizer import load_tokenizer
from tests.examples import examples
from tests.tools import REPOSITORY

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


@settings(max_examples=examples(200), deadline=None)
@given(project=TEXTS, file=TEXTS, before=TEXTS, order=st.integers(1, 5))
def test_nested_ngrams_equal_brute_force(project: list[int], file: list[int], before: list[int], order: int) -> None:
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


def test_a_repeated_text_becomes_cheap() -> None:
    def bits(tokens: list[int]) -> float:
        return NestedNgram([NgramCounts(), NgramCounts()], 100).bits(tokens)

    once = [Random(0).randrange(100) for _ in range(50)]
    assert bits(once + once) < 1.5 * bits(once)


@given(st.text(alphabet="abc", max_size=8), st.text(alphabet="abc", max_size=8))
def test_edit_similarity_is_symmetric_and_bounded(first: str, second: str) -> None:
    assert 0 <= edit_similarity(first, second) == edit_similarity(second, first) <= 1
    assert (edit_similarity(first, second) == 1) == (first == second)


def test_edit_similarity_of_known_words() -> None:
    assert edit_similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)


def test_white_space_at_the_ends_is_ignored() -> None:
    assert same("return x \n", "return x")
    assert not same("return x", "return  x")


def test_completions_are_parsed_in_place() -> None:
    assert errors("def f(:\n", "python")
    assert parses_in_place("f(", "x", ")\n", "y", "python")
    assert not parses_in_place("f(", "x)", ")\n", "y", "python")
    assert parses_in_place("f(", "x", ")", "y", "cobol") is None


@pytest.mark.parametrize(
    ("language", "around", "inserted", "original", "expected"),
    [
        ("python", ("x = ", "\n"), "foo(", "foo(a, b)", True),  # the author goes on
        ("python", ("x = ", "\n"), "bar(a", "foo(a, b)", True),  # a bracket closes it
        ("python", ("x = ", "\n"), "'a", "foo(a, b)", True),
        ("python", ("", "\n    pass\n"), "if a", "while b:", True),
        ("typescript", ("", "\n"), "interface A", "const a = 1;", True),
        ("rust", ("fn f() {\n    ", "\n}\n"), "let a", "g();", True),
        ("python", ("x = ", "\n"), "foo(a))", "foo(a, b)", False),
        ("python", ("x = ", "\n"), "foo(]", "foo(a, b)", False),
        ("typescript", ("f(() => {\n  ", "\n})\n"), "})", "g()", False),
        ("rust", ("fn f() {\n    ", "\n}\n"), "let = 1", "g();", False),
        ("cobol", ("", ""), "x", "y", None),
    ],
)
def test_a_part_of_a_line_may_be_finished(
    language: str, around: tuple[str, str], inserted: str, original: str, expected: bool | None
) -> None:
    assert can_be_finished(around[0], inserted, around[1], original, language) is expected


@given(st.data())
def test_every_beginning_of_what_the_author_wrote_can_be_finished(data: st.DataObject) -> None:
    text = "def f(a, b):\n    return [g(a), 'b c', {b: 1}]\n"
    start = data.draw(st.integers(0, len(text)))
    size = data.draw(st.integers(0, len(text) - start))
    end = data.draw(st.integers(start + size, len(text)))
    assert can_be_finished(text[:start], text[start : start + size], text[end:], text[start:end], "python")


def test_reliability_bins() -> None:
    bins = reliability([0.05, 0.95, 0.96, 1.0], [False, True, True, False])
    assert [b.count for b in bins] == [1, 3]
    assert bins[1].right == pytest.approx(2 / 3)
    assert math.isnan(expected_error([]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("held")
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], folder)
    return Corpus(folder / "train")


def test_snippets_are_cut_from_documents(corpus: Corpus) -> None:
    found = sample(corpus, "python", 12, seed=5)
    assert found == sample(corpus, "python", 12, seed=5) != sample(corpus, "python", 12, seed=6)
    assert {snippet.kind for snippet in found} == set(HoleKind)
    texts = set(corpus.texts())
    for snippet in found:
        assert snippet.prefix + snippet.middle + snippet.suffix in texts
        assert snippet.middle.strip()
        assert snippet.kind is HoleKind.BLOCK or "\n" not in snippet.middle
    with pytest.raises(InputError, match="holds no rust"):
        sample(corpus, "rust", 1)


def test_a_model_that_knows_the_answers_gets_the_best_score(corpus: Corpus) -> None:
    (snippet,) = itertools.islice((s for s in sample(corpus, "python", 12) if s.kind is HoleKind.REST), 1)
    model = ScriptedModel(continuing(snippet.prefix + snippet.middle))
    marks = asyncio.run(fill([snippet], with_model(model)))
    assert score(marks).exact == score(marks).similarity == 1.0


@pytest.mark.slow
def test_the_baseline_repeats_what_it_has_read(corpus: Corpus) -> None:
    tokenizer = load_tokenizer(REPOSITORY / "tabspec/models/bundled/tokenizer.json")
    snippets = [s for s in sample(corpus, "python", 12) if s.kind is not HoleKind.BLOCK][:10]
    marks = asyncio.run(fill(snippets, Baseline(corpus, tokenizer).guesser()))
    assert score(marks).similarity > 0.1


def test_the_ngram_model_repeats_what_it_has_read() -> None:
    """With whole words as tokens, behind a word that is cut: the only text ever read comes out again."""
    words = ["", "one ", "two ", "three ", "four "]
    counts = NgramCounts(4)
    counts.add([1, 2, 3, 4])
    nested = NestedNgram([counts], len(words))
    for head, forced, expected in (
        ([1], "", "two three four "),
        ([1], "tw", "o three four "),
        ([1, 2], "three", " four "),
    ):
        found = write(nested, head, forced, words.__getitem__, lambda text: 0, lambda text: text.endswith("four "), 9)
        assert found.text == expected
        assert len(found.tokens) == len(found.logprobs) == len(found.lengths)
    assert write(nested, [1], "", words.__getitem__, lambda text: 0, lambda text: False, 2).text == "two three "


@pytest.mark.slow
def test_the_ngram_model_answers_as_the_guesser_does(corpus: Corpus) -> None:
    tokenizer = load_tokenizer(REPOSITORY / "tabspec/models/bundled/tokenizer.json")
    baseline = Baseline(corpus, tokenizer)
    snippet = next(s for s in sample(corpus, "python", 12) if s.kind is HoleKind.LINE)
    guess = asyncio.run(baseline.guesser()(snippet))
    model = baseline.model(snippet.project, snippet.language, snippet.path, snippet.suffix)
    cut = canonical_cut(snippet.prefix)

    async def answer(stop: StopRule, resume: str = "") -> str:
        request = GenerationRequest(snippet.prefix[:cut], snippet.prefix[cut:], "", stop=stop, resume=resume)
        return "".join([chunk.text async for chunk in model.stream(request)])

    whole = asyncio.run(answer(STOPS[HoleKind.LINE]))
    assert whole == asyncio.run(answer(STOPS[HoleKind.LINE]))  # its own counts are as they were
    assert whole == guess.text
    assert asyncio.run(answer(STOPS[HoleKind.LINE], whole[:2])) == whole[2:]
    assert asyncio.run(answer(StopRule(min_first_logprob=0.0, min_logprob=0.0))) == ""  # it is never that sure


def test_stretches_are_lines_of_the_files(corpus: Corpus) -> None:
    found = stretches(corpus, "python", 6, seed=1)
    assert found == stretches(corpus, "python", 6, seed=1) != stretches(corpus, "python", 6, seed=2)
    assert len({stretch.path for stretch in found}) == len(found) == 6
    texts = set(corpus.texts())
    for stretch in found:
        assert stretch.before + stretch.written + stretch.after in texts
        assert stretch.written.count("\n") == LINES
        assert not stretch.before or stretch.before.endswith("\n")
    with pytest.raises(InputError, match="holds no rust"):
        stretches(corpus, "rust", 1)


def test_a_stretch_is_typed_to_the_file(corpus: Corpus) -> None:
    for seed, stretch in enumerate(stretches(corpus, "python", 4)):
        session = session_of(stretch, seed)
        assert session.final_text() == stretch.before + stretch.written + stretch.after


def test_right_suggestions_save_their_keystrokes(corpus: Corpus) -> None:
    """The user presses Tab with a model that knows the file, and types everything with one that knows nothing."""
    (stretch,) = stretches(corpus, "python", 1)
    target = stretch.before + stretch.written + stretch.after

    async def typed(model: ScriptedModel) -> Typed:
        async def same(_: Stretch) -> ScriptedModel:
            return model

        return (await type_stretches(same, [stretch], 0, lambda done: None))[0]

    knows, ignorant = (run_virtual(typed(ScriptedModel(script))) for script in (continuing(target), lambda request: ""))
    assert knows.by_tab > knows.by_key
    assert (ignorant.by_tab, ignorant.tabs, ignorant.shown) == (0, 0, 0)
    assert ignorant.by_key >= len(stretch.written)


def test_the_error_of_a_share_is_its_spread_over_stretches() -> None:
    alike = together([Typed(60, 40, 4, 9)] * 5)
    assert (alike.saved, alike.error, alike.characters) == (0.4, 0.0, 500)
    found = [Typed(100 - n, n, 1, 1) for n in (10, 30, 50, 70)]  # all of one size: the mean's standard error
    spread = together(found)
    assert spread.error == pytest.approx(stdev(n / 100 for n in (10, 30, 50, 70)) / 2)
    assert math.isnan(together(found[:1]).error)


def test_bits_per_byte_leave_out_the_end_of_middle_token(tmp_path: Path) -> None:
    """The end-of-middle token has no share in bits per byte: the other probabilities sum to one without it."""
    tokenizer = load_tokenizer(REPOSITORY / "tabspec/models/bundled/tokenizer.json")
    logits = torch.zeros(1, 2, 4)
    logits[..., 1] = 5.0
    scored = Scorer(lambda ids: logits.clone(), tokenizer, 8, end=1).logprobs([0, 2])
    assert float(scored[0]) == pytest.approx(-math.log(3))
