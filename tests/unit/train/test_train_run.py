"""Training on a CPU with tiny models: resuming, failing cleanly, exporting, and agreement with transformers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from tabspec.cli.train import train_command
from tabspec.errors import ConfigError, InputError, ModelNotUsable
from tabspec.models.files.quantized import quantize
from tabspec.models.files.weights import is_quantized, load_llama_state_dict, load_stored
from tabspec.train import checkpoint
from tabspec.train.corpus.build import build_corpus
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.parts import MIDDLE_WEIGHT, Part, parts_of, tokens_of
from tabspec.train.examples.stream import DataConfig
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.journal import read_journal
from tabspec.train.network import Network, Shape
from tabspec.train.plot import loss_curve
from tabspec.train.schedule import Budget, rate
from tabspec.train.trainer import LOG_NAME, RunConfig, Trainer, TrainingDiverged
from tabspec.train.tune.stopping import collect, fit_row
from tabspec.train.weights import saving
from tabspec.train.weights.export import export_model, load_model
from tabspec.train.weights.saving import save_quantized, save_tensors
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=64)
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], folder)
    return DataConfig(folder / "train", TOKENIZER, SHAPE.context, seed=3)


def config(steps: int = 8) -> RunConfig:
    return RunConfig(SHAPE, Budget(steps=steps), rows=6, micro_rows=4, warmup=2, log_every=2, validate_every=4)


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    data: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = data.maker().chunk(0)[:4]
    whole = Trainer(config(), data, tmp_path / "whole")
    whole.train(rows, QUIET)

    killed = Trainer(config(), data, tmp_path / "killed")
    step = killed._step

    def step_until_killed(batch: np.ndarray, factor: float) -> tuple[torch.Tensor, int]:  # type: ignore[type-arg]
        if killed.at.step == 4:
            killed.save()
            raise KeyboardInterrupt
        return step(batch, factor)

    monkeypatch.setattr(killed, "_step", step_until_killed)
    with pytest.raises(KeyboardInterrupt):
        killed.train(rows, QUIET)
    resumed = Trainer(config(), data, tmp_path / "killed")
    assert resumed.at.step == 4
    resumed.train(rows, QUIET)

    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name
    losses = [[r.loss for r in read_journal(tmp_path / run / LOG_NAME)] for run in ("whole", "killed")]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


def test_a_loss_that_is_not_a_number_stops_the_run(
    data: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(config(), data, tmp_path)
    monkeypatch.setattr(trainer, "_loss", lambda *tensors: trainer.network.model.norm.weight.sum() * float("nan"))
    with pytest.raises(TrainingDiverged, match="lower learning rate"):
        trainer.train(None, QUIET)
    assert not (tmp_path / checkpoint.NAME).exists()


@pytest.mark.slow
def test_a_checkpoint_of_another_architecture(data: DataConfig, tmp_path: Path) -> None:
    Trainer(config(2), data, tmp_path).train(None, QUIET)
    other = replace(config(4), shape=replace(SHAPE, layers=3))
    with pytest.raises(InputError, match="was made with shape"):
        Trainer(other, data, tmp_path)
    (tmp_path / checkpoint.NAME).write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="not a checkpoint"):
        Trainer(config(4), data, tmp_path)


def test_no_disk_space_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    save_tensors({"a": torch.ones(2)}, path, {})

    def full(tensors: object, name: Path, metadata: object) -> None:
        name.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "save_file", full)
    with pytest.raises(InputError, match="No space left"):
        save_tensors({"a": torch.zeros(2)}, path, {})
    assert torch.equal(load_file(path)["a"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]


def test_the_network_is_transformers_llama() -> None:
    torch.manual_seed(0)
    network = Network(SHAPE)
    theirs = LlamaForCausalLM(LlamaConfig(**SHAPE.as_llama_config({"eom": 1, "pad": 0}))).float().eval()
    missing, unexpected = theirs.load_state_dict(network.state_dict(), strict=False)
    assert (missing, unexpected) == (["lm_head.weight"], [])
    ids = torch.randint(0, SHAPE.vocabulary, (2, 40))
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, network(ids), atol=1e-5)


def test_export_loads_in_transformers(tmp_path: Path) -> None:
    network = Network(SHAPE)
    export_model(network.state_dict(), SHAPE, TOKENIZER, tmp_path / "bf16", bits=16)
    theirs = LlamaForCausalLM.from_pretrained(tmp_path / "bf16", dtype=torch.float32).eval()
    weights, shape, _ = load_model(tmp_path / "bf16")
    assert shape == SHAPE
    again = Network(shape)
    again.load_state_dict(weights)
    ids = torch.randint(0, SHAPE.vocabulary, (1, 20))
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, again(ids), atol=1e-5)


def test_eight_bits_are_the_nearest(tmp_path: Path) -> None:
    weights = {"a.weight": torch.randn(5, 7), "zero.weight": torch.zeros(2, 3), "norm.weight": torch.rand(7)}
    save_quantized(weights, tmp_path / "w.safetensors")
    assert is_quantized(tmp_path / "w.safetensors")
    loaded = load_llama_state_dict(tmp_path / "w.safetensors", torch.float32)
    for name, weight in weights.items():
        step = weight.abs().amax(-1, keepdim=True) / 127 if weight.dim() == 2 else torch.zeros(1)
        assert ((loaded[name] - weight).abs() <= step / 2 + 1e-7).all(), name
    raw = load_stored(tmp_path / "w.safetensors")["a.weight"]
    assert not isinstance(raw, torch.Tensor)
    assert torch.equal(raw.values, quantize(weights["a.weight"]).values)


@pytest.mark.parametrize("content", [b"", b"no safetensors at all"])
def test_files_that_are_no_weights(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ModelNotUsable):
        load_llama_state_dict(tmp_path / "w.safetensors", torch.float32)


def test_export_refuses_broken_and_foreign_weights(tmp_path: Path) -> None:
    weights = Network(SHAPE).state_dict()
    with pytest.raises(InputError, match="another architecture"):
        export_model(weights, replace(SHAPE, hidden=48), TOKENIZER, tmp_path / "m", bits=8)
    weights["model.norm.weight"][0] = float("nan")
    with pytest.raises(InputError, match="not numbers"):
        export_model(weights, SHAPE, TOKENIZER, tmp_path / "m", bits=8)
    assert not list(tmp_path.iterdir())


def test_export_keeps_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a model"):
        export_model(Network(SHAPE).state_dict(), SHAPE, TOKENIZER, tmp_path, bits=8)
    assert (tmp_path / "thesis.txt").exists()


def test_the_bundled_model_loads_and_fits() -> None:
    folder = REPOSITORY / "tabspec" / "models" / "bundled"
    _, shape, tokenizer = load_model(folder)
    assert tokenizer.get_vocab_size() == shape.vocabulary
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 32 << 20  # what the package may weigh


def test_rates_rise_stay_and_fall() -> None:
    rates = [rate(step / 100, step, warmup=10, decay=0.4) for step in range(101)]
    assert rates[:11] == sorted(rates[:11])
    assert set(rates[10:60]) == {1.0}
    assert rates[60:] == sorted(rates[60:], reverse=True)
    assert rates[-1] == 0.0


def test_a_budget_is_steps_or_seconds() -> None:
    assert Budget(seconds=10).progress(1_000_000, 5.0) == 0.5
    for wrong in ({}, {"steps": 1, "seconds": 1.0}, {"steps": 0}):
        with pytest.raises(ConfigError):
            Budget(**wrong)


def test_a_journal_cut_off_by_a_kill(tmp_path: Path) -> None:
    line = {"step": 1, "tokens": 9, "seconds": 1.0, "loss": 2.0, "rate": 1.0, "tokens_per_second": 9.0}
    (tmp_path / LOG_NAME).write_text(json.dumps(line) + "\n" + json.dumps(line)[:20])
    records = read_journal(tmp_path / LOG_NAME)
    assert [r.loss for r in records] == [2.0]
    assert "<polyline" in loss_curve(records, "a < b")
    assert "no steps yet" in loss_curve([], "nothing")


@pytest.mark.slow
def test_the_command_trains_on_a_folder_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text(
        (REPOSITORY / "tests" / "fixtures" / "code" / "train" / "cuts.py").read_text()
    )
    arguments = (
        f"run --code {tmp_path}/code --out {tmp_path}/run --tokenizer {TOKENIZER} --size tiny --steps 1 --rows 1"
    )
    result = CliRunner().invoke(train_command, arguments.split())
    assert result.exit_code == 0, result.output
    assert load_model(tmp_path / "run" / "model")[1].layers == 4
    assert (tmp_path / "run" / "loss.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run --out OUT --minutes 1", "name the training data"),
        ("run --code nowhere --out OUT --minutes 1", "no such folder"),
        ("run --code CODE --out OUT", "how many steps or how many minutes"),
        ("run --code CODE --out OUT --minutes 1", "different tokens"),
        ("run --corpus CODE --out OUT --minutes 1", "not a corpus"),
        ("run --code CODE --out OUT --minutes 1 --start CODE", "not a model folder"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: str, message: str) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("def function(argument):\n    return argument + 1\n" * 9)
    words = arguments.replace("CODE", f"{tmp_path}/code").replace("OUT", f"{tmp_path}/run").split()
    result = CliRunner().invoke(train_command, words)
    assert result.exit_code != 0
    said = result.output if isinstance(result.exception, SystemExit) else str(result.exception)
    assert message in said
    assert not (tmp_path / "run" / "model").exists()


def test_the_end_token_learns_where_middles_end(data: DataConfig) -> None:
    torch.manual_seed(0)
    network = Network(replace(SHAPE, context=256))  # room for middles of all kinds
    endings = collect(network, load_tokenizer(TOKENIZER), Corpus(data.corpus), examples=12)
    assert int(endings.ends.sum()) == 12
    row = network.model.embed_tokens.weight[1].detach()
    fitted = fit_row(row, endings)
    assert endings.loss(fitted) < endings.loss(row)
    said = torch.sigmoid(endings.hidden @ fitted - endings.others)
    assert float(said.mean()) == pytest.approx(float(endings.ends.mean()), abs=0.05)  # what the bias is for


@pytest.mark.slow
def test_middles_weigh_more(data: DataConfig, tmp_path: Path) -> None:
    trainer = Trainer(replace(config(), micro_rows=3), data, tmp_path)
    rows = data.maker().chunk(0)[:6]
    found = trainer.validate(rows)
    parts, there = parts_of(rows)[:, 1:], tokens_of(rows)[:, 1:] != 0
    counts = {part: int(((parts == part) & there).sum()) for part in (Part.OTHER, Part.PREFIX, Part.MIDDLE)}
    assert min(counts.values()) > 0
    assert set(found) == {"validation", "prefixes", "middles", "ends"}
    other = found["validation"] * sum(counts.values())
    other -= found["prefixes"] * counts[Part.PREFIX] + found["middles"] * counts[Part.MIDDLE]
    weighted = other + found["prefixes"] * counts[Part.PREFIX] + MIDDLE_WEIGHT * found["middles"] * counts[Part.MIDDLE]
    expected = weighted / (sum(counts.values()) + (MIDDLE_WEIGHT - 1) * counts[Part.MIDDLE])
    loss, tokens = trainer._step(rows, 0.0)
    assert tokens == sum(counts.values())
    assert float(loss) == pytest.approx(expected, rel=2e-2)  # bf16 in pieces of other sizes


@pytest.mark.slow
def test_a_pause_is_no_end(tmp_path: Path) -> None:
    """A run in two parts: the first writes a checkpoint and no model, the second goes on."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text((REPOSITORY / "tests" / "fixtures" / "code" / "train" / "cuts.py").read_text())
    start = tmp_path / "start"
    export_model(Network(SHAPE).state_dict(), SHAPE, TOKENIZER, start, bits=8)
    words = f"run --code {code} --out {tmp_path}/run --start {start} --context 96 --steps 3 --rows 1".split()
    first = CliRunner().invoke(train_command, [*words, "--pause-after", "0.00001"])
    assert first.exit_code == 0, first.output
    assert "paused" in first.output
    assert not (tmp_path / "run" / "model").exists()
    second = CliRunner().invoke(train_command, words)
    assert second.exit_code == 0, second.output
    _, shape, _ = load_model(tmp_path / "run" / "model")
    assert shape == replace(SHAPE, context=96)  # the same weights, more positions
    assert [r.step for r in read_journal(tmp_path / "run" / LOG_NAME)][-1] == 3
