"""The edit model in the worker process: loaded at the first edit, and never in the front process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tabspec.errors import ModelError
from tabspec.models.decoders.llama_model import load_edits
from tabspec.models.files.folder import ModelFolder
from tabspec.models.load import load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.process_edits import REGION, ProcessEdits
from tabspec.models.protocol import GenerationRequest, StopRule
from tests import tiny
from tests.edit_decoder import OURS_PIECES, SPECIAL
from tests.edit_requests import REQUEST

OPTIONS = {"device": "cpu", "dtype": "float32"}
together = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A model that fills in the middle, and one that writes edits."""
    tokenizer = tiny.byte_level(SPECIAL, OURS_PIECES)
    made = [
        tiny.save_model(tmp_path_factory.mktemp(name), tokenizer, seed=seed, max_position_embeddings=2048)
        for name, seed in (("fim", 0), ("edits", 1))
    ]
    return str(made[0]), str(made[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(folders: tuple[str, str]) -> AsyncIterator[WorkerModel]:
    model = WorkerModel(folders[0], options={**OPTIONS, "edits": folders[1]}, threads=1)
    yield model
    await model.close()


@pytest.mark.slow
@together
async def test_it_answers_as_in_process_while_completions_go_on(worker: WorkerModel, folders: tuple[str, str]) -> None:
    front = ProcessEdits(worker)
    assert front.region == REGION
    fim = GenerationRequest("def f(", "", ")\n", stop=StopRule(1, 8))

    async def complete() -> str:
        return "".join([chunk.text async for chunk in worker.stream(fim)])

    text, answer, again = await asyncio.gather(complete(), front.edit(REQUEST), front.edit(REQUEST))
    assert text == await complete()
    local = load_edits(ModelFolder(Path(folders[1])), "tiny", device="cpu")
    expected = await local.edit(REQUEST)
    assert answer.change == again.change == expected.change
    assert front.info.fingerprint == worker.info.edits != ""


@pytest.mark.slow
@together
async def test_a_cancelled_edit_leaves_the_worker_usable(worker: WorkerModel) -> None:
    front = ProcessEdits(worker)
    first = asyncio.create_task(front.edit(REQUEST))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await front.edit(replace(REQUEST, foreground=False))).usage.prefill >= 0


@pytest.mark.slow
async def test_without_an_edit_model_there_is_one_line(
    folders: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tabspec.models.load.BUNDLED_EDITS", tmp_path / "none")
    front = ProcessEdits(load_model(folders[0], **OPTIONS))  # type: ignore[arg-type]
    assert front.region is None
    with pytest.raises(ModelError, match="no model that writes edits"):
        await front.edit(REQUEST)


@pytest.mark.slow
async def test_a_broken_edit_model_fails_edits_only(folders: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (broken / name).write_bytes((Path(folders[1]) / name).read_bytes())
    (broken / "model.safetensors").write_bytes(b"nonsense")
    model = load_model(folders[0], edits=str(broken), **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        await ProcessEdits(model).edit(REQUEST)  # type: ignore[arg-type]
    assert [chunk async for chunk in model.stream(GenerationRequest("def f(", "", ")\n", stop=StopRule(1, 4)))]
