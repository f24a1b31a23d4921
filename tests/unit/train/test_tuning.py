"""Tuning with low-rank additions, on a tiny model: what changes, when it stops, and that it can be resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.examples.fim import Example, Order
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.network import Network, Shape
from tabspec.train.tune.low_rank import LowRank, add_low_rank, merged
from tabspec.train.tune.tuning import Tuner, Tuning, TuningProgress
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=64)
TUNING = Tuning(rank=4, learning_rate=0.1, tokens=63, epochs=6, check_every=2, patience=50)


def example(number: int) -> Example:
    return Example(Order.SUFFIX_FIRST, "a.py", f"value_{number} = ", "compute(total, count)", "\nprint(value)\n")


torch.set_num_threads(1)  # a tiny model gains nothing by threads
LEARNED, WATCHED = [example(number) for number in range(12)], [example(number) for number in range(50, 54)]


def weights() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return Network(SHAPE).state_dict()


def tuner(state: Path | None = None, tuning: Tuning = TUNING, **run: object) -> Tuner:
    return Tuner(weights(), SHAPE, load_tokenizer(TOKENIZER), LEARNED, WATCHED, tuning, state, run)


@torch.no_grad()
def test_low_rank_additions_begin_as_nothing_and_merge_exactly() -> None:
    network, plain = Network(SHAPE), Network(SHAPE)
    network.load_state_dict(weights())
    ids = torch.arange(20)[None]
    before = network(ids)
    trained = add_low_rank(network, 4)
    assert torch.equal(network(ids), before)
    assert {id(each) for each in network.parameters() if each.requires_grad} == {id(each) for each in trained}
    for module in network.modules():
        if isinstance(module, LowRank):
            module.up.normal_(std=0.1)
    changed = network(ids)
    assert not torch.allclose(changed, before)
    plain.load_state_dict(merged(network))
    torch.testing.assert_close(plain(ids), changed)


def test_tuning_lowers_the_loss_of_later_middles_and_changes_matrices_of_layers_only() -> None:
    tuned = tuner()
    found = tuned.tune()
    assert found is not None and tuned.at.best < tuned.at.before - 0.1 and tuned.at.best_step > 0
    network, old = Network(SHAPE), weights()
    network.load_state_dict(found)
    changed = {name for name, weight in old.items() if not torch.equal(weight, found[name])}
    assert changed == {name for name in old if name.endswith("_proj.weight")}
    assert tuned.watched_loss() == tuned.at.best  # the best weights, not the last ones


def test_without_a_gain_there_are_no_weights_and_it_stops_early() -> None:
    tuned = tuner(tuning=replace(TUNING, learning_rate=0.0, check_every=1, patience=2))
    assert tuned.tune() is None
    assert tuned.at.step == 2 and tuned.at.best_step == 0


def test_it_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr("tabspec.train.tune.tuning.time.monotonic", lambda: float(next(seconds)))
    tuned = tuner(tuning=replace(TUNING, seconds=35.0))
    tuned.tune()
    assert tuned.at.step == 4  # ten seconds a step


@pytest.mark.slow
def test_a_killed_tuning_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = tuner().tune()
    state, parts = tmp_path / "state", list[float]()

    def kill(part: float, at: TuningProgress) -> None:
        parts.append(part)
        if at.step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner(state).tune(kill)
    resumed = tuner(state)
    assert resumed.at.step == 8 and parts == sorted(parts)
    found = resumed.tune()
    assert whole is not None and found is not None
    for name, weight in whole.items():
        assert torch.equal(weight, found[name]), name


@pytest.mark.slow
def test_another_run_or_a_broken_state_begins_anew(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tuner(state, base="one").tune()
    assert tuner(state, base="one").at.step > 0
    assert tuner(state, base="two").at == tuner(state, replace(TUNING, rank=2), base="one").at == TuningProgress()
    state.write_bytes(b"no state")
    assert tuner(state, base="one").at == TuningProgress()


def test_too_little_text() -> None:
    for learned, watched in (([], WATCHED), (LEARNED, [])):
        with pytest.raises(InputError, match="too little typed text"):
            Tuner(weights(), SHAPE, load_tokenizer(TOKENIZER), learned, watched, TUNING)
