"""The larger model: found where it is installed, and used by `auto` where it is fast enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from tabspec.cli.doctor import doctor_command
from tabspec.cli.main import run
from tabspec.errors import ModelNotUsable
from tabspec.models.check import check_model
from tabspec.models.daemon.place import identity
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.hub import absolute
from tabspec.models.files.large import large_folder
from tabspec.models.load import (
    BUNDLED,
    BUNDLED_EDITS,
    edits_here,
    folder_of,
    load_edits_alone,
    load_model,
    writes_edits,
)
from tabspec.models.local.model import LocalModel
from tabspec.models.local.speed import MOST_MS, ROUNDS, TYPICAL, completion_ms
from tabspec.models.process import worker_main
from tests.large_package import make_package

MISSING = "^the larger model is not installed; run: pip install tabspec-large "


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package; not on the search path."""
    at = tmp_path_factory.mktemp("package")
    make_package(at)
    return at


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is not installed, whatever this environment has."""
    monkeypatch.setattr("tabspec.models.files.large.find_spec", lambda name: None)


@pytest.fixture
def large(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package is installed. Its model's folder."""
    monkeypatch.syspath_prepend(str(package))
    folder = large_folder()
    assert folder is not None and folder.is_relative_to(package)
    return folder


def measuring(ms: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement finds ``ms``."""
    monkeypatch.setattr("tabspec.models.local.speed.completion_ms", lambda decoder: ms)


def loaded(name: str) -> LocalModel:
    model = load_model(name, device="cpu")
    assert isinstance(model, LocalModel)
    return model


@pytest.mark.parametrize("load", [load_model, check_model, load_edits_alone, folder_of])
def test_one_line_says_how_to_install_it(load: Any, missing: None) -> None:
    with pytest.raises(ModelNotUsable, match=MISSING):
        load("large")


def test_a_command_gives_the_line_and_exit_code_2(
    missing: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert run(["complete", str(tmp_path / "a.py"), "--line", "1", "--column", "1", "--model", "large"]) == 2
    assert capsys.readouterr().err.count("run: pip install tabspec-large ") == 1


def test_without_it_auto_is_the_bundled_model(missing: None) -> None:
    assert loaded("auto").info == loaded("bundled").info
    assert identity("auto") == identity("bundled") == identity(None)
    check_model("auto")
    assert edits_here("auto", "auto") and not writes_edits("auto")


def test_its_names_are_no_paths() -> None:
    assert [absolute(name) for name in ("large", "auto")] == ["large", "auto"]


def test_it_is_loaded_by_name_and_writes_edits_itself(large: Path) -> None:
    model = loaded("large")
    assert model.info.name == "large" and "int4" in model.info.detail
    assert model.info.fingerprint == loaded(str(large)).info.fingerprint
    assert model._load_edits is not None
    assert model._load_edits().local.decoder is model.local.decoder, "the weights are in memory once"
    check_model("large")
    assert writes_edits("large") and edits_here("", "large") and not edits_here("off", "large")


@pytest.mark.parametrize("ms", [MOST_MS, MOST_MS + 0.1])
def test_auto_lets_it_write_edits_where_it_is_fast_enough(
    ms: float, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring(ms, monkeypatch)
    model, bundled = loaded("auto"), loaded("bundled")
    assert model.info.name == "bundled" and model.info.fingerprint == bundled.info.fingerprint
    assert model.info.detail.startswith(bundled.info.detail + "; auto: ")
    assert (model.info.edits == bundled.info.edits) is (ms > MOST_MS)
    expected = ModelFolder(large if ms <= MOST_MS else BUNDLED_EDITS)
    assert model.info.edits == expected.fingerprint(model.info.fingerprint)
    assert loaded("large").info.name == "large", "who names it gets it"


def test_who_names_a_model_of_edits_gets_it(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring(0, monkeypatch)
    named = load_model("auto", device="cpu", edits=str(BUNDLED_EDITS))
    assert named.info == loaded("bundled").info


def test_a_damaged_package_is_not_used_by_auto(large: Path, caplog: pytest.LogCaptureFixture) -> None:
    (large / "config.json").rename(large / "aside")
    try:
        assert loaded("auto").info.name == "bundled"
        assert "the bundled models are used: " in caplog.text and "config.json" in caplog.text
        with pytest.raises(ModelNotUsable, match=r"has no config\.json"):
            load_model("large")
    finally:
        (large / "aside").rename(large / "config.json")


def test_the_daemon_tells_auto_from_both_models(large: Path) -> None:
    names = [identity(name) for name in ("auto", "bundled", "large")]
    assert [each["model"] for each in names] == ["auto", "bundled", "large"]
    before = names[0]["stamp"]
    (large / "more.json").write_text("{}")
    assert identity("auto")["stamp"] != before != ""
    (large / "more.json").unlink()


def doctor(*arguments: str) -> str:
    return " ".join(CliRunner().invoke(doctor_command, arguments, catch_exceptions=False).output.split())


def test_doctor_tells_what_auto_does(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    measuring(40, monkeypatch)
    told = doctor()
    assert "auto: the larger model writes edits (40 ms for a completion, at most 100 are allowed)" in told
    assert f"the larger model, loaded at the first edit, from {large}" in told
    assert f"nothing: the model runs here, from {BUNDLED}" in told
    measuring(400, monkeypatch)
    told = doctor()
    assert "auto: the larger model takes more than 100 ms for a completion" in told
    assert f"larger model {large}" in told and "the bundled edit model" in told
    assert "the model itself" in doctor("--model", "large")


def test_doctor_tells_that_it_is_not_installed(missing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    told = doctor()
    assert "larger model not installed (optional; run: pip install tabspec-large " in told and "auto: " not in told
    told = doctor("--model", "large")
    assert "nothing: the model is not installed" in told and "None" not in told


def test_a_bound_on_threads_holds_when_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    bound: list[int] = []

    def load(name: str) -> None:
        bound.append(torch.get_num_threads())
        raise ModelNotUsable("enough is known")

    monkeypatch.setattr(worker_main, "load_model", load)
    try:
        asked = {"op": "load", "model": "auto", "options": {}, "threads": before + 1}
        assert worker_main._load(asked, lambda line: None) is None
    finally:
        torch.set_num_threads(before)
    assert bound == [before + 1]


class SlowDecoder:
    """Takes ``ms`` for each pass, in turns."""

    def __init__(self, *ms: float) -> None:
        self.ms, self.now, self.passes = ms, 0.0, 0

    def new_kv(self) -> object:
        return object()

    def forward(self, kv: object, tokens: list[int], want: int) -> None:
        self.now += self.ms[self.passes % len(self.ms)] / 1000
        self.passes += 1


def test_the_fastest_round_counts() -> None:
    passes = TYPICAL.decoded + 1
    decoder = SlowDecoder(*[9.0] * passes, *[2.0] * passes, *[5.0] * passes)
    assert completion_ms(decoder, lambda: decoder.now) == pytest.approx(2.0 * passes)  # type: ignore[arg-type]
    assert decoder.passes == ROUNDS * passes


def test_a_round_ends_where_it_took_too_long() -> None:
    decoder = SlowDecoder(400.0)
    assert completion_ms(decoder, lambda: decoder.now) == pytest.approx(400)  # type: ignore[arg-type]
    assert decoder.passes == ROUNDS
