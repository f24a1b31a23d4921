"""A wider model with the same output, and training for weights in four bits."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from tabspec.cli.train import train_command
from tabspec.models.files.weights import is_quantized, load_llama_state_dict, load_stored
from tabspec.train.corpus.build import build_corpus
from tabspec.train.examples.stream import DataConfig
from tabspec.train.network import Network, Shape
from tabspec.train.optimizers import Optimizers
from tabspec.train.schedule import Budget
from tabspec.train.trainer import RunConfig, Trainer
from tabspec.train.weights.export import export_model, load_model
from tabspec.train.weights.four_bits import Rounding
from tabspec.train.weights.saving import save_quantized
from tabspec.train.weights.widen import widened, widened_shape
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=2, heads=4, kv_heads=2, mlp=48, head=16, context=64)
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], folder)
    return DataConfig(folder / "train", TOKENIZER, SHAPE.context, seed=3)


def random_network(shape: Shape = SHAPE, seed: int = 0) -> Network:
    """A network whose gains differ from 1, and whose matrices are as large as trained ones."""
    torch.manual_seed(seed)
    network = Network(shape)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.rand_like(weight) if weight.dim() == 1 else 0.2 * torch.randn_like(weight))
    return network


@pytest.mark.parametrize(
    "shape", [SHAPE, replace(SHAPE, kv_heads=1), replace(SHAPE, kv_heads=4), replace(SHAPE, mlp=40, head=8)]
)
def test_the_wider_model_computes_the_same(shape: Shape) -> None:
    network = random_network(shape)
    wide = Network(widened_shape(shape))
    wide.load_state_dict(widened(network.state_dict(), seed=1))
    ids = torch.randint(0, shape.vocabulary, (2, 60))
    with torch.no_grad():
        expected, found = network(ids), wide(ids)
    assert expected.std() > 0.5
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_the_copies_learn_different_things() -> None:
    """Otherwise both copies would stay equal for ever, and the width would be for nothing. At the first step, the rows
    that the last layer adds to are still equal, because the output weights are. The embedding as input changes that."""
    wide = Network(widened_shape(SHAPE))
    wide.load_state_dict(widened(random_network().state_dict(), seed=1))
    optimizers = Optimizers(wide, learning_rate=0.01)
    ids = torch.randint(0, SHAPE.vocabulary, (2, 30))
    for step in range(2):
        wide(ids).logsumexp(2).sum().backward()  # type: ignore[no-untyped-call]
        for name, weight in wide.named_parameters():
            assert weight.grad is not None
            if weight.dim() == 2 and (step or "1.mlp.down" not in name):
                first, second = weight.grad.chunk(2, dim=1 if "embed" in name else 0)
                assert (first - second).norm() > 0.01 * first.norm(), name
        optimizers.step(1.0)


def test_the_bundled_shape_widened_fits_in_64_mebibytes() -> None:
    shape = widened_shape(Shape())
    with torch.device("meta"):
        matrices = {n: w.shape for n, w in Network(shape).named_parameters() if w.dim() == 2}
    size = sum(r * c * (17 / 32 if "layers" in name else 1) for name, (r, c) in matrices.items())
    assert 100e6 < sum(r * c for r, c in matrices.values()) < 120e6
    assert size < 60 << 20  # beside it: the tokenizer and the table of draft tokens, two megabytes


def test_rounded_weights_are_those_of_the_file_and_the_exact_ones_return(tmp_path: Path) -> None:
    network = random_network(replace(SHAPE, hidden=80))  # groups of 64 and of 16
    exact = {name: weight.clone() for name, weight in network.state_dict().items()}
    save_quantized(exact, tmp_path / "w.safetensors", bits=4)
    stored = load_llama_state_dict(tmp_path / "w.safetensors", torch.float32)
    with Rounding(network).applied():
        for name, weight in network.state_dict().items():
            assert torch.equal(weight, stored[name]), name
        network(torch.arange(20)[None]).logsumexp(2).sum().backward()
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, exact[name]), name
    assert all(weight.grad is not None for weight in network.parameters())


def test_rounding_ends_with_an_error() -> None:
    network = random_network()
    exact = network.model.layers[0].mlp.up_proj.weight.clone()  # type: ignore[union-attr, operator]
    with pytest.raises(RuntimeError, match="no memory"), Rounding(network).applied():
        raise RuntimeError("no memory")
    assert torch.equal(network.model.layers[0].mlp.up_proj.weight, exact)  # type: ignore[union-attr]


def config(steps: int, four_bits: float) -> RunConfig:
    return RunConfig(SHAPE, Budget(steps=steps), rows=6, micro_rows=4, warmup=2, log_every=2, four_bits=four_bits)


@pytest.mark.slow
def test_the_last_part_of_a_run_is_of_the_stored_weights(data: DataConfig, tmp_path: Path) -> None:
    """The held-out figures at the end are those of the file."""
    rows = data.maker().chunk(0)[:4]
    trainer = Trainer(config(4, 0.5), data, tmp_path / "run")
    with trainer._as_stored():
        assert not is_rounded(trainer.network)
    trainer.train(None, QUIET)
    with trainer._as_stored():
        assert is_rounded(trainer.network)
    export_model(trainer.network.state_dict(), SHAPE, TOKENIZER, tmp_path / "model", bits=4)
    weights, shape, _ = load_model(tmp_path / "model")
    again = Trainer(replace(config(4, 0.0), shape=shape), data, tmp_path / "again", weights)
    assert again.validate(rows) == trainer.validate(rows)
    assert trainer.validate(rows) != Trainer(config(4, 0.0), data, tmp_path / "run").validate(rows)


def is_rounded(network: Network) -> bool:
    """Whether a group of 64 numbers has no more than 16 values."""
    group = network.state_dict()["model.layers.0.mlp.down_proj.weight"][0, :48]
    return len(set(group.tolist())) <= 16


@pytest.mark.slow
def test_four_bits_change_what_is_learned(data: DataConfig, tmp_path: Path) -> None:
    exact, rounded = (Trainer(config(4, share), data, tmp_path / str(share)) for share in (0.0, 0.5))
    for trainer in (exact, rounded):
        trainer.train(None, QUIET)
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(exact.network.state_dict()[name], rounded.network.state_dict()[name])


@pytest.mark.slow
def test_a_run_widens_pauses_and_is_stored_in_four_bits(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text((REPOSITORY / "tests" / "fixtures" / "code" / "train" / "cuts.py").read_text())
    export_model(random_network().state_dict(), SHAPE, TOKENIZER, tmp_path / "start", bits=8)
    words = f"run --code {code} --out {tmp_path}/run --start {tmp_path}/start --widen --four-bits 0.4"
    words += " --steps 3 --rows 1"
    first = CliRunner().invoke(train_command, [*words.split(), "--pause-after", "0.00001"])
    assert first.exit_code == 0, first.output
    assert "paused" in first.output
    second = CliRunner().invoke(train_command, words.split())
    assert second.exit_code == 0, second.output
    weights, shape, _ = load_model(tmp_path / "run" / "model")
    assert asdict(shape) == {**asdict(SHAPE), "hidden": 64, "heads": 8, "kv_heads": 4, "mlp": 96}
    assert load_stored(tmp_path / "run" / "model" / "model.safetensors")
    exported = CliRunner().invoke(train_command, f"export {tmp_path}/run -o {tmp_path}/wide --bits 16".split())
    assert exported.exit_code == 0, exported.output
    assert not is_quantized(tmp_path / "wide" / "model.safetensors")
    half = load_model(tmp_path / "wide")[0]
    assert all(torch.allclose(half[name], weight, rtol=1 / 128) for name, weight in weights.items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [("--widen", "--widen needs a model"), ("--middles-share 0.4", "need --edits"), ("--four-bits 2", "range")],
)
def test_options_that_do_not_fit_are_one_line(tmp_path: Path, arguments: str, message: str) -> None:
    words = f"run --corpus {tmp_path} --out {tmp_path}/run --steps 1 {arguments}"
    result = CliRunner().invoke(train_command, words.split())
    assert result.exit_code == 2
    assert message in result.output
