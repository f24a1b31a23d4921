"""Reinforcement on a CPU with a tiny model: resuming, the command, and bad input."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tabspec.cli.train import train_command
from tabspec.train.corpus.build import build_corpus
from tabspec.train.network import Network, Shape
from tabspec.train.reinforce.completions.source import HoleSource
from tabspec.train.reinforce.completions.trainer import Reinforcer, Settings
from tabspec.train.reinforce.learner import STATE
from tabspec.train.reinforce.pool import Workers
from tabspec.train.schedule import Budget
from tabspec.train.weights.export import export_model, load_model
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=1024)
CODE = REPOSITORY / "tests" / "fixtures" / "code" / "train"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus([CODE], folder)
    return folder / "train"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    network = Network(SHAPE)
    with torch.no_grad():
        network.model.embed_tokens.weight.mul_(20)  # sure of some tokens: something is shown
    folder = tmp_path_factory.mktemp("models") / "tiny"
    export_model(network.state_dict(), SHAPE, TOKENIZER, folder, bits=8)
    return folder


def reinforcer(model: Path, source: HoleSource, state: Path | None, samples: int) -> Reinforcer:
    weights, shape, _ = load_model(model)
    settings = Settings(samples=samples, rank=2, rows=2, micro=1, tokens=4)
    return Reinforcer(weights, shape, source.words(), settings, "cpu", state)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [0, 2])
def test_a_resumed_run_ends_with_the_same_bits(corpus: Path, model: Path, tmp_path: Path, samples: int) -> None:
    source = HoleSource(corpus, None, 0.0, 1, 3, TOKENIZER, 900)
    whole = reinforcer(model, source, None, samples)
    parts = [reinforcer(model, source, tmp_path / STATE, samples)]
    rewards: list[list[float]] = [[], []]
    with Workers(source, 0) as workers:
        whole.train(workers, Budget(steps=2), lambda mean, at, part: rewards[0].append(mean.reward))

        def until_killed(mean: object, at: object, part: float) -> None:
            rewards[1].append(mean.reward)  # type: ignore[attr-defined]
            if part == 0.5:
                parts[0].save()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            parts[0].train(workers, Budget(steps=2), until_killed)
        parts.append(reinforcer(model, source, tmp_path / STATE, samples))
        assert parts[1].at.step == 1
        parts[1].train(workers, Budget(steps=2), lambda mean, at, part: rewards[1].append(mean.reward))
    assert rewards[0] == rewards[1]
    before = load_model(model)[0]
    for name, weight in whole.weights().items():
        assert torch.equal(weight, parts[1].weights()[name]), name
    assert any(not torch.equal(weight, before[name]) for name, weight in whole.weights().items())


@pytest.mark.slow
def test_the_command_makes_a_model_and_says_what_it_is_worth(corpus: Path, model: Path, tmp_path: Path) -> None:
    arguments = ["reinforce", "--corpus", str(corpus), "--held-out", str(corpus), "--start", str(model)]
    arguments += ["--out", str(tmp_path / "run"), "--steps", "1", "--device", "cpu", "--workers", "0"]
    result = CliRunner().invoke(train_command, arguments)
    assert result.exit_code == 0, result.output
    assert "held out, after, a cursor: reward" in result.output
    load_model(tmp_path / "run" / "model")
    assert "<polyline" in (tmp_path / "run" / "reward.svg").read_text("utf-8")
    again = CliRunner().invoke(train_command, [*arguments, "--seed", "2"])
    assert "other settings" in str(again.exception)


def test_bad_input_is_named(model: Path, tmp_path: Path) -> None:
    def run(*more: str) -> str:
        arguments = ["reinforce", "--start", str(model), "--out", str(tmp_path / "run"), "--steps", "1", *more]
        result = CliRunner().invoke(train_command, [*arguments, "--device", "cpu"])
        assert result.exit_code
        return result.output + str(result.exception)

    for workers in ("0", "2"):
        assert "not a corpus" in run("--corpus", str(tmp_path), "--workers", workers)
    assert "at least 2" in run("--corpus", str(tmp_path), "--samples", "1")
