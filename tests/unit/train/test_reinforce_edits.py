"""Reinforcement of edits with a tiny model on a CPU: answers against plain decoding, gradients, resuming, command."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tabspec.cli.train import train_command
from tabspec.edits.reward import reward
from tabspec.errors import InputError
from tabspec.models.local.edits.calibration import UNFITTED, EditCalibration, Evidence
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.corpus.store import CorpusWriter
from tabspec.train.edits.hunks import hunks_between
from tabspec.train.edits.pack import HUNKS, RELEASES
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.goals import SpecialIds
from tabspec.train.network import Network, Shape
from tabspec.train.reinforce.edits import objective
from tabspec.train.reinforce.edits.answers import LONGEST, Greedy, RowsRead, decoded, extended, rows_of
from tabspec.train.reinforce.edits.batch import MomentBatch
from tabspec.train.reinforce.edits.moments import NOTHING, Asked, Earned, EditRow, MomentSource, earned, plain
from tabspec.train.reinforce.edits.objective import SOFT, Gate
from tabspec.train.reinforce.edits.trainer import EditReinforcer, EditSettings, GreedyAnswer
from tabspec.train.reinforce.learner import STATE, mean_of
from tabspec.train.reinforce.pool import Workers
from tabspec.train.schedule import Budget
from tabspec.train.weights.export import export_model, load_model
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
VOCABULARY = Vocabulary(TOKENIZER.read_text("utf-8"))
SPECIAL = SpecialIds.of(load_tokenizer(TOKENIZER))
CONTROL = torch.tensor([not data for data in VOCABULARY.bytes_of])
SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=1280)
SETTINGS = EditSettings(rank=2, rows=2, micro=1, learning_rate=0.01)


@pytest.fixture(scope="module")
def edits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of some files of code."""
    folder = tmp_path_factory.mktemp("edits")
    rows = []
    with CorpusWriter(folder / RELEASES) as releases:
        for path in sorted((REPOSITORY / "tests" / "fixtures" / "code" / "train").glob("*.py")):
            new = path.read_text("utf-8").split("\n")
            old = "\n".join(new).replace("self", "this").replace("return", "yield").split("\n")
            found = [[hunk.start, hunk.stop, list(hunk.new)] for hunk in hunks_between(old, new)]
            if found:
                releases.add("p", path.name, "python", "\n".join(old))
                rows.append(json.dumps({"pair": 0, "hunks": found}))
    (folder / RELEASES / HUNKS).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    network = Network(SHAPE)
    with torch.no_grad():
        network.model.embed_tokens.weight.mul_(20)  # sure of some tokens
    folder = tmp_path_factory.mktemp("models") / "tiny"
    export_model(network.state_dict(), SHAPE, TOKENIZER, folder, bits=8)
    return folder


@pytest.fixture(scope="module")
def rows(edits: Path) -> list[EditRow]:
    return MomentSource(edits, TOKENIZER, 1).cutter()(range(4))


def network_of(model: Path) -> Network:
    weights, shape, _ = load_model(model)
    network = Network(shape).requires_grad_(False)
    network.load_state_dict(weights)
    return network


def test_the_true_answer_of_each_question_is_right_and_stands_where_its_tokens_are(edits: Path) -> None:
    found = MomentSource(edits, TOKENIZER, 1).cutter()(range(24))
    assert found == MomentSource(edits, TOKENIZER, 1).cutter()(range(24))
    changes = 0
    for row in found:
        for asked in row.asked:
            ids = plain(row.tokens[asked.start : asked.stop])
            text = b"".join(VOCABULARY.bytes_of[token] for token in ids[:-1]).decode()
            if asked.old == asked.new:
                assert ids == [SPECIAL.same]
                assert asked.truth == NOTHING
                continue
            assert ids[-1] == SPECIAL.end
            assert text == "".join(f"\n{line}" for line in asked.new)
            if asked.truth.shown:  # else it changes lines of the last edit
                changes += 1
                assert asked.truth.right
                assert asked.truth.reward == reward(True, asked.truth.saves) > 0
    assert changes >= 8


def test_an_answer_earns_what_the_release_did() -> None:
    asked = Asked(0, 0, (), ("a = 1", "b = old", "c"), ("a = 1", "b = new", "c"), (), (0, 0))
    right = earned(asked, "\na = 1\nb = new\nc")
    assert (right.shown, right.right, right.reward) == (True, True, reward(True, right.saves))
    wrong = earned(asked, "\na = 1\nb = other\nc")
    assert (wrong.shown, wrong.right, wrong.reward) == (True, False, reward(False, wrong.saves))
    assert wrong.reward < 0
    assert earned(asked, "\na = 1\nb = old\nc") == NOTHING  # nothing changes
    assert earned(asked, None) == NOTHING
    assert earned(replace(asked, last=(1, 2)), "\na = 1\nb = new\nc") == NOTHING  # the user is at work there
    assert earned(asked, "").shown  # all is deleted


def test_answers_are_those_of_plain_greedy_decoding(model: Path, rows: list[EditRow]) -> None:
    network = network_of(model)
    batch = MomentBatch.of(rows, SPECIAL, "cpu")
    with torch.no_grad():
        read = RowsRead.of(network, batch, SPECIAL)
    greedy = Greedy.of(read, batch, SPECIAL)
    least = torch.full((len(batch.row),), -math.inf)
    written, lowest = decoded(network, read.cache, batch.row, batch.at + greedy.agreed, greedy, least, CONTROL)
    asked = [(row, each) for row in rows for each in row.asked]
    assert len(asked) == len(written)
    ended = 0
    for number, ((row, each), tokens) in enumerate(zip(asked, written, strict=True)):
        expected, logprobs = plainly(network, plain(row.tokens[: each.start]), LONGEST + int(greedy.agreed[number]))
        if not tokens:  # not whole
            assert not bool(CONTROL[expected[-1]])
            continue
        ended += 1
        own = [*plain(row.tokens[each.start : each.start + int(greedy.agreed[number])]), *tokens]
        assert own == expected[: len(own)]
        assert math.isclose(logprobs[0], float(greedy.begins[number]), abs_tol=1e-3)
        assert math.isclose(min(logprobs), float(lowest[number]), abs_tol=1e-3)
    assert ended


def plainly(network: Network, ids: list[int], most: int) -> tuple[list[int], list[float]]:
    """Greedy tokens after ``ids``, the whole row computed anew for each."""
    found: list[int] = []
    logprobs: list[float] = []
    while len(found) < most and not (found and bool(CONTROL[found[-1]])):
        with torch.no_grad():
            logits = network(torch.tensor([[*ids, *found]]))[0, -1].log_softmax(-1)
        if not found:
            logits[SPECIAL.same] = -math.inf
        found.append(int(logits.argmax()))
        logprobs.append(float(logits[found[-1]]))
    return found, logprobs


def test_branches_have_the_states_of_a_row_with_their_tokens(model: Path, rows: list[EditRow]) -> None:
    network = network_of(model)
    batch = MomentBatch.of(rows[:2], SPECIAL, "cpu")
    read = RowsRead.of(network, batch, SPECIAL)
    row, at, tokens = torch.tensor([0, 1, 1]), torch.tensor([40, 17, 90]), torch.randint(10, 8000, (3, 9))
    far = rows_of(read.cache, row)
    whole, _ = extended(network, far, at, tokens)
    first, near = extended(network, far, at, tokens[:, :4])
    second, _ = extended(network, far, at, tokens[:, 4:], near)
    assert torch.allclose(whole, torch.cat((first, second), 1), atol=1e-4)
    for branch in range(3):
        ids = torch.cat((batch.ids[row[branch], : at[branch]], tokens[branch]))
        assert torch.allclose(whole[branch], network.hidden(ids[None])[0, at[branch] :], atol=1e-4)


def test_the_gate_is_that_of_the_calibration() -> None:
    calibration = EditCalibration((-2.0, 0.5, 0.7, 1.5, -0.2, 0.9), 0.3)
    gate = Gate(calibration)
    for place, least, repeats, partly in ((0.9, -0.3, 1, 0), (0.2, -3.0, 0, 1), (0.99, -0.1, 0, 0), (1.0, -20.0, 1, 0)):
        stated = calibration.probability(Evidence(place, (least,), bool(repeats), bool(partly)))
        numbers = [torch.tensor(float(value)) for value in (place, least, repeats, partly)]
        above = gate.above(*numbers)
        odds = math.log(stated / (1 - stated)) - math.log(0.3 / 0.7)
        assert math.isclose(float(above), odds, abs_tol=1e-3)
        if float(torch.sigmoid(above / SOFT)) >= objective.LEAST_SHOWN:  # then it must not be given up
            assert least >= float(gate.floor(numbers[0])) - 1e-4
    assert math.isinf(float(Gate(UNFITTED).above(*[torch.tensor(0.5)] * 4)))


class Fixed(EditReinforcer):
    """Answers that stay the same: the first question's is wrong and the others' are right."""

    def answers(self, workers: Workers[EditRow], rows: Sequence[EditRow]) -> list[list[GreedyAnswer]]:
        found = []
        for row in rows:
            own = []
            for number, each in enumerate(row.asked):
                if number == 0:
                    own.append(GreedyAnswer(0, (20, 30, SPECIAL.end), Earned(True, False, -4.0, 16)))
                else:
                    size = each.stop - each.start
                    own.append(GreedyAnswer(size if each.truth.shown else 0, (), each.truth))
            found.append(own)
        return found


def reinforcer(kind: type[EditReinforcer], model: Path, settings: EditSettings, state: Path | None) -> EditReinforcer:
    weights, shape, _ = load_model(model)
    calibration = EditCalibration((0.0, 0.3, 0.3, 0.0, 0.0, 0.0), 0.3)
    return kind(weights, shape, VOCABULARY, SPECIAL, calibration, settings, "cpu", state)


def test_the_gradient_raises_the_expected_reward(model: Path, edits: Path) -> None:
    settings = replace(SETTINGS, gain=1.0, truth=0.0, distance=0.0)
    learner = reinforcer(Fixed, model, settings, None)
    source = MomentSource(edits, TOKENIZER, 1)
    rows = [row for row in source.cutter()(range(12)) if any(each.truth.shown for each in row.asked[1:])][:2]
    assert rows

    def gain() -> float:
        with torch.no_grad():
            return float(learner._passed(rows, learner.answers(workers, rows)).gain)

    with Workers(source, 0) as workers:
        before = gain()
        for _ in range(4):
            learner._step(workers, rows, 1.0)
        assert gain() > 2 * before > 0


def test_a_resumed_run_ends_with_the_same_bits(model: Path, edits: Path, tmp_path: Path) -> None:
    source = MomentSource(edits, TOKENIZER, 1)
    whole = reinforcer(EditReinforcer, model, SETTINGS, None)
    parts = [reinforcer(EditReinforcer, model, SETTINGS, tmp_path / STATE)]
    losses: list[list[float]] = [[], []]
    with Workers(source, 0) as workers:
        whole.train(workers, Budget(steps=2), lambda mean, at, part: losses[0].append(mean.truth))

        def until_killed(mean: object, at: object, part: float) -> None:
            losses[1].append(mean.truth)  # type: ignore[attr-defined]
            if part == 0.5:
                parts[0].save()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            parts[0].train(workers, Budget(steps=2), until_killed)
        parts.append(reinforcer(EditReinforcer, model, SETTINGS, tmp_path / STATE))
        assert parts[1].at.step == 1
        parts[1].train(workers, Budget(steps=2), lambda mean, at, part: losses[1].append(mean.truth))
    assert losses[0] == losses[1]
    before = load_model(model)[0]
    for name, weight in whole.weights().items():
        assert torch.equal(weight, parts[1].weights()[name]), name
    assert any(not torch.equal(weight, before[name]) for name, weight in whole.weights().items())


def test_a_step_whose_moments_are_all_left_out_is_passed_over(model: Path, edits: Path) -> None:
    class FirstLeftOut(MomentSource):
        def cutter(self) -> Callable[[Sequence[int]], list[EditRow]]:
            cut = super().cutter()
            return lambda numbers: [] if 0 in numbers else cut(numbers)

    learner = reinforcer(EditReinforcer, model, SETTINGS, None)
    steps: list[int] = []
    with Workers(FirstLeftOut(edits, TOKENIZER, 1), 0) as workers:
        learner.train(workers, Budget(steps=1), lambda mean, at, part: steps.append(at.step))
        assert (learner.at.step, steps) == (1, [])
        learner.train(workers, Budget(steps=2), lambda mean, at, part: steps.append(at.step))
    assert steps == [2]


def test_data_without_a_usable_moment_are_refused(edits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabspec.train.reinforce.edits.moments.lay_out", lambda scene, rng: None)
    with pytest.raises(InputError, match="none can be shown"):
        MomentSource(edits, TOKENIZER, 1).cutter()([0])
    with pytest.raises(InputError, match="use other data"):
        mean_of([])


@pytest.mark.slow
def test_the_command_makes_a_model_and_says_what_it_is_worth(edits: Path, model: Path, tmp_path: Path) -> None:
    UNFITTED.save(model / "edit_calibration.json")
    arguments = ["reinforce", "--edits", str(edits), "--held-out", str(edits), "--start", str(model)]
    arguments += ["--out", str(tmp_path / "run"), "--steps", "1", "--device", "cpu", "--workers", "0"]
    result = CliRunner().invoke(train_command, arguments)
    assert result.exit_code == 0, result.output
    assert "held out, after, a question: reward" in result.output
    load_model(tmp_path / "run" / "model")
    assert (tmp_path / "run" / "model" / "edit_calibration.json").is_file()
    assert "<polyline" in (tmp_path / "run" / "reward.svg").read_text("utf-8")


def test_bad_input_is_named(edits: Path, model: Path, tmp_path: Path) -> None:
    def run(*more: str) -> str:
        arguments = ["reinforce", "--start", str(model), "--out", str(tmp_path / "run"), "--steps", "1", *more]
        result = CliRunner().invoke(train_command, [*arguments, "--device", "cpu", "--workers", "2"])
        assert result.exit_code
        return result.output + str(result.exception)

    assert "not a corpus" in run("--edits", str(tmp_path))
    assert "of completions" in run("--edits", str(edits), "--samples", "2")
    assert "--corpus or --edits" in run()
