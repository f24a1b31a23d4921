"""`tabspec bench kv-heads`: models of one size that differ in their number of key-value heads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from tabspec.cli.main import run
from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.train.corpus.build import build_corpus
from tabspec.train.network import Network, Shape
from tabspec.train.runs import VALIDATION_TOKENS, RunPlan, carry_out
from tabspec.train.schedule import Budget
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"


def parameters(shape: Shape) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in Network(shape).parameters())


@pytest.mark.parametrize("kv_heads", [1, 2, 4, 8])
def test_another_number_of_kv_heads_is_not_another_size(kv_heads: int) -> None:
    bundled = Shape()
    other = bundled.with_kv_heads(kv_heads)
    assert abs(parameters(other) / parameters(bundled) - 1) < 0.01
    assert other.kv_bytes * bundled.kv_heads == bundled.kv_bytes * kv_heads
    assert other.with_kv_heads(2) == bundled


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    corpus = folder / "corpus"
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], corpus)
    found = []
    for kv_heads in (3, 1):
        plan = RunPlan(
            corpus / "train",
            folder / f"kv{kv_heads}",
            Budget(steps=2),
            size="tiny",
            held_out=corpus / "train",
            tokenizer=TOKENIZER,
            device="cpu",
            rows=2,
            context=128,
            kv_heads=kv_heads,
        )
        with pytest.MonkeyPatch.context() as patch:
            # 96 K tokens, the number of a real run, take eight seconds of a processor for each of the two.
            patch.setitem(VALIDATION_TOKENS, "cpu", 4096)
            assert carry_out(plan, Console(quiet=True))
        found.append(plan.out)
    return found


@pytest.mark.slow
def test_runs_are_compared_and_steps_timed(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kv.json"
    words = ["bench", "kv-heads", "--json", str(file), "--batch", "1,3", "--prompt", "20", "--rounds", "1"]
    held_out = runs[0].parent / "corpus" / "train"
    status = run([*words, *map(str, runs), "--held-out", str(held_out), "--bytes", "2000"])
    found = json.loads(file.read_text())
    many, one = found["models"]
    assert (many["kv_heads"], one["kv_heads"]) == (3, 1)
    assert many["kv_bytes_per_token"] == 3 * one["kv_bytes_per_token"]
    assert abs(many["parameters"] / one["parameters"] - 1) < 0.02, "a tiny model: 32 of an MLP are 1 %"
    assert many["tokens"] == one["tokens"] > 0
    for model in found["models"]:
        # hardly trained: nearly all of the 13 bits of a token, which has 2 to 5 bytes
        assert 2 < model["bits_per_byte"] < 6.5 and 8 < model["validation"] < 9.2
    try:
        installed()
    except NativeMissing:
        assert status == 2
        assert "compiled decoder is not installed" in capsys.readouterr().err
        return
    assert status == 0
    assert run(words) == 0, "without runs, the models of the file are timed again"
    (steps,) = json.loads(file.read_text())["steps"]
    assert [(each["kv_heads"], each["batch"]) for each in steps["times"]] == [(3, 1), (1, 1), (3, 3), (1, 3)]
    assert all(each["ms"] > 0 for each in steps["times"])


def test_what_the_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kv.json"
    assert run(["bench", "kv-heads", "--json", str(file)]) == 2
    assert "has no models yet; name the folders of finished runs" in capsys.readouterr().err
    assert run(["bench", "kv-heads", "--json", str(file), str(tmp_path)]) == 2
    assert "not a model folder" in capsys.readouterr().err
    file.write_text("{}")
    assert run(["bench", "kv-heads", "--json", str(file)]) == 2
    assert "not a file of `tabspec bench kv-heads`" in capsys.readouterr().err
    assert (
        run(["train", "run", "--kv-heads", "2", "--start", "bundled", "--corpus", "x", "--out", "y", "--steps", "1"])
        == 2
    )
    assert "--kv-heads is for a new model" in capsys.readouterr().err
    assert run(f"train run --kv-heads 5 --corpus x --tokenizer {TOKENIZER} --out {tmp_path} --steps 1".split()) == 2
    assert "not a possible model shape" in capsys.readouterr().err
