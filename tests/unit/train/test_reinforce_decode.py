"""Decoding after many cursors at once against one sequence at a time, and its judgement against the engine's."""

from __future__ import annotations

import math

import pytest
import torch

from tabspec.fitting.postprocess import postprocess
from tabspec.models.protocol import StopRule
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.suggestion import GeneratedText, Suggestion
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.network import Network, Shape
from tabspec.train.reinforce.completions import decode, shown
from tabspec.train.reinforce.completions.forward import forward
from tabspec.train.reinforce.completions.holes import Hole
from tabspec.train.reinforce.completions.rows import Batch, SortedTokens, batch_of
from tabspec.train.reinforce.completions.shown import CONFIG, Decoded, outcomes, written
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=2, heads=4, kv_heads=2, mlp=64, head=16, context=256)
HOLES = (
    Hole(
        "a.py",
        "python",
        "def total(items):\n    count = 0\n",
        "    for item in items:\n",
        "    return count\n",
        (0, 1, 6, 9, 15),
    ),
    Hole("b.rs", "rust", "fn main() {\n    let x = ", "vec![1, 2];", "\n}\n", (1, 4, 11)),
)
STOP = StopRule(CONFIG.max_lines, CONFIG.max_tokens, *CONFIG.doubt)


@pytest.fixture(scope="module")
def words() -> SortedTokens:
    return SortedTokens(load_tokenizer(TOKENIZER), Vocabulary(TOKENIZER.read_text("utf-8")))


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(1)
    found = Network(SHAPE).requires_grad_(False)
    found.model.embed_tokens.weight.mul_(20)  # sure of some tokens, in doubt about others
    return found


@pytest.fixture(scope="module")
def batch(words: SortedTokens) -> Batch:
    return batch_of(words.rows(HOLES, 250), words)


def tables(words: SortedTokens) -> decode.TokenTensors:
    return decode.TokenTensors.of(words.rank, words.bytes_of, "cpu")


def test_a_branch_begins_before_the_token_that_holds_the_last_character(words: SortedTokens) -> None:
    (row, _) = words.rows(HOLES, 250)
    for branch in row.branches:
        before = b"".join(words.bytes_of[token] for token in row.tokens[: branch.start])
        typed = (row.hole.before + row.hole.text[: branch.cursor]).encode()
        assert typed.endswith(before[-20:] + branch.rest) or before[-20:] + branch.rest in typed
        assert words.bytes_of[row.tokens[branch.start]].startswith(branch.rest)
        low, high = words.beginning(branch.rest)
        assert {i for i, data in enumerate(words.bytes_of) if data.startswith(branch.rest)} == {
            i for i in range(len(words.bytes_of)) if low <= words.rank[i] < high
        }


def alone(
    network: Network, words: SortedTokens, batch: Batch, r: int, b: int, steps: int
) -> tuple[list[int], list[float]]:
    """The greedy text of one branch, by the whole sequence anew for each token."""
    branch = batch.rows[r].branches[b]
    ids = list(batch.rows[r].tokens[: branch.start])
    agreeing = words.vocabulary.agreeing(branch.rest)
    tokens: list[int] = []
    logs: list[float] = []
    text = b""
    least, first = (each if each is not None else -math.inf for each in CONFIG.doubt)
    for step in range(steps):
        row = network(torch.tensor([ids]))[0, -1].float()
        allowed = agreeing if step == 0 else range(len(row))
        covering = [t for t in allowed if step or words.bytes_of[t].startswith(branch.rest)]
        token = max(covering, key=lambda t: float(row[t]))
        logs.append(float(row[token] - row[list(allowed)].logsumexp(0)))
        tokens.append(token)
        ids.append(token)
        fresh = words.bytes_of[token][len(branch.rest) if step == 0 else 0 :]
        unlikely = bool(fresh) and logs[-1] < (least if text else first)
        text += fresh
        if not words.bytes_of[token] or unlikely or (fresh.strip() + text.strip() and b"\n" in fresh):
            break
    return tokens, logs


def test_all_branches_together_write_what_each_writes_alone(
    network: Network, words: SortedTokens, batch: Batch
) -> None:
    places = decode.CursorTensors.of(batch, "cpu")
    found = decode.decode(network, places, tables(words), steps=8)
    lengths = set()
    for r, row in enumerate(batch.rows):
        for b in range(len(row.branches)):
            tokens, logs = alone(network, words, batch, r, b, 8)
            count = int(found.count[r, b])
            assert found.tokens[r, b, :count].tolist()[: len(tokens)] == tokens[:count]
            assert torch.allclose(found.logprobs[r, b, : len(tokens)], torch.tensor(logs), atol=1e-4)
            lengths.add(count)
    assert len(lengths) > 1  # they do not all end alike


def test_the_pass_with_gradients_finds_the_same_probabilities(
    network: Network, words: SortedTokens, batch: Batch
) -> None:
    places = decode.CursorTensors.of(batch, "cpu")
    for generator in (None, torch.Generator().manual_seed(3)):
        found = decode.decode(network, places, tables(words), 8, generator)
        passed = forward(network, places, tables(words), found, network)
        steps = passed.logprobs.shape[-1]
        assert torch.allclose(passed.logprobs, found.logprobs[..., :steps], atol=1e-4)
        assert float(passed.distance) == pytest.approx(0, abs=1e-5)


def test_drawn_tokens_follow_the_distribution(network: Network, words: SortedTokens) -> None:
    rows = words.rows([Hole("a.py", "python", "x = 1\n", "y = 2\n", "", (1,))], 100)
    batch = batch_of(rows, words, copies=400)
    places = decode.CursorTensors.of(batch, "cpu")
    soft = Network(SHAPE).requires_grad_(False)
    soft.model.embed_tokens.weight.mul_(20)
    found = decode.decode(soft, places, tables(words), 1, torch.Generator().manual_seed(0))
    for token in set(found.tokens.flatten().tolist()):
        there = found.tokens[0, :, 0] == token
        chance = float(found.logprobs[0, there, 0][0].exp())
        assert abs(float(there.float().mean()) - chance) < 4 * math.sqrt(chance * (1 - chance) / 400) + 0.01


def as_generated(hole: Hole, pieces: list[tuple[str, float]]) -> tuple[Decoded, GeneratedText]:
    decoded = Decoded(0, b"", tuple(p.encode() for p, _ in pieces), tuple(math.log(c) for _, c in pieces))
    return decoded, written(decoded, STOP)


@pytest.mark.parametrize(
    "chances", [(0.9, 0.8, 0.9), (0.2, 0.6, 0.9), (0.14, 0.9, 0.55), (0.1, 0.9, 0.9), (0.9, 0.55, 0.5)]
)
def test_what_counts_as_shown_is_what_the_engine_shows(chances: tuple[float, ...]) -> None:
    hole = Hole("a.py", "python", "def f(items):\n    return ", "items.count(3)", "\n", (0,))
    decoded, generated = as_generated(hole, list(zip(("items", ".count", "(2)"), chances, strict=True)))
    offered = postprocess(hole.context(0), generated, least=CONFIG.min_probability)
    (parts,) = outcomes(hole, [decoded], follow=False)
    assert parts is not None
    best = max(parts, key=lambda part: part.score, default=None)
    visible = best is not None and best.shown and best.logprob >= math.log(CONFIG.min_probability)
    assert visible == isinstance(offered, Suggestion)
    if isinstance(offered, Suggestion):
        assert best is not None and best.chars == len(offered.text)
        assert best.taken == hole.text.startswith(offered.text)
        saved = len(offered.text) - 1
        assert best.reward == pytest.approx((0.75 if best.taken else -0.25) * saved)


def test_a_tab_leads_past_the_cursors_within_the_suggestion() -> None:
    hole = Hole("a.py", "python", "value = ", "compute(1)", "\n", (0, 1, 3, 7, 8))
    right = [
        Decoded(c, b"", (b"compute"[c:],), (math.log(0.9),)) if c < 7 else Decoded(c, b"", (), ()) for c in hole.cursors
    ]
    assert [each is None for each in outcomes(hole, right, follow=True)] == [False, True, True, False, False]
    assert None not in outcomes(hole, right, follow=False)
    wrong = [Decoded(c, b"", (b"other",), (math.log(0.9),)) for c in hole.cursors]
    assert None not in outcomes(hole, wrong, follow=True)


@pytest.mark.parametrize(
    ("text", "replaced", "taken"),
    [
        ("compute", 0, True),
        ("compute(1)", 0, True),
        ("compute(1))", 1, True),
        ("compute(2))", 1, False),
        (")", 1, False),
        ("compute(1) ", 0, False),
    ],
)
def test_a_suggestion_is_taken_if_typing_leads_to_it(text: str, replaced: int, taken: bool) -> None:
    hole = Hole("a.py", "python", "print(", "compute(1)", ")\n", (0,))
    assert shown.is_taken(hole, 0, Suggestion(text, replace_after=replaced)) == taken


def test_a_text_ends_where_the_engine_ends_it() -> None:
    hole = HOLES[0]
    cases = {
        "end": [("for", 0.9), ("", 0.9)],
        "stop": [("for", 0.9), (" x\n", 0.9)],
        "confidence": [("for", 0.9), (" x", 0.3)],
        "mid_word": [("for", 0.9), ("est", 0.3)],
        "length": [("for", 0.9)],
    }
    assert {finish: as_generated(hole, pieces)[1].finish.value for finish, pieces in cases.items()} == {
        finish: finish for finish in cases
    }
