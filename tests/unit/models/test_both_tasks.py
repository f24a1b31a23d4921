"""A folder with ``edit_calibration.json``: one model, in memory once, fills in the middle and writes edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabspec.cli.doctor import _edits
from tabspec.models.check import check_model
from tabspec.models.files.folder import EDIT_CALIBRATION
from tabspec.models.files.hub import absolute
from tabspec.models.load import BUNDLED, edits_here, folder_of, load_edits_alone, load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.process.worker import WorkerModel
from tabspec.models.process_edits import ProcessEdits
from tabspec.models.protocol import GenerationRequest, Model, StopRule
from tests.edit_requests import REQUEST
from tests.large_package import save_for_both_tasks

FIM = GenerationRequest("return a", "", ")\n", stop=StopRule(1, 8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_for_both_tasks(tmp_path_factory.mktemp("both"))


@pytest.fixture
def for_the_middle(folder: Path, tmp_path: Path) -> Path:
    """The same model without a calibration of edits."""
    for file in folder.iterdir():
        if file.name != EDIT_CALIBRATION:
            (tmp_path / file.name).symlink_to(file)
    return tmp_path


def loaded(folder: Path) -> LocalModel:
    model = load_model(str(folder), device="cpu")
    assert isinstance(model, LocalModel)
    return model


async def text_of(model: Model) -> str:
    return "".join([chunk.text async for chunk in model.stream(FIM)])


def test_it_is_loaded_in_four_bits_and_writes_edits_itself(folder: Path) -> None:
    model = loaded(folder)
    assert "int4" in model.info.detail
    assert model._load_edits is not None
    edits = model._load_edits()
    assert edits.local.decoder is model.local.decoder, "the weights are in memory once"
    assert edits.local.slots is not model.local.slots
    assert model.info.edits not in ("", model.info.fingerprint)
    check_model(str(folder))


async def test_its_edits_are_those_of_the_folder_loaded_for_edits(folder: Path) -> None:
    found = await ProcessEdits(loaded(folder)).edit(REQUEST)
    expected = await load_edits_alone(str(folder)).edit(REQUEST)
    assert (found.change, found.logprobs) == (expected.change, expected.logprobs)


@pytest.mark.slow
async def test_in_its_own_process_it_answers_both_as_in_this_one(folder: Path) -> None:
    worker, alone = WorkerModel(str(folder), threads=1, options={"device": "cpu"}), loaded(folder)
    try:
        await worker.start()
        assert await text_of(worker) == await text_of(alone) != ""
        found, expected = [await ProcessEdits(each).edit(REQUEST) for each in (worker, alone)]
        assert found.change == expected.change
    finally:
        await worker.close()


def test_without_a_calibration_edits_are_left_to_the_bundled_model(for_the_middle: Path) -> None:
    model = loaded(for_the_middle)
    assert model._load_edits is not None
    assert model._load_edits().local.decoder is not model.local.decoder


def test_the_setting_auto_lets_it_write_edits(folder: Path, for_the_middle: Path) -> None:
    assert edits_here("", str(folder)) and edits_here("auto", str(folder)) and not edits_here("off", str(folder))
    assert not edits_here("auto", str(for_the_middle)) and edits_here("bundled", str(for_the_middle))
    assert _edits("", str(folder)) == "the model itself"
    assert _edits("bundled", str(for_the_middle)).startswith("the bundled edit model")


def test_names_of_our_own_models_are_no_paths(folder: Path) -> None:
    assert [absolute(name) for name in ("bundled", "mine")] == ["bundled", "mine"]
    assert folder_of("bundled") == BUNDLED and folder_of(str(folder)) == folder
