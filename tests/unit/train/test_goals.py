"""What is learned at each position, and its loss, against plain and slow definitions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tabspec.cli.main import run
from tabspec.train.corpus.build import build_corpus
from tabspec.train.edits.rows import EditDataConfig
from tabspec.train.examples.parts import LOSS_WEIGHTS, SHIFT, Part, Rows
from tabspec.train.goals import Goals, SpecialIds, goals_of
from tabspec.train.held_out import Judged, figures
from tabspec.train.journal import read_journal
from tabspec.train.network import Network, Shape
from tabspec.train.schedule import Budget
from tabspec.train.trainer import LOG_NAME, RunConfig, Trainer
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SPECIAL = SpecialIds(end=1, same=13, tags=(13, 11, 12))
SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=1024)
QUIET = Console(quiet=True)
ELEMENTS = st.tuples(st.integers(0, 20), st.sampled_from(list(Part)))


def rows_of(elements: list[list[tuple[int, Part]]]) -> Rows:
    return np.array([[token | part << SHIFT for token, part in row] for row in elements], dtype=np.uint32)


def slow_goals(elements: list[list[tuple[int, Part]]]) -> list[tuple[int, int, Part]]:
    """Place, target and part of each goal, by the definition."""
    found = []
    for number, row in enumerate(elements):
        for at in range(len(row) - 1):
            here, (token, part) = row[at][1], row[at + 1]
            place = number * (len(row) - 1) + at
            if here in (Part.TAG_STAYS, Part.TAG_CHANGES, Part.TAG_INSERTS):
                found.append((place, SPECIAL.tags[here - Part.TAG_STAYS], here))
            elif token and part in (Part.OTHER, Part.PREFIX, Part.MIDDLE, Part.COPIED, Part.WRITTEN):
                found.append((place, token, part))
    return found


@given(
    st.integers(2, 12).flatmap(lambda n: st.lists(st.lists(ELEMENTS, min_size=n, max_size=n), min_size=1, max_size=4))
)
def test_goals_are_tokens_and_tags(elements: list[list[tuple[int, Part]]]) -> None:
    goals, expected = goals_of(rows_of(elements), SPECIAL), slow_goals(elements)
    assert list(zip(goals.places, goals.targets, goals.parts, strict=True)) == expected
    assert list(goals.weights) == [LOSS_WEIGHTS[part] for _, _, part in expected]
    filled = goals.filled(8)
    assert len(filled.places) % 8 == 0 and len(filled.places) >= 8
    assert filled.places[: len(expected)].tolist() == goals.places.tolist()
    assert not filled.weights[len(expected) :].any()


@given(st.integers(0, 2**32 - 1))
def test_a_softmax_over_what_is_possible(seed: int) -> None:
    """A prefix never ends; a tag is one of three tokens; elsewhere all tokens compete."""
    torch.manual_seed(seed)
    network = Network(replace(SHAPE, vocabulary=24, context=8))
    parts = torch.randint(0, len(Part), (30,))
    states = torch.randn(30, SHAPE.hidden)
    targets = torch.tensor([SPECIAL.tags[i % 3] for i in range(30)])
    losses = F.cross_entropy(network.choices(states, parts, SPECIAL), targets, reduction="none")
    for state, target, part, loss in zip(states, targets.tolist(), parts.tolist(), losses, strict=True):
        logits = [float(value) for value in (network.model.embed_tokens.weight @ state).detach()]
        possible = set(range(24))
        if part == Part.PREFIX:
            possible -= {SPECIAL.end}
        if part >= Part.TAG_STAYS:
            possible = set(SPECIAL.tags)
        expected = math.log(sum(math.exp(logits[token]) for token in possible)) - logits[target]
        assert float(loss.detach()) == pytest.approx(expected, abs=1e-4)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    gradient = network.model.embed_tokens.weight.grad
    assert gradient is not None and bool(torch.isfinite(gradient).all())


ANSWERS = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(st.integers(2, 5), st.integers(2, 5)), min_size=1, max_size=4)),
    max_size=6,
)


@given(st.lists(ANSWERS, min_size=1, max_size=3))
def test_shares_of_right_answers(passes: list[list[tuple[bool, list[tuple[int, int]]]]]) -> None:
    """An answer is a run of goals: exact if each token is the most likely one. 2 stands for "same" here."""
    special = replace(SPECIAL, same=2)
    judged, exact, changes, stays = [], [], [], []
    for answers in passes:
        place, goals, chosen = 0, [], []
        for same, tokens in answers:
            place += 3  # a question
            right = [(2 if same else max(target, 3), guess) for target, guess in (tokens[:1] if same else tokens)]
            for number, (target, guess) in enumerate(right):
                goals.append((place, target, Part.WRITTEN if number == 0 else Part.COPIED))
                chosen.append(guess)
                place += 1
            if same:
                stays.append(right[0][1] == 2)
            else:
                exact.append(all(target == guess for target, guess in right))
                changes.append(right[0][1] != 2)
        columns = [np.array([goal[field] for goal in goals], np.int64) for field in range(3)]
        whole = Goals(*columns, np.ones(len(goals), np.float32))
        judged.append(Judged(whole, np.ones(len(goals), np.float32), np.array(chosen, np.int64)))
    found = figures(judged, special)
    for name, values in (("answers", exact), ("changes", changes), ("stays", stays)):
        assert (name in found) == bool(values)
        if values:
            assert found[name] == pytest.approx(sum(values) / len(values))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EditDataConfig:
    folder = tmp_path_factory.mktemp("edits")
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], folder)
    (folder / "train").rename(folder / "texts")
    return EditDataConfig(folder, TOKENIZER, SHAPE.context, seed=3)


def config(steps: int) -> RunConfig:
    return RunConfig(SHAPE, Budget(steps=steps), rows=3, micro_rows=2, warmup=2, log_every=1, validate_every=2)


@pytest.mark.slow
def test_the_loss_of_a_step_is_the_weighted_mean_of_its_goals(data: EditDataConfig, tmp_path: Path) -> None:
    """Computed at all positions and without pieces here."""
    trainer = Trainer(config(4), data, tmp_path)
    rows = np.concatenate((data.maker().chunk(0)[:2], data.maker().chunk(0)[-1:]))
    goals = goals_of(rows, trainer._special)
    assert {Part.OTHER, Part.PREFIX, Part.COPIED, Part.WRITTEN, Part.TAG_STAYS} <= set(goals.parts.tolist())
    with torch.no_grad(), trainer._autocast():
        states = trainer.network.hidden(torch.from_numpy((rows & 0xFFFF).astype(np.int64))[:, :-1]).flatten(0, 1)
        places, targets, parts = map(torch.from_numpy, (goals.places, goals.targets, goals.parts))
        logits = trainer.network.choices(states[places], parts, trainer._special)
        losses = F.cross_entropy(logits, targets, reduction="none")
    expected = float((losses.numpy() * goals.weights).sum() / goals.weights.sum())
    loss, tokens = trainer._step(rows, 0.0)
    assert float(loss) == pytest.approx(expected, rel=1e-2)  # bf16
    assert tokens == int(((rows & 0xFFFF)[:, 1:] != 0).sum())


@pytest.mark.slow
def test_a_paused_run_on_edits_goes_on_as_if_nothing_had_happened(data: EditDataConfig, tmp_path: Path) -> None:
    rows = data.maker().chunk(0)[:2]
    whole = Trainer(config(4), data, tmp_path / "whole")
    whole.train(rows, QUIET)
    Trainer(replace(config(4), pause_after=1e-9), data, tmp_path / "parts").train(rows, QUIET)
    resumed = Trainer(config(4), data, tmp_path / "parts")
    assert resumed.at.step == 1
    resumed.train(rows, QUIET)
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name
    logs = [read_journal(tmp_path / name / LOG_NAME) for name in ("whole", "parts")]
    assert [record.loss for record in logs[0]] == [record.loss for record in logs[1]]
    assert logs[0][-1].written is not None and logs[0][-1].written == logs[1][-1].written


def test_rows_that_are_too_short_for_edits(
    data: EditDataConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"train run --edits {data.pack} --size tiny --tokenizer {TOKENIZER} --steps 1 --out {tmp_path}".split()
    assert run(words) == 2
    assert "edits need rows of at least 1024 tokens; give a larger --context" in capsys.readouterr().err
    assert run([*words[:3], str(tmp_path / "nothing"), *words[4:]]) == 2
    assert "not a corpus" in capsys.readouterr().err
