"""The larger model: found where it is installed, and used by `auto` where it is fast enough."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabspec.cli.main import run
from tabspec.errors import ModelNotUsable
from tabspec.models import choice
from tabspec.models.check import check_model
from tabspec.models.choice import AGAIN_S, MOST_MS, setup_here
from tabspec.models.daemon.place import identity
from tabspec.models.files.folder import EDIT_CALIBRATION, ModelFolder
from tabspec.models.files.hub import absolute
from tabspec.models.files.large import PACKAGE, large_folder
from tabspec.models.files.speeds import speed_file
from tabspec.models.load import edits_here, load_edits_alone, load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.local.speed import ROUNDS, STEPS, completion_ms
from tabspec.models.process_edits import ProcessEdits
from tests.edit_requests import REQUEST
from tests.large_package import make_package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No package that the machine has, and no measurement."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.setattr("tabspec.models.files.large.find_spec", lambda name: None)
    yield
    sys.modules.pop(PACKAGE, None)


@pytest.fixture
def large(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package is installed. Its model's folder."""
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(package / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(package / "data"))
    monkeypatch.syspath_prepend(str(package))
    speed_file().unlink(missing_ok=True)
    folder = large_folder()
    assert folder is not None and folder.is_relative_to(package)
    return folder


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What measuring finds, one after another. Each measurement takes its number off the list."""
    found: list[float] = []
    monkeypatch.setattr("tabspec.models.local.speed.completion_ms", lambda decoder, most: found.pop(0))
    return found


def loaded(name: str) -> LocalModel:
    model = load_model(name, device="cpu")
    assert isinstance(model, LocalModel)
    return model


@pytest.mark.parametrize("load", [load_model, check_model, load_edits_alone])
def test_one_line_says_how_to_install_it(load: Any) -> None:
    with pytest.raises(ModelNotUsable, match=r"^the larger model is not installed; run: pip install tabspec-large$"):
        load("large")


def test_a_command_gives_the_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert run(["complete", str(tmp_path / "a.py"), "--line", "1", "--column", "1", "--model", "large"]) == 2
    assert capsys.readouterr().err.strip().endswith("run: pip install tabspec-large")


def test_without_it_auto_is_the_bundled_model() -> None:
    assert loaded("auto").info.name == "bundled"
    assert not speed_file().exists()
    assert identity("auto") == identity("bundled") == identity(None)


def test_names_are_no_paths() -> None:
    assert [absolute(name) for name in ("large", "auto")] == ["large", "auto"]
    check_model("auto")


def test_it_is_loaded_in_four_bits_and_writes_edits_itself(large: Path) -> None:
    model = loaded("large")
    assert model.info.name == "large" and "int4" in model.info.detail
    assert model._load_edits is not None
    edits = model._load_edits()
    assert edits.local.decoder is model.local.decoder, "the weights are in memory once"
    assert edits.local.slots is not model.local.slots
    assert model.info.edits not in ("", model.info.fingerprint)
    check_model("large")
    assert edits_here("", "large") and edits_here("auto", "auto") and not edits_here("off", "large")


async def test_its_edits_are_those_of_the_folder_loaded_for_edits(large: Path) -> None:
    found = await ProcessEdits(loaded("large")).edit(REQUEST)
    expected = await load_edits_alone("large").edit(REQUEST)
    assert (found.change, found.logprobs) == (expected.change, expected.logprobs)
    assert (await load_edits_alone(str(large)).edit(REQUEST)).change == expected.change


def test_a_folder_without_a_calibration_of_edits_leaves_them_to_the_bundled_model(large: Path) -> None:
    (large / EDIT_CALIBRATION).rename(large / "aside")
    try:
        model = loaded("large")
        assert model._load_edits is not None
        assert model._load_edits().local.decoder is not model.local.decoder
    finally:
        (large / "aside").rename(large / EDIT_CALIBRATION)


def test_auto_measures_once(large: Path, speeds: list[float]) -> None:
    speeds[:] = [MOST_MS]
    assert [loaded("auto").info.name for _ in range(2)] == ["large", "large"]
    assert speeds == []


def test_auto_takes_the_bundled_model_where_it_is_slow(large: Path, speeds: list[float]) -> None:
    speeds[:] = [MOST_MS + 1]
    assert [loaded("auto").info.name for _ in range(2)] == ["bundled", "bundled"]
    assert loaded("large").info.name == "large", "who names it gets it"


def test_a_slow_result_is_measured_again_after_a_day(
    large: Path, speeds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e9
    monkeypatch.setattr("time.time", lambda: now)
    speeds[:] = [MOST_MS + 1, MOST_MS - 1]
    assert loaded("auto").info.name == "bundled"
    now += AGAIN_S
    assert loaded("auto").info.name == "bundled"
    now += 1
    assert loaded("auto").info.name == "large"
    now += 1e9
    assert loaded("auto").info.name == "large" and speeds == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "tabspec-speed", "version": 2}', "[" * 5000, "x" * 9999])
def test_a_broken_file_is_measured_anew(text: str, large: Path, speeds: list[float]) -> None:
    speed_file().parent.mkdir(parents=True, exist_ok=True)
    speed_file().write_text(text)
    speeds[:] = [1.0]
    assert [loaded("auto").info.name for _ in range(2)] == ["large", "large"]


def test_where_nothing_can_be_kept_it_is_measured_each_time(
    large: Path, speeds: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "file"))
    speeds[:] = [1.0, MOST_MS + 1]
    assert [loaded("auto").info.name for _ in range(2)] == ["large", "bundled"]


def test_a_measurement_is_of_one_setup(large: Path, speeds: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    speeds[:] = [1.0, MOST_MS + 1]
    assert loaded("auto").info.name == "large"
    monkeypatch.setattr(choice, "machine", lambda: "another processor")
    assert loaded("auto").info.name == "bundled"
    assert setup_here(ModelFolder(large), "cpu").endswith("another processor")


def test_a_damaged_package_is_not_used_by_auto(large: Path, caplog: pytest.LogCaptureFixture) -> None:
    (large / "config.json").rename(large / "aside")
    try:
        assert loaded("auto").info.name == "bundled"
        assert "the bundled model is used: " in caplog.text and "config.json" in caplog.text
        with pytest.raises(ModelNotUsable, match=r"has no config\.json"):
            load_model("large")
    finally:
        (large / "aside").rename(large / "config.json")


def test_the_daemon_tells_auto_from_both_models(large: Path) -> None:
    names = [identity(name) for name in ("auto", "bundled", "large")]
    assert [each["model"] for each in names] == ["auto", "bundled", "large"]
    assert len({each["stamp"] for each in names}) == 3


def test_doctor_tells_what_auto_does(large: Path, speeds: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    from tabspec.cli.doctor import _large

    assert "not measured yet" in _large()
    speeds[:] = [MOST_MS + 20]
    loaded("auto")
    assert "takes 120 ms here, at most 100 are allowed: auto does not use it" in _large()


def test_doctor_tells_that_it_is_not_installed() -> None:
    from tabspec.cli.doctor import _large

    assert _large() == "not installed (optional: pip install tabspec-large)"


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
    passes = STEPS + 1
    decoder = SlowDecoder(*[9.0] * passes, *[2.0] * passes, *[5.0] * passes)
    assert completion_ms(decoder, 1000, lambda: decoder.now) == pytest.approx(2.0 * passes)  # type: ignore[arg-type]
    assert decoder.passes == ROUNDS * passes


def test_a_round_ends_where_it_took_too_long() -> None:
    decoder = SlowDecoder(400.0)
    assert completion_ms(decoder, 100, lambda: decoder.now) == pytest.approx(400)  # type: ignore[arg-type]
    assert decoder.passes == ROUNDS
