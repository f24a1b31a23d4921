"""A missing model is reported before any process is started for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tabspec.cli.main import run
from tabspec.errors import ModelNotUsable
from tabspec.models.check import check_model
from tabspec.models.load import load_model
from tests.tiny import OURS, byte_level, save_model


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def half_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": ')


def pickles(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_marks(folder: Path) -> None:
    text = (folder / "tokenizer.json").read_text()
    for number, mark in enumerate(OURS):
        text = text.replace(json.dumps(mark), json.dumps(f"<x{number}>"))
    (folder / "tokenizer.json").write_text(text)


@pytest.mark.parametrize("spoil", [no_config, no_tokenizer, half_a_tokenizer, pickles, no_marks])
def test_the_check_gives_the_error_of_loading(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", byte_level(OURS), tie_word_embeddings=True)
    check_model(str(folder))
    spoil(folder)
    told = []
    for load in (check_model, load_model):
        with pytest.raises(ModelNotUsable) as error:
            load(str(folder))
        told.append(str(error.value))
    assert told[0] == told[1]


def test_int4_of_a_transformers_model_is_refused_as_by_loading(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", byte_level(OURS), tie_word_embeddings=True)
    check_model(str(folder), dtype="int4")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_bias": True}))
    check_model(str(folder), dtype="float32")
    told = []
    for load in (check_model, load_model):
        with pytest.raises(ModelNotUsable, match="int4 is for models that our own decoder runs") as error:
            load(str(folder), dtype="int4", device="cpu")
        told.append(str(error.value))
    assert told[0] == told[1]


def test_models_that_cannot_be_checked_are_taken_to_exist() -> None:
    for name in (None, "bundled", "http://127.0.0.1:1", "owner/model"):
        check_model(name)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "/nowhere"], "/nowhere: no such model folder"),
        (["--model", "scripted:/nowhere"], "/nowhere"),
        (["--model", "auto"], "name large or bundled"),
        (["--model", "http://h?api=smoke"], "api"),
        (["--decoder", "fast"], "own, transformers"),
        (["--dtype", "int7"], "float16, int4"),
        (["--dtype", "int4", "--device", "cuda:1"], "int4 is for CPUs, not for cuda"),
        (["--dtype", "int4", "--device", "mps"], "int4 is for CPUs, not for mps"),
        (["--dtype", "int4", "--decoder", "transformers"], "int4 is for models that our own decoder runs"),
    ],
)
def test_a_cluster_is_not_started_for_a_missing_model(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tabspec.cli.cluster.find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "tabspec.cluster.app", None)  # Ray comes with it: importing it fails the test
    assert run(["cluster", "serve", *arguments]) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1


def test_where_a_cluster_runs_already_the_path_is_the_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabspec.cli.cluster.find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "tabspec.cluster.app", None)
    with pytest.raises(ImportError):
        run(["cluster", "serve", "--model", "/nowhere", "--address", "auto"])
