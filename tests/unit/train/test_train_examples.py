"""Fill-in-the-middle examples: they reassemble to the document, their markers stand in order, rows are packed whole."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.corpus.build import build_corpus
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.cuts import KINDS, choose_middle
from tabspec.train.examples.fim import Example, ExampleEncoder, Order, make_example
from tabspec.train.examples.parts import SHIFT, TOKEN, Part
from tabspec.train.examples.related import PIECE_CHARS, PIECES, ProjectFiles, by_common_names, names
from tabspec.train.examples.rows import Batches, RowMaker, pack
from tabspec.train.examples.stream import DataConfig, RowStream
from tabspec.train.examples.tokenizer import EOM, FILE, MIDDLE, PAD, PREFIX, RELATED, SUFFIX, load_tokenizer
from tests.examples import examples
from tests.tools import REPOSITORY

BUNDLED = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
HERE = Path(__file__).read_text(encoding="utf-8")
TOKENIZER = load_tokenizer(BUNDLED)
VOCABULARY = Vocabulary(BUNDLED.read_text(encoding="utf-8"))
ID = {name: TOKENIZER.token_to_id(name) for name in (PAD, EOM, FILE, MIDDLE, PREFIX, RELATED, SUFFIX)}


@settings(max_examples=examples(300), deadline=None)
@given(seed=st.integers(), start=st.integers(0, len(HERE) - 1))
def test_every_example_is_a_piece_of_the_document(seed: int, start: int) -> None:
    example = make_example(HERE, "a.py", start, start + 100, Random(seed), lambda *around: (("b.py", "x = 1\n"),))
    assert example.prefix + example.middle + example.suffix in HERE
    if example.order is Order.LEFT_TO_RIGHT:
        assert example.finished == HERE.endswith(example.prefix + example.middle)


@settings(max_examples=examples(300), deadline=None)
@given(text=st.text(alphabet="ab (){}[]:\n\t", max_size=200), seed=st.integers())
def test_cuts_lie_within_any_text(text: str, seed: int) -> None:
    for start in range(0, len(text) + 1, 20):
        first, last = choose_middle(text, start, start + 20, Random(seed))
        assert 0 <= first <= last <= len(text)


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_each_kind_of_cut_finds_middles_in_code(kind: object) -> None:
    assert callable(kind)
    found = [kind(HERE, at, Random(at)) for at in range(0, len(HERE), 97)]
    assert all(0 <= first <= last <= len(HERE) for first, last in found)


def split(tokens: list[int]) -> list[tuple[int, list[int]]]:
    """(marker, tokens behind it) of an encoded example."""
    parts: list[tuple[int, list[int]]] = []
    for token in tokens:
        if token in ID.values():
            parts.append((token, []))
        else:
            parts[-1][1].append(token)
    return parts


def encoded(example: Example, limit: int) -> list[int]:
    """Tokens without their marks."""
    (marked,) = ExampleEncoder(TOKENIZER).encode([example], limit)
    return [token & TOKEN for token in marked]


def text_of(tokens: list[int]) -> str:
    return str(TOKENIZER.decode(tokens, skip_special_tokens=False))


@settings(max_examples=examples(100), deadline=None)
@given(seed=st.integers(), start=st.integers(0, len(HERE) - 1))
def test_an_encoded_example_says_what_it_was_made_of(seed: int, start: int) -> None:
    example = make_example(HERE, "a.py", start, start + 100, Random(seed), lambda *around: (("b.py", "x = 1\n"),))
    tokens = encoded(example, 10_000)
    parts = split(tokens)
    order = {
        Order.SUFFIX_FIRST: [FILE, SUFFIX, PREFIX, EOM],
        Order.PREFIX_FIRST: [FILE, PREFIX, SUFFIX, MIDDLE, EOM],
        Order.LEFT_TO_RIGHT: [FILE, *([] if example.bare else [SUFFIX]), PREFIX, *([EOM] if example.finished else [])],
    }[example.order]
    if example.related:
        order.insert(1, RELATED)
    assert [marker for marker, _ in parts] == [ID[name] for name in order]
    said = {marker: text_of(inside) for marker, inside in parts}
    assert said[ID[FILE]] == example.name
    if example.order is Order.PREFIX_FIRST:
        assert (said[ID[PREFIX]], said[ID[MIDDLE]]) == (example.prefix, example.middle)
    else:
        assert said[ID[PREFIX]] == example.prefix + example.middle
    assert said.get(ID[SUFFIX], "") == example.suffix


@settings(max_examples=examples(200), deadline=None)
@given(
    prefix=st.text(alphabet="ab (é\n\t😀", max_size=30),
    middle=st.text(alphabet="ab (é\n\t😀", max_size=30),
    order=st.sampled_from(Order),
    finished=st.booleans(),
)
def test_the_end_is_a_choice_from_the_cursor_on(prefix: str, middle: str, order: Order, finished: bool) -> None:
    """An oracle by bytes: a token of prefix and middle counts as middle if it reaches beyond the prefix."""
    example = Example(order, "a.py", prefix, middle, "suffix", finished=finished, bare=order is Order.LEFT_TO_RIGHT)
    (marked,) = ExampleEncoder(TOKENIZER).encode([example], 1_000)
    tokens = [token & TOKEN for token in marked]
    begin = tokens.index(ID[PREFIX]) + 1
    for place in range(begin):
        assert marked[place] >> SHIFT == Part.OTHER
    written = b""
    for place in range(begin, len(tokens)):
        if tokens[place] == ID[SUFFIX]:  # prefix first: the middle stands apart
            behind = tokens.index(ID[MIDDLE])
            assert {marked[i] >> SHIFT for i in range(place, behind + 1)} == {Part.OTHER}
            assert {marked[i] >> SHIFT for i in range(behind + 1, len(tokens))} <= {Part.MIDDLE}
            break
        written += VOCABULARY.bytes_of[tokens[place]]
        reaches = tokens[place] == ID[EOM] or len(written) > len(prefix.encode())
        assert marked[place] >> SHIFT == (Part.MIDDLE if reaches else Part.PREFIX)
    assert (tokens[-1] == ID[EOM]) == finished


def test_related_pieces_share_names_with_the_code_and_never_come_from_it(data: DataConfig) -> None:
    corpus = Corpus(data.corpus)
    neighbours = ProjectFiles(corpus)
    index = next(i for i, entry in enumerate(corpus) if entry.name == "rows.py")
    text = corpus.text(index)
    found = [neighbours.around(index, text[:900], text[900:1500], Random(seed)) for seed in range(40)]
    assert all(1 <= len(pieces) <= PIECES for pieces in found)
    for pieces in found:
        for name, piece in pieces:
            assert name != "rows.py"
            assert len(piece) <= PIECE_CHARS
            assert any(piece in corpus.text(i) for i, entry in enumerate(corpus) if entry.name == name)
    asked = names(text[:900]) | names(text[900:1500])
    chosen = [len(names(pieces[-1][1]) & asked) for pieces in found]
    drawn = [len(names(piece) & asked) for seed in range(40) for piece in [neighbours._piece(seed % 9, Random(seed))]]
    assert sum(chosen) > 1.3 * sum(drawn)


def test_a_file_alone_has_no_neighbours(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text(HERE)
    build_corpus([tmp_path / "code"], tmp_path / "corpus")
    assert ProjectFiles(Corpus(tmp_path / "corpus" / "train")).around(0, "function", "", Random(0)) == ()


@given(texts=st.lists(st.text(alphabet="abc ", max_size=40), max_size=6), asked=st.text(alphabet="abc ", max_size=40))
def test_what_has_no_name_in_common_comes_last(texts: list[str], asked: str) -> None:
    order = by_common_names(texts, names(asked))
    assert sorted(order) == list(range(len(texts)))
    shared = [bool(names(texts[number]) & names(asked)) for number in order]
    assert shared == sorted(shared, reverse=True)


def test_a_long_prefix_is_shortened_from_the_left() -> None:
    example = Example(Order.SUFFIX_FIRST, "a.py", "p = 1\n" * 500, "middle", "suffix")
    tokens = encoded(example, 100)
    assert len(tokens) == 100
    assert text_of(tokens).endswith("middle" + EOM)


def test_what_cannot_fit_is_left_out() -> None:
    example = Example(Order.SUFFIX_FIRST, "a.py", "p", "m", "suffix + " * 200)
    assert ExampleEncoder(TOKENIZER).encode([example], 100) == [[]]


@given(
    whole=st.lists(st.lists(st.integers(1, 99), max_size=50), max_size=30),
    divisible=st.lists(st.lists(st.integers(1, 99), max_size=50), max_size=10),
)
def test_rows_hold_each_whole_sequence(whole: list[list[int]], divisible: list[list[int]]) -> None:
    rows = pack(whole, divisible, 50, 0)
    joined = [" ".join(map(str, row)) for row in rows.tolist()]
    for sequence in whole:
        assert not sequence or any(" ".join(map(str, sequence)) in row for row in joined)
    assert sum(map(len, whole)) <= int((rows != 0).sum()) <= sum(map(len, whole + divisible))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], folder)
    return DataConfig(folder / "train", BUNDLED, 128, seed=3)


def test_a_chunk_is_a_function_of_seed_and_number(data: DataConfig) -> None:
    first, second = data.maker(), data.maker()
    second.chunk(5)
    assert np.array_equal(first.chunk(2), second.chunk(2))
    other = RowMaker(Corpus(data.corpus), TOKENIZER, data.context, seed=4)
    assert not np.array_equal(first.chunk(2)[:3], other.chunk(2)[:3])


def test_batches_go_on_where_they_stopped(data: DataConfig) -> None:
    maker = data.maker()

    def chunks(start: int) -> Batches:
        return Batches((maker.chunk(n) for n in range(start, 99)), 7, start)

    whole = chunks(0)
    expected = [whole.take() for _ in range(8)]
    begun = chunks(0)
    for _ in range(3):
        begun.take()
    number, skip = begun.position
    resumed = Batches((maker.chunk(n) for n in range(number, 99)), 7, number, skip)
    assert all(np.array_equal(resumed.take(), batch) for batch in expected[3:])


@pytest.mark.slow
def test_workers_make_the_same_rows(data: DataConfig) -> None:
    with RowStream(data, 0, workers=0) as alone, RowStream(data, 0, workers=2) as shared:
        for one, other in islice(zip(alone, shared, strict=False), 4):
            assert np.array_equal(one, other)
