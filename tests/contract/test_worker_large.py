"""The larger model in the worker process: chosen there by `auto`, and one process with the bundled model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tabspec.models.load import load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.process_edits import ProcessEdits
from tabspec.models.protocol import GenerationRequest, Model, StopRule
from tests.edit_requests import REQUEST
from tests.large_package import make_package

FIM = GenerationRequest("def f(", "", ")\n", stop=StopRule(1, 8))


async def text_of(model: Model) -> str:
    return "".join([chunk.text async for chunk in model.stream(FIM)])


@pytest.mark.slow
async def test_auto_takes_it_for_edits(tmp_path: Path) -> None:
    folder = make_package(tmp_path)
    # With the package at hand (a worker takes no path from PYTHONPATH), and on a machine that is always fast enough.
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tabspec.models.local.speed as speed; "
        "speed.MOST_MS = 1e9; from tabspec.models.process.worker_main import main; main()"
    )
    command = (sys.executable, "-P", "-c", code)
    worker = WorkerModel("auto", threads=1, options={"device": "cpu"}, command=command)
    try:
        info = await worker.start()
        assert info.name == "bundled" and "; auto: " in info.detail
        assert await text_of(worker) == await text_of(load_model("bundled", device="cpu"))
        alone = load_model(str(folder), device="cpu")
        found, expected = [await ProcessEdits(each).edit(REQUEST) for each in (worker, alone)]  # type: ignore[arg-type]
        assert found.change == expected.change
    finally:
        await worker.close()
