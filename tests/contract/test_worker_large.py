"""The larger model in the worker process: chosen there by `auto`, and one process for completions and edits."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tabspec.errors import ModelNotUsable
from tabspec.models.choice import MOST_MS, setup_here
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.speeds import write_speed
from tabspec.models.load import load_model
from tabspec.models.process.worker import COMMAND, WorkerModel
from tabspec.models.process_edits import ProcessEdits
from tabspec.models.protocol import GenerationRequest, StopRule
from tests.edit_requests import REQUEST
from tests.large_package import make_package

FIM = GenerationRequest("def f(", "", ")\n", stop=StopRule(1, 8))


def with_package(at: Path) -> tuple[str, ...]:
    """The worker's command, with the package at hand: a worker takes no path from PYTHONPATH."""
    code = f"import sys; sys.path.insert(0, {str(at)!r}); from tabspec.models.process.worker_main import main; main()"
    return (sys.executable, "-P", "-c", code)


async def text_of(model: WorkerModel) -> str:
    return "".join([chunk.text async for chunk in model.stream(FIM)])


async def test_auto_takes_it_where_it_is_fast_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    folder = make_package(tmp_path) / "tabspec_large" / "model"
    for ms, name in ((MOST_MS, "large"), (MOST_MS + 1, "bundled")):
        write_speed(setup_here(ModelFolder(folder)), ms)
        worker = WorkerModel("auto", threads=1, options={"device": "cpu"}, command=with_package(tmp_path))
        try:
            assert (await worker.start()).name == name
            if name == "large":
                text, answer = await asyncio.gather(text_of(worker), ProcessEdits(worker).edit(REQUEST))
                alone = load_model(str(folder), device="cpu")
                assert text == "".join([chunk.text async for chunk in alone.stream(FIM)])
                assert answer.change == (await ProcessEdits(alone).edit(REQUEST)).change  # type: ignore[arg-type]
        finally:
            await worker.close()


async def test_where_it_is_not_installed_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import importlib.util as util; found = util.find_spec; "
        "util.find_spec = lambda name, *more: None if name == 'tabspec_large' else found(name, *more); "
        "from tabspec.models.process.worker_main import main; main()"
    )
    worker = WorkerModel("large", command=(COMMAND[0], "-P", "-c", code))
    with pytest.raises(ModelNotUsable, match=r"^the larger model is not installed; run: pip install tabspec-large$"):
        await worker.start()
    await worker.close()
